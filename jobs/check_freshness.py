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
    """Say whether the newest expected night has finished, in seconds: it starts no Spark.

    Exits with 0 if it has and with 50 if not; then the receivers of alerts are notified, once until
    it has, and once more when it has. schedule.expected_by says by when.
    """
    config = load_config(env, overrides or ())
    log_to_standard_error()
    from churn_spark.pipeline import freshness

    if freshness.run(config.lakehouse, config.schedule, config.alerts).is_late:
        raise typer.Exit(ExitCode.LATE)


if __name__ == "__main__":
    run_app(app)
