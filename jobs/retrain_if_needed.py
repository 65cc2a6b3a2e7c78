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
    bool,
    typer.Option(
        "--ask-only", help="Only decide, don't train; exit code 20 if a retraining is due."
    ),
]
Release = Annotated[
    str | None,
    typer.Option("--release", metavar="REASON", help="Lift the retraining stop after a review."),
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
    """Decide from checks, drift and performance whether to retrain, and retrain if so."""
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
