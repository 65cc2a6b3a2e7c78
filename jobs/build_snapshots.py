"""Silver `session_days` -> gold `snapshots` as of a date, and `labels` as they mature."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import DateOption

app = new_app()


@job(app, "build_snapshots")
def main(context: JobContext, date: DateOption) -> None:
    """Build the snapshot as of the date, and the labels that the log has made known."""
    from churn_spark.pipeline import snapshots

    snapshots.run(context.lakehouse, [date], context.config.learning)


if __name__ == "__main__":
    run_app(app)
