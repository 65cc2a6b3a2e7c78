"""Silver `session_days` -> gold `snapshots` as of a date, and `labels` as they mature."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import DateOption, EnvOption, SetOption

app = new_app()


@app.command()
def main(date: DateOption, env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Build the snapshot as of the date, and the labels that the log has made known."""
    with open_job("build_snapshots", env, overrides, date) as context:
        from churn_spark.pipeline import snapshots

        snapshots.run(context.lakehouse, [date], context.config.learning)


if __name__ == "__main__":
    run_app(app)
