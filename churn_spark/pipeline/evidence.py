"""What is known on a night, from the tables: what the policy decides by."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import date as Date
from datetime import timedelta
from typing import Final

import pandas as pd

from churn_spark.config import NightConfig
from churn_spark.contracts.features.segments import ALL
from churn_spark.contracts.tables import PERFORMANCE, SNAPSHOTS
from churn_spark.evaluation.treated import WEIGHT, weights_in
from churn_spark.evaluation.weights import count_positive_users
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import require_rows
from churn_spark.models.differences import find_differences
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import CheckResult, failed_checks
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.frames.joint import joint_fact
from churn_spark.monitoring.frames.reference import is_outgrown
from churn_spark.monitoring.performance.challenger import compare_challenger
from churn_spark.monitoring.performance.labelled import LABELS, metric_changes
from churn_spark.monitoring.performance.performance import compare_aucs
from churn_spark.monitoring.performance.reach import LIST, list_reaches
from churn_spark.monitoring.policy.evidence import (
    ChallengerComparison,
    Evidence,
    ListReach,
    MetricChange,
    ProbationComparison,
)
from churn_spark.monitoring.policy.policy_state import PolicyState
from churn_spark.pipeline.dates import (
    LogDates,
    partly_known_dates,
    training_dates,
    unseen_dates,
)
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.monitor import Drift
from churn_spark.pipeline.performance import read_labelled
from churn_spark.pipeline.treated import read_treatment

_DAYS_OF_LISTS: Final = 28


def gather_evidence(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    state: PolicyState,
    checks: Sequence[CheckResult],
    drift: Drift,
    config: NightConfig,
) -> Evidence:
    """All that is known on the night; the snapshots of the dates on probation are there."""
    failed = tuple(sorted(failed_checks(checks)))
    of_night: Where = {"as_of": [night.date]}
    if failed:
        return Evidence(lakehouse.count_rows(SNAPSHOTS, of_night), failed)
    n_rows = require_rows(lakehouse, SNAPSHOTS, of_night, night.date)
    of_champion = [row for row in drift.rows if row.model_version == state.champion]
    features, prediction = drift_facts(of_champion)
    performance = read_metric_changes(lakehouse, night.date, state.champion, night.log)
    probation = compare_on_probation(lakehouse, registry, night, state, config)
    windows = {change.window_start for change in performance}
    reach = read_newest_reach(lakehouse, night)
    reach, n_unmatched = read_listed(lakehouse, reach, windows, config)
    return Evidence(
        n_rows,
        failed,
        features,
        prediction,
        performance,
        probation=probation,
        joint=joint_fact(drift.joint, state.champion),
        reach=reach,
        n_unmatched=n_unmatched,
    )


def read_listed(
    lakehouse: Lakehouse, reach: ListReach | None, windows: Collection[Date], config: NightConfig
) -> tuple[ListReach | None, int]:
    """What a list has reached, and how many users nobody stands for; as far as calls allow it.

    Args:
        lakehouse: with lists and contacts.
        reach: what the newest list has reached.
        windows: as-of dates of what was measured.
        config: of the night.

    Returns:
        The reach, none where calls may have kept those whom the list named; and the users of the
        windows on lists that were worked from and had no control group.
    """
    dates = {*windows} | ({reach.window_start} if reach else set())
    treatment = read_treatment(lakehouse, dates, config.learning)
    if treatment is None:
        return reach, 0
    is_unmatched = treatment["as_of"].isin([*windows]) & (treatment[WEIGHT] == 1)
    is_worked = reach is not None and reach.window_start in {*treatment["as_of"]}
    return None if is_worked else reach, int(is_unmatched.sum())


def read_metric_changes(
    lakehouse: Lakehouse, date: Date, champion: str, log: LogDates
) -> tuple[MetricChange, ...]:
    """The champion's metrics on the newest labelled window whose data were sound."""
    where: Where = {
        "run_date": Between(last=date),
        "model_version": [champion],
        "basis": [LABELS],
        "slice": [ALL],
    }
    labelled = lakehouse.collect_rows(PERFORMANCE, where)
    newest = max(log.sound(row.window_start for row in labelled), default=None)
    return metric_changes(row for row in labelled if row.window_start == newest)


def read_newest_reach(lakehouse: Lakehouse, night: Night) -> ListReach | None:
    """What the newest list whose labels are known has reached, where its data were sound."""
    first = night.date - timedelta(days=_DAYS_OF_LISTS)
    where: Where = {"run_date": Between(first, night.date), "basis": [LIST]}
    reaches = list_reaches(lakehouse.collect_rows(PERFORMANCE, where))
    sound = {*night.log.sound(reach.window_start for reach in reaches)}
    return next((one for one in reversed(reaches) if one.window_start in sound), None)


def probation_dates(night: Night, state: PolicyState, config: NightConfig) -> list[Date]:
    """As-of dates whose labels are known since the promotion; none outside probation."""
    if state.previous is None or state.probation_end is None or night.date >= state.probation_end:
        return []
    promoted = state.probation_end - timedelta(days=config.policy.probation_days)
    return unseen_dates(night.log, config.learning, night.date, promoted)


def comparison_dates(night: Night, config: NightConfig) -> list[Date]:
    """The newest labelled as-of dates, on which a challenger is compared with the champion."""
    weeks = training_dates(night.log, config.learning, night.date)
    return weeks[-config.policy.comparison_weeks :]


def compare_on_probation(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    state: PolicyState,
    config: NightConfig,
) -> ProbationComparison | None:
    """The new champion and the one before, on the rows labelled since that neither has learnt.

    None outside probation, and where the one before can't be used any more.
    """
    dates = probation_dates(night, state, config)
    if state.previous is None or not dates:
        return None
    if find_differences(registry.load(state.previous), config.learning):
        return None
    trained = registry.trained_as_of(state.champion)
    known = partly_known_dates(dates, config.learning.labels, trained)
    versions = (state.champion, state.previous)
    rows = _read_pair(lakehouse, registry, versions, dates, config, held_out=known)
    labels, users = rows["label"].to_numpy(dtype=float), rows["user_id"].to_numpy()
    weights = weights_in(rows)
    auc = compare_aucs(labels, rows["new"].to_numpy(), rows["old"].to_numpy(), users, weights)
    # With fewer than two cancels nothing can be told.
    if math.isnan(auc.high):
        return None
    n_positive = count_positive_users(labels, users, weights)
    return ProbationComparison(state.champion, state.previous, auc.value, auc.high, n_positive)


def compare_with_champion(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    versions: tuple[str, str],
    config: NightConfig,
) -> ChallengerComparison:
    """Challenger and champion on the newest labelled weeks, on users that neither has seen.

    Args:
        lakehouse: with the snapshots and labels.
        registry: with both models.
        night: on which they are compared.
        versions: of the challenger and of the champion.
        config: of the labels, the split of the users and the policy.
    """
    dates = comparison_dates(night, config)
    rows = _read_pair(lakehouse, registry, versions, dates, config, held_out=dates)
    log_days = night.log.history(night.date).log_days
    challenger, champion = (registry.load(version).baseline for version in versions)
    # A champion that were outgrown before its probation ends would be the next one to go.
    soon = log_days + config.policy.probation_days
    return compare_challenger(
        versions,
        rows,
        n_level=config.policy.level_positives,
        restores_drift=is_outgrown(champion, log_days) and not is_outgrown(challenger, soon),
    )


def _read_pair(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    versions: tuple[str, str],
    dates: Collection[Date],
    config: NightConfig,
    *,
    held_out: Collection[Date],
) -> pd.DataFrame:
    bundles = {"new": registry.load(versions[0]), "old": registry.load(versions[1])}
    return read_labelled(
        lakehouse, bundles, dates, config.learning, config.monitoring, held_out=held_out
    )
