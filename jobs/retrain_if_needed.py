"""What is known of a night -> `decisions` and `alerts`; a retraining, carried out where decided."""

from __future__ import annotations

from typing import Annotated

import typer

from churn_spark.errors import ExitCode
from churn_spark.pipeline.context import JobContext
from jobs._command import code_of, new_app, run_app
from jobs._job import job
from jobs._options import DateOption, FailOnAlertOption

AskOnly = Annotated[
    bool, typer.Option("--ask-only", help="Train nothing; exit with 20 if it is asked for.")
]
Release = Annotated[
    str | None,
    typer.Option("--release", metavar="REASON", help="A human has looked: go on retraining."),
]

app = new_app()


@job(app, "retrain_if_needed", in_order=True)
def main(
    context: JobContext,
    date: DateOption,
    ask_only: AskOnly = False,
    release_reason: Release = None,
    fail_on_alert: FailOnAlertOption = False,
) -> ExitCode:
    """Decide by the night's checks, drift and performance, and carry the decision out."""
    from churn_spark.pipeline import decide

    outcome = decide.run(
        context.lakehouse,
        context.registry,
        date,
        context.config.night,
        ask_only=ask_only,
        release_reason=release_reason,
    )
    return code_of(outcome, fail_on_alert=fail_on_alert)


if __name__ == "__main__":
    run_app(app)
