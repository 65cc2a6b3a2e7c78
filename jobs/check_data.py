"""Bronze and gold tables of a date -> `data_checks`: whether the night may be judged at all."""

from __future__ import annotations

import typer

from churn_spark.errors import ExitCode
from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import DateOption, EnvOption, SetOption

app = new_app()


@app.command()
def main(date: DateOption, env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Check the newest day of the log and the snapshot; exit with 30 if a check fails."""
    with open_job("check_data", env, overrides, date) as context:
        from churn_spark.pipeline import check_data

        checks = context.config.checks
        results = check_data.run(context.lakehouse, context.registry, date, checks)
        if not all(check.passed for check in results):
            raise typer.Exit(ExitCode.HELD)


if __name__ == "__main__":
    run_app(app)
