"""The night in one session: new logs -> events -> snapshot -> scores -> list -> drift."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date as Date
from typing import Annotated

import typer

from churn_spark import job
from churn_spark.errors import TooFewCancelsError
from churn_spark.models.registry import ModelRegistry
from jobs import (
    build_retention_list,
    build_session_days,
    build_snapshots,
    build_transitions,
    ingest_events,
    monitor_model,
    score_users,
    train_model,
)

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
        alerts = run(context, date, events)
        job.say("nightly", f"tables and MLflow store: {context.config.lakehouse}")
    if alerts and fail_on_alert:
        raise typer.Exit(job.ALERT_EXIT_CODE)


def run(context: job.JobContext, date: Date | None, events: str | None = None) -> list[str]:
    """Run the steps in order; returns the features that raise a drift alert.

    A first model is trained where the registry has none. Where the log holds too few
    cancellations for that, the steps that need a model are left out, and said to be.
    """
    with ThreadPoolExecutor(1) as background:
        # A new MLflow store takes seconds to lay out; nothing before training needs it.
        opening = background.submit(
            ModelRegistry, context.config.registry, context.config.lakehouse
        )
        ingest_events.run(context, events)
        build_session_days.run(context)
        build_transitions.run(context)
        registry = opening.result()
    as_of = date or build_snapshots.log_span(context).end
    has_champion = registry.champion_version() is not None
    learnt_from = [] if has_champion else train_model.training_dates(context, as_of)
    build_snapshots.run(context, sorted({as_of, *learnt_from}))
    if not has_champion:
        try:
            train_model.train(context, as_of)
        except TooFewCancelsError as error:
            job.say("train_model", f"left out: {error}")
            job.say("score_users", "left out: there is no model yet")
            job.say("build_retention_list", "left out: there is no model yet")
            job.say("monitor_model", "left out: there is no model yet")
            return []
    score_users.run(context, as_of)
    build_retention_list.run(context, as_of)
    return monitor_model.run(context, as_of)


if __name__ == "__main__":
    job.main(app)
