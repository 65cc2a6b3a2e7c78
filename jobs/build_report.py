"""Tables -> `reports/evaluation.html` and `reports/monitoring.html`, pages that need no other."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "build_report")
def main(context: JobContext) -> None:
    """Write the evaluation page (newest backtest) and the monitoring page (newest daily run)."""
    from churn_spark.pipeline import report

    config = context.config
    report.run(context.lakehouse, context.registry, config.costs, config.policy)


if __name__ == "__main__":
    run_app(app)
