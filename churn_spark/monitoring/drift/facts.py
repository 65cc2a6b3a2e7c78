"""Rows of `drift` -> what the policy and all pages know of a night's drift."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from churn_spark.contracts.features.segments import ALL
from churn_spark.monitoring.drift.comparisons import NOT_COMPARABLE, TRAINING
from churn_spark.monitoring.policy.evidence import DriftFact
from churn_spark.monitoring.policy.policy import PREDICTION


def drift_facts(drift: Iterable[Any]) -> tuple[tuple[DriftFact, ...], DriftFact | None]:
    """The drift that the policy decides by: that of the features, and that of the prediction.

    Only all users against the training rows count; a test that was skipped is no fact, and that
    something can't be compared yet is one.

    Args:
        drift: rows by column name, of a night.
    """
    facts = [
        _fact_of(row)
        for row in sorted(drift, key=lambda row: str(row["feature"]))
        if (row["comparison"], row["slice"]) == (TRAINING, ALL)
        and row["status"] in ("ok", NOT_COMPARABLE)
    ]
    prediction = next((fact for fact in facts if fact.feature == PREDICTION), None)
    return tuple(fact for fact in facts if fact.feature != PREDICTION), prediction


def _fact_of(row: Any) -> DriftFact:
    """The drift of one feature, or of the prediction, that was tested or can't be compared yet."""
    feature, importance = row["feature"], row["importance"]
    if row["status"] == NOT_COMPARABLE:
        return DriftFact(feature, 0.0, 0.0, 1.0, importance, is_comparable=False)
    statistic = row["ks_statistic"] if row["kind"] == "number" else row["total_variation"]
    bounds = row["lower_bound"], row["adjusted_p_value"]
    return DriftFact(feature, statistic, *bounds, importance, row["is_trending"])
