"""Whether the night that is expected has finished; exits with 50 if not."""

from __future__ import annotations

import typer

from churn_spark.config import load_config
from churn_spark.errors import ExitCode
from churn_spark.pipeline.console import log_to_standard_error
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

app = new_app()


@app.command()
def main(env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Check whether the latest scheduled daily run has finished; fast, since it starts no Spark.

    Exit code 0 if it has finished, 50 if it is overdue. When it becomes overdue, the receivers of
    alerts get one message, and one more when it finishes. schedule.expected_by sets the deadline.
    """
    config = load_config(env, overrides or ())
    log_to_standard_error()
    from churn_spark.pipeline import freshness

    if freshness.run(config.lakehouse, config.schedule, config.alerts).is_late:
        raise typer.Exit(ExitCode.LATE)


if __name__ == "__main__":
    run_app(app)
