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
        check_leaks.run(
            context.lakehouse, context.open_registry_later(), date, config.learning, config.leakage
        )


if __name__ == "__main__":
    run_app(app)
