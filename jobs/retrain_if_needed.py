"""What is known of a night -> `decisions` and `alerts`; a retraining, carried out where decided."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date as Date
from typing import Annotated

import typer

from churn_spark import job
from churn_spark.decision_log import (
    Entry,
    first_state,
    last_before,
    read_entries,
    settle,
    standing_on,
    write_night,
)
from churn_spark.errors import NoChampionError, TooFewCancelsError
from churn_spark.models.registry import ModelRegistry
from churn_spark.steps.deciding import decide_night, release_policy
from churn_spark.steps.evidence import (
    compare_with_champion,
    gather_evidence,
    probation_dates,
    read_checks,
)
from churn_spark.steps.telling import tell
from jobs import build_snapshots, monitor_model, train_model

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Outcome:
    """How the night ended.

    Attributes:
        is_held: the data failed their checks.
        is_asked: a retraining was decided and not carried out.
        alerts: keys of the open alerts that are severe enough to be sent.
    """

    is_held: bool = False
    is_asked: bool = False
    alerts: tuple[str, ...] = ()


@app.command()
def main(
    date: job.DateOption,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
    ask_only: Annotated[
        bool, typer.Option("--ask-only", help="Train nothing; exit with 20 if it is asked for.")
    ] = False,
    release_reason: Annotated[
        str | None,
        typer.Option("--release", metavar="REASON", help="A human has looked: go on retraining."),
    ] = None,
    fail_on_alert: monitor_model.FailOnAlert = False,
) -> None:
    """Decide by the night's checks, drift and performance, and carry the decision out."""
    with job.open_job("retrain_if_needed", env, overrides) as context:
        if release_reason is not None:
            date = release_policy(context, date, release_reason)
        outcome = run(context, date, ask_only=ask_only)
    exit_with(outcome, fail_on_alert=fail_on_alert)


def exit_with(outcome: Outcome, *, fail_on_alert: bool) -> None:
    """Turn the outcome into an exit code: 30 before 20 before 10."""
    if outcome.is_held:
        raise typer.Exit(job.HELD_EXIT_CODE)
    if outcome.is_asked:
        raise typer.Exit(job.ASKED_EXIT_CODE)
    if outcome.alerts and fail_on_alert:
        raise typer.Exit(job.ALERT_EXIT_CODE)


def run(context: job.JobContext, date: Date, *, ask_only: bool = False) -> Outcome:
    """Replace the decisions and alerts of the date; decided once, a later night stands on it.

    Raises:
        NoChampionError: before the first training.
    """
    config, lakehouse = context.config, context.lakehouse
    registry = ModelRegistry(config.registry, config.lakehouse)
    with job.closing_line("retrain_if_needed") as facts:
        checks = read_checks(context, date)
        is_held = not all(check.passed for check in checks)
        if config.labels.kind == "lifetime":
            facts.append("the lifetime label only describes the past: nothing to decide")
            return Outcome(is_held, alerts=tell(context, date, [], checks))
        settle(lakehouse, registry, config, date)
        entries = read_entries(lakehouse)
        if entries and entries[-1].decision.night > date:
            facts.append(f"{entries[-1].decision.night} is decided already and stands on {date}")
            return Outcome(is_held)
        last = last_before(entries, date)
        before = last.after if last and last.after else first_state(registry, config.policy, date)
        if before is None:
            raise NoChampionError(
                "found no champion and no decision, expected one training to have succeeded: "
                "run `train_model`, or `nightly`"
            )
        build_snapshots.run_missing(context, probation_dates(context, date, before))
        evidence = gather_evidence(context, date, before, checks)
        tonight = [decide_night(context, date, before, evidence)]
        if tonight[-1].decision.kind == "retrain" and not ask_only:
            tonight += try_challenger(context, date, tonight[-1], facts)
        kept = standing_on(entries, date)
        write_night(lakehouse, date, [*kept, *tonight])
        settle(lakehouse, registry, config, date)
        alerts = tell(context, date, tonight, checks)
        facts.extend(f"{e.decision.kind} ({e.decision.rule}): {e.decision.reason}" for e in tonight)
    return Outcome(is_held, tonight[-1].decision.kind == "retrain", alerts)


def try_challenger(
    context: job.JobContext, date: Date, asked: Entry, facts: list[str]
) -> list[Entry]:
    """Train a challenger, compare it, and decide again; nothing if it can't be trained."""
    try:
        version = train_model.resume(context, date) or train_model.run(context, date)
    except TooFewCancelsError as error:
        facts.append(f"no challenger: {error}")
        return []
    assert asked.after is not None
    assert asked.evidence is not None
    comparison = compare_with_champion(context, date, version, asked.after.champion)
    evidence = replace(asked.evidence, challenger=comparison)
    return [decide_night(context, date, asked.after, evidence)]


if __name__ == "__main__":
    job.main(app)
