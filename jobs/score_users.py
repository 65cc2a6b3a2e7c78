"""Gold `snapshots` as of a date and the champion -> `behaviour` and `scores`."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import DateOption

app = new_app()


@job(app, "score_users")
def main(context: JobContext, date: DateOption) -> None:
    """Predict every active user's risk as of the date; a rerun replaces the date's scores."""
    from churn_spark.pipeline import score

    config = context.config
    score.run(
        context.lakehouse,
        context.registry,
        date,
        config.learning,
        config.scoring,
        config.retention_list,
    )


if __name__ == "__main__":
    run_app(app)
