"""Bronze and gold tables of a date -> `data_checks`: whether the night may be judged at all."""

from __future__ import annotations

from churn_spark.errors import ExitCode
from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job
from jobs._options import DateOption

app = new_app()


@job(app, "check_data")
def main(context: JobContext, date: DateOption) -> ExitCode:
    """Check the quality of the newest day and the features; exit code 30 if a check fails."""
    from churn_spark.pipeline import check_data

    checks = context.config.checks
    results = check_data.run(context.lakehouse, context.registry, date, checks)
    return ExitCode.DONE if all(check.passed for check in results) else ExitCode.HELD


if __name__ == "__main__":
    run_app(app)
