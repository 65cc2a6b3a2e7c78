"""A date's snapshot and scores -> `drift_cells`, `drift`, and `performance` as labels mature."""

from __future__ import annotations

import typer

from churn_spark.errors import ExitCode
from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import DateOption, EnvOption, FailOnAlertOption, SetOption

app = new_app()


@app.command()
def main(
    date: DateOption,
    env: EnvOption = "local",
    overrides: SetOption = None,
    fail_on_alert: FailOnAlertOption = False,
) -> None:
    """Compare the date with the training rows and with earlier nights, and judge new labels."""
    with open_job("monitor_model", env, overrides, date) as context:
        from churn_spark.pipeline import monitor

        drift = monitor.run(context.lakehouse, context.registry, date, context.config.night)
        if drift.moved and fail_on_alert:
            raise typer.Exit(ExitCode.ALERT)


if __name__ == "__main__":
    run_app(app)
