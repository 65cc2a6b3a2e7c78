"""Gold `snapshots` and `labels` -> LightGBM and its baseline, evaluated, logged and registered."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import DateOption

app = new_app()


@job(app, "train_model")
def main(context: JobContext, date: DateOption) -> None:
    """Train with the data known by the date. The first model goes into use (the champion)."""
    from churn_spark.pipeline import train

    train.run(context.lakehouse, context.registry, date, context.config.learning)


if __name__ == "__main__":
    run_app(app)
