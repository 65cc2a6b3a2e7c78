"""What is known of a night -> `decisions` and `alerts`; a retraining, carried out where decided."""

from __future__ import annotations

from typing import Annotated

import typer

from churn_spark.pipeline.context import open_job
from jobs._command import exit_with, new_app, run_app
from jobs._options import DateOption, EnvOption, FailOnAlertOption, SetOption

AskOnly = Annotated[
    bool, typer.Option("--ask-only", help="Train nothing; exit with 20 if it is asked for.")
]
Release = Annotated[
    str | None,
    typer.Option("--release", metavar="REASON", help="A human has looked: go on retraining."),
]

app = new_app()


@app.command()
def main(
    date: DateOption,
    env: EnvOption = "local",
    overrides: SetOption = None,
    ask_only: AskOnly = False,
    release_reason: Release = None,
    fail_on_alert: FailOnAlertOption = False,
) -> None:
    """Decide by the night's checks, drift and performance, and carry the decision out."""
    with open_job("retrain_if_needed", env, overrides, date) as context:
        from churn_spark.pipeline import decide

        outcome = decide.run(
            context.lakehouse,
            context.registry,
            date,
            context.config.night,
            ask_only=ask_only,
            release_reason=release_reason,
        )
        exit_with(outcome, fail_on_alert=fail_on_alert)


if __name__ == "__main__":
    run_app(app)
