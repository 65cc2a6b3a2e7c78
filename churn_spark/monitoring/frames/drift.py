"""Counted bins of some nights -> drift rows: what has moved, from what, and how far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.segments import ALL
from churn_spark.contracts.features.spec import FEATURES
from churn_spark.contracts.tables import DRIFT
from churn_spark.lakehouse.frames import HasValue, Rows, apply_by, share
from churn_spark.lakehouse.schema import struct_of
from churn_spark.monitoring.drift.comparisons import (
    NOT_COMPARABLE,
    TRAINING,
    LevelComparison,
    NumberComparison,
    compare_levels,
    compare_numbers,
)
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.drift.ks import SparseCounts, benjamini_hochberg
from churn_spark.monitoring.frames.attribution import Attribution
from churn_spark.monitoring.frames.reference import Reference
from churn_spark.monitoring.policy.calibration import lines_of
from churn_spark.monitoring.policy.evidence import DriftFact
from churn_spark.monitoring.policy.hysteresis import is_entering, update_breached
from churn_spark.monitoring.policy.policy_state import Calibration

_MOVING = {feature.name for feature in FEATURES if feature.moves_by_construction}


@dataclass(frozen=True)
class Judgement:
    """By what rule, and from what memory of the nights before, it is judged what has moved.

    Attributes:
        config: the rule.
        before: what had moved before tonight, as the policy remembers it.
        calibration: thresholds of this population, where there are some.
        has_enough_users: else all stays as it was.
    """

    config: PolicyConfig
    before: Collection[str] = ()
    calibration: Calibration | None = None
    has_enough_users: bool = True

    def moved(self, facts: Sequence[DriftFact]) -> Collection[str]:
        """What has moved as of tonight, of all users against the training rows."""
        if not self.has_enough_users:
            return self.before
        return update_breached(self.before, facts, self.config, self.calibration)

    def is_entering(self, feature: str, lower_bound: float, adjusted_p: float) -> bool:
        """Whether one comparison alone is far enough to enter."""
        lines = lines_of(feature, self.config, self.calibration)
        return is_entering(lower_bound, adjusted_p, self.config, lines)


def build_drift(
    bins: Rows,
    reference: Reference,
    run_date: date,
    min_rows: int,
    judgement: Judgement,
    attributions: Mapping[str, Attribution] | None = None,
) -> Rows:
    """One row per comparison, slice and feature with its test, its distances and the verdict.

    Grain: (run_date, comparison, slice, feature).

    Args:
        bins: `drift_cells` of tonight and the nights before, counted against `reference`.
        reference: the champion's training rows.
        run_date: tonight.
        min_rows: a slice with fewer rows tonight is left out.
        judgement: the rule for `is_breached`.
        attributions: what each feature moves the scores by, where that was measured.
    """
    shared = share(bins, reference)
    # Starting a group costs more than its work: one a feature, then one for all adjustments.
    compare = _compare_feature(shared, run_date, min_rows, attributions or {})
    tests = apply_by(bins, "feature", compare, struct_of(DRIFT, _test_columns()))
    return apply_by(tests, "run_date", _judge(judgement), struct_of(DRIFT))


def _compare_feature(
    shared: HasValue[Reference],
    run_date: date,
    min_rows: int,
    attributions: Mapping[str, Attribution],
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return the function that compares the nights of one feature, slice by slice."""

    def compare_feature(rows: pd.DataFrame) -> pd.DataFrame:
        reference = shared.value
        feature = rows["feature"].iloc[0]
        about = {
            "run_date": run_date,
            "feature": feature,
            "model_version": reference.version,
            "importance": reference.importance.get(feature, 0.0),
            "is_trending": feature in _MOVING,
            # Of all features at once only.
            "told_by": None,
        }
        found = []
        for place, group in rows.groupby("slice"):
            nights: dict[date, SparseCounts] = dict(
                zip(
                    group["run_date"],
                    zip(group["cells"], group["counts"], strict=True),
                    strict=True,
                )
            )
            n_tonight = int(nights[run_date][1].sum()) if run_date in nights else 0
            if n_tonight and (place == ALL or n_tonight >= min_rows):
                trained = _trained(reference, str(place), feature)
                tests = _compare_nights(reference, feature, nights, run_date, trained)
                found += [about | {"slice": place} | test for test in tests]
        parts = _attribution_columns(attributions.get(feature))
        found = [
            row | parts if (row["comparison"], row["slice"]) == (TRAINING, ALL) else row
            for row in found
        ]
        return pd.DataFrame(found, columns=_test_columns())

    return compare_feature


def _attribution_columns(found: Attribution | None) -> dict[str, float]:
    if found is None:
        return {}
    return {
        "contribution_baseline": found.baseline,
        "contribution_current": found.current,
        "contribution_error": found.error,
    }


def _trained(reference: Reference, place: str, feature: str) -> SparseCounts | None:
    """The slice's training rows that the feature is compared with; none: it has them all."""
    nothing = np.zeros(0, np.int64), np.zeros(0, np.int64)
    return reference.slices.get(place, {}).get(feature, None if place == ALL else nothing)


def _compare_nights(
    reference: Reference,
    feature: str,
    nights: Mapping[date, SparseCounts],
    run_date: date,
    trained: SparseCounts | None,
) -> list[dict[str, Any]]:
    sample = reference.samples[feature]
    if feature in reference.levels:
        levels = compare_levels(sample, nights, run_date, trained)
        rows = [_level_row(name, test) for name, test in levels]
    else:
        numbers = compare_numbers(sample, nights, run_date, trained)
        rows = [_number_row(name, test) for name, test in numbers]
    if feature not in reference.incomparable:
        return rows
    return [_untested(row) if row["comparison"] == TRAINING else row for row in rows]


def _untested(row: dict[str, Any]) -> dict[str, Any]:
    """The row of what can't be compared yet: how many there are, and no figure."""
    kept = ("comparison", "kind", "n_baseline", "n_current")
    return {name: row[name] for name in kept} | {"status": NOT_COMPARABLE, "direction": "none"}


def _test_columns() -> list[str]:
    return [n for n in DRIFT.column_names if n not in ("adjusted_p_value", "is_breached")]


def _judge(judgement: Judgement) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Return the function that adjusts the p-values within each comparison and slice.

    Of all users against the training rows what the policy will remember is breached; of all other
    comparisons, and of what moves by construction, what enters tonight.
    """

    def judge(rows: pd.DataFrame) -> pd.DataFrame:
        p_values = rows.groupby(["comparison", "slice"])["p_value"]
        adjusted = p_values.transform(lambda values: benjamini_hochberg(values.to_numpy(float)))
        judged = rows.assign(adjusted_p_value=adjusted)
        tested = judged.to_dict("records")
        features, prediction = drift_facts(tested)
        facts = (*features, *([prediction] if prediction else []))
        moved = judgement.moved(facts)
        breached = [_counts(row, moved, judgement) for row in tested]
        return judged.assign(is_breached=breached)[DRIFT.column_names]

    return judge


def _counts(row: Mapping[Any, Any], moved: Collection[str], judgement: Judgement) -> bool:
    is_remembered = (row["comparison"], row["slice"]) == (TRAINING, ALL)
    if is_remembered and not row["is_trending"]:
        return row["feature"] in moved
    found = row["feature"], row["lower_bound"], row["adjusted_p_value"]
    return row["status"] == "ok" and judgement.is_entering(*found)


def _number_row(comparison: str, found: NumberComparison) -> dict[str, Any]:
    ks, distances, zeros = found.ks, found.distances, found.zeros
    return {
        "comparison": comparison,
        "kind": "number",
        "status": ks.status,
        "n_baseline": ks.n_baseline,
        "n_current": ks.n_current,
        "missing_rate_baseline": ks.missing_rate_baseline,
        "missing_rate_current": ks.missing_rate_current,
        "missing_p_value": found.missing.p_value,
        "zero_rate_baseline": zeros.reference if zeros else None,
        "zero_rate_current": zeros.current if zeros else None,
        "zero_p_value": zeros.p_value if zeros else None,
        "ks_statistic": ks.statistic,
        "p_value": ks.p_value,
        "lower_bound": ks.lower_bound,
        "location": ks.location,
        "direction": ks.direction,
        "psi": distances.psi,
        "psi_corrected": distances.psi_corrected,
        "jensen_shannon": distances.jensen_shannon,
        "wasserstein": distances.wasserstein,
    }


def _level_row(comparison: str, found: LevelComparison) -> dict[str, Any]:
    test = found.test
    return {
        "comparison": comparison,
        "kind": "category",
        "status": "ok" if test.n_baseline and test.n_current else "skipped",
        "n_baseline": test.n_baseline,
        "n_current": test.n_current,
        "p_value": test.p_value,
        "lower_bound": test.lower_bound,
        "direction": "none",
        "chi_square": test.chi_square,
        "total_variation": test.total_variation,
        "unseen_rate_baseline": found.unseen[0],
        "unseen_rate_current": found.unseen[1],
    }
