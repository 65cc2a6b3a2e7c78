"""Bronze `events` -> silver `transitions`: only the dates that new events touch."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "build_transitions")
def main(context: JobContext) -> None:
    """Count transitions from page to page, from the first date whose events have changed."""
    from churn_spark.pipeline import transitions

    transitions.run(context.lakehouse, context.config.ingest)


if __name__ == "__main__":
    run_app(app)
