"""The drift of the nights so far -> thresholds that follow how much this population moves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date as Date

from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.segments import ALL
from churn_spark.contracts.tables import DRIFT
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.drift.comparisons import PREVIOUS, TRAINING, WEEKDAY
from churn_spark.monitoring.drift.ks import half_band
from churn_spark.monitoring.policy.calibration import why_doubtful, why_not
from churn_spark.monitoring.policy.evidence import Evidence, Wander
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import decide
from churn_spark.monitoring.policy.wander import (
    Distances,
    beyond_chance,
    measure_wander,
    quiet_nights,
)

_COLUMNS = (
    "run_date",
    "comparison",
    "feature",
    "kind",
    "n_baseline",
    "n_current",
    "ks_statistic",
    "total_variation",
    "is_trending",
    "is_breached",
)


def calibrate_if_due(
    lakehouse: Lakehouse,
    date: Date,
    earlier: Sequence[Entry],
    tonight: Sequence[Entry],
    policy: PolicyConfig,
) -> list[Entry]:
    """The decision about the thresholds of the nights to come; empty where none is due.

    Args:
        lakehouse: with the drift of the nights so far; no user's row is read again.
        date: the night, which is judged already.
        earlier: the decisions before it.
        tonight: its own.
        policy: the bounds.
    """
    judged = next((entry for entry in tonight if entry.evidence is not None), None)
    last = tonight[-1]
    if judged is None or judged.evidence is None or last.after is None:
        return []
    if judged.evidence.failed_checks or not judged.evidence.tells_drift(policy):
        return []
    # What looked like drift is forgotten where a model took over on the same night.
    if judged.after is None or why_doubtful(judged.after, policy, date) is not None:
        return []
    if why_not(last.after, policy, date) is not None:
        return []
    before = [entry for entry in earlier if entry.decision.night < date]
    nights = quiet_nights([*before, *tonight], date)
    # Tonight's band is asked for, and a night that was bad before a model took over isn't quiet.
    if nights[-1:] != [date] or len(nights) < policy.calibration_nights:
        return []
    wander = Wander(len(nights), measure_wander(read_distances(lakehouse, nights)))
    evidence = Evidence(judged.evidence.n_rows, wander=wander)
    after, decision = decide(last.after, evidence, policy, date)
    if decision.kind != "calibrate":
        return []
    return [Entry(0, decision, last.after, evidence, after, policy)]


def read_distances(lakehouse: Lakehouse, nights: Sequence[Date]) -> dict[str, Distances]:
    """How far nights are from the nights before them, as it was stored when they were counted.

    Args:
        lakehouse: with their drift.
        nights: quiet ones; the last one is tonight.
    """
    where: Where = {
        "run_date": nights,
        "comparison": [TRAINING, PREVIOUS, WEEKDAY],
        "slice": [ALL],
        "status": ["ok"],
    }
    rows = [row for row in lakehouse.collect_rows(DRIFT, where, _COLUMNS) if not row.is_trending]
    compared = {
        (row.feature, row.run_date): half_band(row.n_baseline, row.n_current)
        for row in rows
        if row.comparison == TRAINING and not row.is_breached
    }
    found = {
        feature: Distances(band, {}, {})
        for (feature, night), band in compared.items()
        if night == nights[-1]
    }
    for row in rows:
        # A night whose users can't be compared with the training rows tells nothing of them, and
        # one on which they had moved nothing of harmless wander.
        if row.comparison == TRAINING or (row.feature, row.run_date) not in compared:
            continue
        if row.feature in found:
            pairs = found[row.feature]
            kind = pairs.nightly if row.comparison == PREVIOUS else pairs.weekly
            statistic = row.ks_statistic if row.kind == "number" else row.total_variation
            kind[row.run_date] = beyond_chance(statistic, row.n_baseline, row.n_current)
    return found
