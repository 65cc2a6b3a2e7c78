"""The night in one session: new logs -> events -> checks -> scores -> list -> drift -> decision."""

from __future__ import annotations

from typing import Annotated

import typer

from churn_spark.errors import ExitCode
from churn_spark.pipeline.console import say
from churn_spark.pipeline.context import JobContext
from jobs._command import code_of, new_app, run_app
from jobs._job import job
from jobs._options import (
    EventsOption,
    FailOnAlertOption,
    OptionalDateOption,
)

Evaluate = Annotated[
    bool,
    typer.Option(
        "--evaluate",
        help="Afterwards run a backtest and write the evaluation page, if the log is long enough.",
    ),
]

app = new_app()


@job(app, "nightly", in_order=True)
def main(
    context: JobContext,
    date: OptionalDateOption = None,
    events: EventsOption = None,
    fail_on_alert: FailOnAlertOption = False,
    evaluate: Evaluate = False,
) -> ExitCode:
    """Do all steps for one date; default: the day after the last complete day of the log."""
    from churn_spark.pipeline import evaluate as evaluation
    from churn_spark.pipeline import night
    from churn_spark.pipeline.demo import refuse_demo_lakehouse

    config = context.config
    refuse_demo_lakehouse(config.lakehouse)
    open_registry = context.open_registry_later()
    outcome = night.run(context.lakehouse, open_registry, config.night, date, events)
    if evaluate and not outcome.is_held:
        evaluation.run(context.lakehouse, context.registry, config.evaluation, date)
    say("nightly", f"tables and MLflow store: {config.lakehouse}")
    return code_of(outcome, fail_on_alert=fail_on_alert)


if __name__ == "__main__":
    run_app(app)
