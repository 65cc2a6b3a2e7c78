"""The night in one session: new logs -> events -> checks -> scores -> list -> drift -> decision."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date as Date
from typing import Annotated

import typer
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.contracts.tables import (
    BEHAVIOUR,
    DECISIONS,
    DRIFT,
    DRIFT_CELLS,
    PERFORMANCE,
    RETENTION_LISTS,
    SCORES,
)
from churn_spark.decision_log import is_first_night, settle, write_night
from churn_spark.errors import TooFewCancelsError
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.registry import ModelRegistry
from churn_spark.reports.night.store import newest_night
from churn_spark.steps.deciding import begin, hold
from churn_spark.steps.telling import tell
from churn_spark.steps.weeks import training_dates
from jobs import (
    build_report,
    build_retention_list,
    build_session_days,
    build_snapshots,
    build_transitions,
    check_data,
    ingest_events,
    monitor_model,
    retrain_if_needed,
    score_users,
    train_model,
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
# What a night says of the users and of the model, and the column of its date.
_JUDGEMENTS = (
    (BEHAVIOUR, "as_of"),
    (SCORES, "as_of"),
    (RETENTION_LISTS, "as_of"),
    (DRIFT_CELLS, "run_date"),
    (DRIFT, "run_date"),
    (PERFORMANCE, "run_date"),
)


@app.command()
def main(
    date: job.OptionalDateOption = None,
    events: Annotated[
        str | None, typer.Option(help="Folder, file or glob; default: ingest.events.")
    ] = None,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
    fail_on_alert: monitor_model.FailOnAlert = False,
) -> None:
    """Do all steps for one date; without one, for the day after the newest event."""
    with job.open_job("nightly", env, overrides) as context:
        job.refuse_demo_lakehouse(context.config.lakehouse)
        outcome = run(context, date, events)
        job.say("nightly", f"tables and MLflow store: {context.config.lakehouse}")
    retrain_if_needed.exit_with(outcome, fail_on_alert=fail_on_alert)


def run(
    context: job.JobContext, date: Date | None, events: str | None = None
) -> retrain_if_needed.Outcome:
    """Run the steps in order, and end with the page of the night; returns how it ended."""
    config = context.config
    with ThreadPoolExecutor(1) as background:
        # A new MLflow store takes seconds to lay out; nothing before training needs it.
        opening = background.submit(ModelRegistry, config.registry, config.lakehouse)
        ingest_events.run(context, events)
        build_session_days.run(context)
        build_transitions.run(context)
        registry = opening.result()
    as_of = date or job.log_span(context).end
    settle(context.lakehouse, registry, config, as_of)
    outcome = judge(context, as_of, registry)
    # A night that is done again leaves the page of the newest one.
    build_report.write_monitoring(context, newest_night(context.lakehouse) or as_of)
    return outcome


def judge(
    context: job.JobContext, as_of: Date, registry: ModelRegistry
) -> retrain_if_needed.Outcome:
    """From the snapshot to the decision.

    A first model is trained where the registry has none. Where the log holds too few
    cancellations for that, the steps that need a model are left out, and said to be. Where the
    data fail their checks, everything after is held back.
    """
    is_first = is_first_night(context.lakehouse, registry, as_of)
    learnt_from = training_dates(context, as_of) if is_first else []
    build_snapshots.run(context, sorted({as_of, *learnt_from}))
    checks = check_data.run(context, as_of)
    if not all(check.passed for check in checks):
        withdraw(context, as_of)
        if is_first:
            held = hold(context, as_of, checks)
            return retrain_if_needed.Outcome(True, alerts=tell(context, as_of, [held], checks))
        return retrain_if_needed.run(context, as_of)
    if is_first:
        try:
            version = train_model.resume(context, as_of) or train_model.train(context, as_of)
        except TooFewCancelsError as error:
            job.say("train_model", f"left out: {error}")
            for step in ("score_users", "build_retention_list", "monitor_model"):
                job.say(step, "left out: there is no model yet")
            # Held before and mended since: no decision stands on a night without a model.
            if context.lakehouse.exists(DECISIONS):
                write_night(context.lakehouse, as_of, [])
            return retrain_if_needed.Outcome(alerts=tell(context, as_of, [], checks))
        begin(context, as_of, version)
    score_users.run(context, as_of)
    build_retention_list.run(context, as_of)
    monitor_model.run(context, as_of)
    return retrain_if_needed.run(context, as_of)


def withdraw(context: job.JobContext, as_of: Date) -> None:
    """Take back what the night said before its data were found to be broken."""
    lakehouse = context.lakehouse
    for spec, column in _JUDGEMENTS:
        if not lakehouse.exists(spec):
            continue
        of_night = lakehouse.read(spec).filter(F.col(column) == F.lit(as_of))
        if not of_night.isEmpty():
            job.say("nightly", f"{spec.name} of {as_of} is withdrawn: the data failed their checks")
            nothing = context.spark.createDataFrame([], struct_of(spec))
            lakehouse.replace(nothing, spec, {column: [as_of]})


if __name__ == "__main__":
    job.main(app)
