"""Bronze `events` -> silver `session_days`: only the dates that new events touch."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "build_session_days")
def main(context: JobContext) -> None:
    """Summarise each user's sessions by day, for the dates whose events have changed."""
    from churn_spark.pipeline import session_days

    session_days.run(context.lakehouse, context.config.ingest)


if __name__ == "__main__":
    run_app(app)
