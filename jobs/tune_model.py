"""Gold `snapshots` and `labels` -> better parameters for LightGBM, if any, as challenger."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import DateOption

app = new_app()


@job(app, "tune_model")
def main(context: JobContext, date: DateOption) -> None:
    """Search for better parameters with the data known by the date; resumes where it stopped."""
    from churn_spark.pipeline import tune

    config = context.config
    tune.run(context.lakehouse, context.registry, date, config.learning, config.tuning)


if __name__ == "__main__":
    run_app(app)
