"""The night in one session: new logs -> events -> checks -> scores -> list -> drift -> decision."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date as Date

from churn_spark.config import LearningConfig, NightConfig
from churn_spark.config.privacy import require_privacy_key
from churn_spark.contracts.tables import DATA_CHECKS, DECISIONS
from churn_spark.errors import TooFewCancelsError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.policy.history import standing_on
from churn_spark.pipeline import (
    check_data,
    decide,
    event_days,
    ingest,
    maintain,
    monitor,
    of_events,
    record_contacts,
    report,
    retention_list,
    rollups,
    score,
    session_days,
    snapshots,
    train,
    transitions,
)
from churn_spark.pipeline.champion import refuse_lifetime
from churn_spark.pipeline.console import say
from churn_spark.pipeline.dates import read_log_dates, training_dates
from churn_spark.pipeline.decide import Outcome, record_first, record_hold
from churn_spark.pipeline.gather import Night, read_night, settle, store_decisions
from churn_spark.pipeline.monitor import Drift
from churn_spark.pipeline.notify import notify
from churn_spark.pipeline.publish import publish
from churn_spark.pipeline.run_record import note_date
from churn_spark.pipeline.succession import find_replacement, take_over
from churn_spark.pipeline.use_case import UseCase
from churn_spark.pipeline.withdraw import withdraw, withdraw_ahead
from churn_spark.reports.night.store import newest_night
from churn_spark.stores.decisions import write_night
from churn_spark.timeline import days_after
from churn_spark.wording import count_of, name_some

STEPS = (
    ingest.USE_CASE,
    session_days.USE_CASE,
    transitions.USE_CASE,
    event_days.USE_CASE,
    snapshots.USE_CASE,
    check_data.USE_CASE,
    train.USE_CASE,
    score.USE_CASE,
    retention_list.USE_CASE,
    monitor.USE_CASE,
    decide.USE_CASE,
)
"""The steps of a night, in their order; the training only on the first one, or where decided."""

USE_CASE = UseCase(
    "nightly",
    "the steps above for one date in one Spark session, and the page of the night",
    takes=("your files",),
    leaves=("all of the above", "`champion/`", "`reports/monitoring.html`"),
)

_NAMED = 4


def run(
    lakehouse: Lakehouse,
    open_registry: Callable[[], ModelRegistry],
    config: NightConfig,
    date: Date | None = None,
    location: str | None = None,
) -> Outcome:
    """Run the steps in order, and end with the page of the night; returns how it ended.

    Args:
        lakehouse: to work in.
        open_registry: opens the model registry; called beside the first steps, as a new MLflow
            store takes seconds to lay out and nothing before a training needs it.
        config: of the night.
        date: as-of date; the day after the last complete day of the log where none is given.
        location: folder, file or glob of the logs; `ingest.events` where none is given.

    Raises:
        InputError: if there is no file, or no event before the date.
        UnreadFilesError: after all is done, if a file could not be opened.
        ConfigError: if the key of pseudonyms is missing; nothing is written then.
        OtherIdsError: if the events keep user ids in another way than is configured.
        OtherModelError: if the label describes the past, or the champion has learnt what came
            after the date or predicts something else than is configured.
    """
    if date is not None:
        note_date(date)
    refuse_lifetime(config.learning)
    # Before the registry makes its store.
    require_privacy_key(config.privacy)
    with ThreadPoolExecutor(1) as background:
        opening = background.submit(open_registry)
        loaded = ingest.run(lakehouse, config.ingest, location, privacy=config.privacy)
        # All from one read of the events.
        rollups.run(lakehouse, config.ingest, of_events.STEPS)
        registry = opening.result()
    log = read_log_dates(lakehouse, date)
    if date is None:
        date = log.span.end
        say("nightly", f"--date {date}, the day after the last complete day of the log")
    note_date(date)
    # By a mistyped date ahead of the log all that is there would be of long ago.
    maintain.run_if_due(
        lakehouse, registry, config.maintenance, config.tuning, min(date, log.span.end)
    )
    if withdraw_ahead(lakehouse, log, date):
        log = read_log_dates(lakehouse, date)
    night = read_night(lakehouse, registry, date, log)
    night = settle(lakehouse, registry, night, config.policy)
    name_left_out(lakehouse, night.date)
    record_contacts.run_if_any(lakehouse)
    outcome = judge(lakehouse, registry, night, config)
    # After alerts and decision, which must not be lost where the champion can't be written.
    publish(lakehouse, registry)
    # A night that is done again leaves the page of the newest one.
    newest = newest_night(lakehouse) or night.date
    report.write_monitoring(lakehouse, registry, config.policy, config.costs, newest)
    if not outcome.is_held:
        loaded.require_all_read()
    return outcome


def judge(
    lakehouse: Lakehouse, registry: ModelRegistry, night: Night, config: NightConfig
) -> Outcome:
    """From the snapshot to the decision.

    A first model is trained where the registry has none, and a successor where the champion
    knows other feature definitions. Where the log holds too few cancellations for that, the steps
    that need a model are left out, and said to be. Where the data fail their checks, everything
    after is held back.

    Raises:
        OtherModelError: if the champion has learnt what came after the night, or predicts
            something else than is configured.
    """
    date, is_first = night.date, night.is_first
    replacement = find_replacement(registry, night, config.learning) if night.champion else None
    train_dates = training_dates(night.log, config.learning, date) if is_first else []
    snapshots.run(lakehouse, sorted({date, *train_dates}), config.learning, night.log)
    checks = check_data.check_night(lakehouse, registry, night, config.checks)
    if not all(check.passed for check in checks):
        withdraw(lakehouse, date)
        if not is_first:
            return decide.decide_night(lakehouse, registry, night, config, checks=checks)
        held = record_hold(date, checks, config.policy)
        store_decisions(lakehouse, night, date, [held])
        return Outcome(
            True,
            alerts=notify(lakehouse, date, [held], checks, Drift(), config.alerts, config.policy),
        )
    if is_first or replacement:
        try:
            night = (
                take_over(lakehouse, registry, night, replacement, config)
                if replacement
                else train_first(lakehouse, registry, night, config)
            )
        except TooFewCancelsError as error:
            leave_out(lakehouse, night, error)
            return Outcome(
                alerts=notify(lakehouse, date, [], checks, Drift(), config.alerts, config.policy)
            )
    bundle = registry.load(night.require_champion())
    score.score_night(lakehouse, date, bundle, config.scoring, config.retention_list)
    retention_list.run(
        lakehouse, registry, date, config.retention_list, config.scoring, config.uplift
    )
    drift = monitor.monitor_night(lakehouse, registry, night, bundle, config)
    return decide.decide_night(lakehouse, registry, night, config, checks=checks, drift=drift)


def train_first(
    lakehouse: Lakehouse, registry: ModelRegistry, night: Night, config: NightConfig
) -> Night:
    """Train the first model and write down that it is champion; returns the night with it.

    Raises:
        TooFewCancelsError: if there is too little to learn from; nothing is registered then.
    """
    date, learning = night.date, config.learning
    version = find_first(lakehouse, registry, night, learning)
    if version is not None:
        train.take(lakehouse, registry, version, date, learning)
    else:
        version = train.resume(lakehouse, registry, date, learning)
    if version is None:
        # Beside a champion it waits for no other night: the decision puts it in charge.
        waits = night.registered.champion is None
        version = train.train(lakehouse, registry, date, learning, night.log, waits=waits)
    first = record_first(night, version, config.policy)
    night = store_decisions(lakehouse, night, date, [first])
    return settle(lakehouse, registry, replace(night, registered=registry.state()), config.policy)


def find_first(
    lakehouse: Lakehouse, registry: ModelRegistry, night: Night, config: LearningConfig
) -> str | None:
    """The champion that the first night finds and writes down; none where it has to train one.

    It was trained by hand as of the same date, or by this night before it was interrupted. Where
    events have come since, the night trains again, as one that was not interrupted would have.
    """
    version = night.registered.champion
    if version is None or night.is_decided_later:
        return version
    is_outdated = train.is_outdated(lakehouse, registry, version, night.date, config)
    return None if is_outdated else version


def leave_out(lakehouse: Lakehouse, night: Night, error: TooFewCancelsError) -> None:
    """Say which steps a night without a model leaves out."""
    say("train_model", f"left out: {error}")
    why = "there is no model yet" if night.champion is None else "no model is as configured"
    for use_case in (score.USE_CASE, retention_list.USE_CASE, monitor.USE_CASE):
        say(use_case.name, f"left out: {why}")
    # Held before and mended since: no decision stands on a night without a model.
    if lakehouse.exists(DECISIONS):
        write_night(lakehouse, night.date, standing_on(night.entries, night.date))


def name_left_out(lakehouse: Lakehouse, date: Date) -> None:
    """Say which nights between the one before and this one were never done."""
    before = [d for d in lakehouse.partition_values(DATA_CHECKS, "run_date") if d < date]
    if not before:
        return
    days = (date - before[-1]).days - 1
    left_out = [str(days_after(before[-1], n)) for n in range(1, days + 1)]
    if left_out:
        say(
            "nightly",
            f"{count_of(len(left_out), 'night')} before this one left out, "
            f"{name_some(left_out, _NAMED)}: nothing was scored or decided; `nightly --date` with "
            "each still makes its scores, list and drift",
        )
