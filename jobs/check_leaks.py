"""Gold `snapshots` and `labels` -> what no forecast could have known; exit 30 if any."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import DateOption, EnvOption, SetOption

app = new_app()


@app.command()
def main(date: DateOption, env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Look for leaks in the feature table as of the date; exit code 30 if there are any."""
    with open_job("check_leaks", env, overrides, date) as context:
        from churn_spark.pipeline import check_leaks

        config = context.config
        open_registry = context.open_registry_later()
        check_leaks.run(context.lakehouse, open_registry, date, config.learning, config.leakage)


if __name__ == "__main__":
    run_app(app)
