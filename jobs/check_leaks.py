"""Gold `snapshots` and `labels` -> what no forecast could have known; exit 30 if any."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import DateOption

app = new_app()


@job(app, "check_leaks", writes=False)
def main(context: JobContext, date: DateOption) -> None:
    """Look for features that know the outcome (data leaks); exit code 30 if there are any."""
    from churn_spark.pipeline import check_leaks

    config = context.config
    open_registry = context.open_registry_later()
    check_leaks.run(context.lakehouse, open_registry, date, config.learning, config.leakage)


if __name__ == "__main__":
    run_app(app)
