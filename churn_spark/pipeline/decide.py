"""What is known of a night -> `decisions` and `alerts`; a retraining, carried out where decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date as Date

from churn_spark.config import NightConfig, PolicyConfig
from churn_spark.contracts.tables import (
    ALERTS,
    CONTACTS,
    DATA_CHECKS,
    DECISIONS,
    DRIFT,
    EVENTS,
    LABELS,
    PERFORMANCE,
    RETENTION_LISTS,
    SESSION_DAYS,
    SNAPSHOTS,
    TRAINING_ROWS,
    TRANSITIONS,
    VALIDATION_SCORES,
)
from churn_spark.errors import TooFewCancelsError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import CheckResult, failed_checks
from churn_spark.monitoring.policy.evidence import ChallengerComparison, Evidence
from churn_spark.monitoring.policy.history import Entry, newest_takeover, standing_on
from churn_spark.monitoring.policy.policy import decide, start_policy
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState
from churn_spark.monitoring.policy.told import name_decision
from churn_spark.pipeline import snapshots, train
from churn_spark.pipeline.calibrate import calibrate_if_due
from churn_spark.pipeline.champion import load_champion
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.evidence import (
    compare_with_champion,
    comparison_dates,
    gather_evidence,
    probation_dates,
)
from churn_spark.pipeline.gather import (
    Night,
    read_night,
    settle,
    state_before,
    store_decisions,
)
from churn_spark.pipeline.monitor import Drift, read_drift
from churn_spark.pipeline.notify import notify
from churn_spark.pipeline.publish import publish
from churn_spark.pipeline.release import release_policy
from churn_spark.pipeline.succession import (
    WaitingChallenger,
    drop_judged,
    find_waiting_challenger,
    record_unfit,
)
from churn_spark.pipeline.uplift import order_if_due
from churn_spark.pipeline.use_case import UseCase
from churn_spark.pipeline.withdraw import withdraw_ahead
from churn_spark.stores.checks import require_checks

USE_CASE = UseCase(
    "retrain_if_needed",
    "retrain, promote, reject, roll back or wait, by a pure policy; who is told",
    reads=(EVENTS, SESSION_DAYS, TRANSITIONS, SNAPSHOTS, LABELS, DATA_CHECKS),
    writes=(DECISIONS, ALERTS, TRAINING_ROWS, VALIDATION_SCORES, SNAPSHOTS, LABELS),
    reads_if_there=(DRIFT, PERFORMANCE, DECISIONS, ALERTS, RETENTION_LISTS, CONTACTS),
    takes=("the champion",),
    leaves=("MLflow", "`champion/`"),
)


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


def run(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    config: NightConfig,
    *,
    ask_only: bool = False,
    release_reason: str | None = None,
) -> Outcome:
    """Decide a date by what the tables know of it, and carry the decision out.

    Args:
        lakehouse: with the checks and the drift of the date.
        registry: to train and promote in.
        date: as-of date; with a release the newest decided night, where that is later.
        config: of the night.
        ask_only: a retraining is only asked for, not carried out.
        release_reason: what a human says who lets the policy go on.

    Raises:
        MissingTableError: if the date was not checked, or its drift not measured.
        NoChampionError: before the first training.
        OtherModelError: if the champion has learnt what came after the date, or predicts
            something else than is configured.
        FingerprintError: if it knows other feature definitions.
    """
    USE_CASE.check_inputs(lakehouse)
    log = read_log_dates(lakehouse, date)
    if withdraw_ahead(lakehouse, log, date):
        log = read_log_dates(lakehouse, date)
    night = read_night(lakehouse, registry, date, log)
    load_champion(registry, night.require_champion(), date, config.learning)
    if release_reason is not None:
        night = release_policy(lakehouse, night, release_reason, config.policy)
    outcome = decide_night(lakehouse, registry, night, config, ask_only=ask_only)
    publish(lakehouse, registry)
    return outcome


def decide_night(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    config: NightConfig,
    *,
    checks: Sequence[CheckResult] | None = None,
    drift: Drift | None = None,
    ask_only: bool = False,
) -> Outcome:
    """Replace the decisions and alerts of the night; decided once, a later night stands on it.

    Args:
        lakehouse: with all that is known of the night.
        registry: to train and promote in.
        night: its date, the log and the decisions so far.
        config: of the night.
        checks: the night's data checks; read where they aren't known yet.
        drift: the night's drift; read where it isn't known yet.
        ask_only: a retraining is only asked for, not carried out.

    Raises:
        MissingTableError: if the night was not checked, or its drift not measured.
        NoChampionError: before the first training.
    """
    date = night.date
    with USE_CASE.start(lakehouse) as facts:
        checks = require_checks(lakehouse, date) if checks is None else checks
        is_held = bool(failed_checks(checks))
        # A human may have named another champion since the night began.
        night = replace(night, registered=registry.state())
        night = settle(lakehouse, registry, night, config.policy)
        if night.is_decided_later:
            newest = night.entries[-1].decision.night
            facts.append(f"kept: the decision of {newest}, which follows from that of {date}")
            return Outcome(is_held)
        before = state_before(night, config.policy)
        judged = probation_dates(night, before, config)
        snapshots.run_stale(lakehouse, judged, config.learning, night.log)
        if drift is None:
            drift = Drift() if is_held else read_drift(lakehouse, date)
        evidence = gather_evidence(lakehouse, registry, night, before, checks, drift, config)
        tonight: list[Entry] = []
        waiting = None if is_held else find_waiting_challenger(registry, night, config.learning)
        if waiting is not None and waiting.unfit:
            tonight.append(record_unfit(date, before, waiting, config.policy))
        elif waiting is not None:
            evidence = with_comparison(
                lakehouse, registry, night, before, waiting, evidence, config
            )
        tonight.append(decide_entry(date, before, evidence, config.policy))
        if waiting is not None and waiting.version not in {e.decision.version for e in tonight}:
            facts.append(
                f"version {waiting.version} still waits to be compared with the model in use"
            )
        if tonight[-1].decision.kind == "retrain" and not ask_only:
            tonight += try_challenger(lakehouse, registry, night, tonight[-1], config, facts)
        is_asked = tonight[-1].decision.kind == "retrain"
        tonight += calibrate_if_due(lakehouse, date, night.entries, tonight, config.policy)
        kept = standing_on(night.entries, date)
        order = [] if is_held else order_if_due(lakehouse, registry, night, tonight, config)
        night = store_decisions(lakehouse, night, date, [*kept, *tonight, *order])
        settle(lakehouse, registry, replace(night, registered=registry.state()), config.policy)
        drop_judged(registry, night)
        took_over = newest_takeover(night.entries, date)
        alerts = notify(
            lakehouse, date, tonight, checks, drift, config.alerts, config.policy, took_over
        )
        facts.extend(
            f"{name_decision(e.decision.kind, e.decision.rule)}: {e.decision.reason}"
            for e in (*tonight, *order)
        )
    return Outcome(is_held, is_asked, alerts)


def decide_entry(
    date: Date, before: PolicyState, evidence: Evidence, policy: PolicyConfig
) -> Entry:
    """What the policy decides of some evidence, as it is stored."""
    after, decision = decide(before, evidence, policy, date)
    return Entry(0, decision, before, evidence, after, policy)


def with_comparison(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    before: PolicyState,
    waiting: WaitingChallenger,
    evidence: Evidence,
    config: NightConfig,
) -> Evidence:
    """The evidence with how a challenger that waits does beside the champion."""
    dates = comparison_dates(night, config)
    snapshots.run_stale(lakehouse, dates, config.learning, night.log)
    versions = (waiting.version, before.champion)
    comparison = compare_with_champion(lakehouse, registry, night, versions, config)
    return replace(evidence, challenger=comparison)


def try_challenger(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    asked: Entry,
    config: NightConfig,
    facts: list[str],
) -> list[Entry]:
    """Train a challenger, compare it, and decide again; nothing if it can't be trained."""
    learning = config.learning
    try:
        version = train.resume(lakehouse, registry, night.date, learning)
        version = version or train.run(
            lakehouse, registry, night.date, learning, night.log, waits=False
        )
    except TooFewCancelsError as error:
        facts.append(f"no challenger: {error}")
        return []
    assert asked.after is not None
    versions = (version, asked.after.champion)
    comparison = compare_with_champion(lakehouse, registry, night, versions, config)
    return [decide_challenger(asked, comparison, config.policy)]


def decide_challenger(
    asked: Entry, comparison: ChallengerComparison, policy: PolicyConfig
) -> Entry:
    """What the policy decides of a challenger, on the night that has asked for it."""
    assert asked.after is not None
    assert asked.evidence is not None
    evidence = replace(asked.evidence, challenger=comparison)
    return decide_entry(asked.decision.night, asked.after, evidence, policy)


def record_first(night: Night, version: str, policy: PolicyConfig) -> Entry:
    """The decision that the first model is champion: what all later decisions stand on."""
    state = start_policy(version, night.date, policy)
    before = night.registered.champion
    reason = "there was no model before"
    if before and before != version:
        reason = f"version {before} was trained as of the same date, before events came that count"
    decision = Decision(night.date, "promote", "first", reason, version)
    return Entry(0, decision, None, None, state, policy)


def record_hold(date: Date, checks: Sequence[CheckResult], policy: PolicyConfig) -> Entry:
    """The decision that the data failed their checks on a night before the first training."""
    reason = f"the data failed their checks: {', '.join(failed_checks(checks))}"
    return Entry(0, Decision(date, "hold", "data_checks", reason), None, None, None, policy)
