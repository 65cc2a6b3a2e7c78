"""Bronze `events` -> silver `event_days`: only the dates that new events touch."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "build_event_days")
def main(context: JobContext) -> None:
    """Count the events of each date whose events changed, for the checks of the data."""
    from churn_spark.pipeline import event_days

    event_days.run(context.lakehouse, context.config.ingest)


if __name__ == "__main__":
    run_app(app)
