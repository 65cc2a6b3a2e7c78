"""A date's snapshot and scores -> `drift_cells`, `drift`, and `performance` as labels mature."""

from __future__ import annotations

from churn_spark.errors import ExitCode
from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import DateOption, FailOnDriftOption

app = new_app()


@job(app, "monitor_model", in_order=True)
def main(
    context: JobContext,
    date: DateOption,
    fail_on_alert: FailOnDriftOption = False,
) -> ExitCode:
    """Measure drift of the date's data, and the model's performance where outcomes are known."""
    from churn_spark.pipeline import monitor

    drift = monitor.run(context.lakehouse, context.registry, date, context.config.night)
    is_bad = drift.movement.is_bad(context.config.policy)
    return ExitCode.ALERT if is_bad and fail_on_alert else ExitCode.DONE


if __name__ == "__main__":
    run_app(app)
