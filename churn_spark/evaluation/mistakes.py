"""Where a model is wrong: its mistakes beside the right answers of the same kind. Pandas, pure.

A missed cancellation is compared with the cancellations that were found, a false alarm with the
stayers that were left alone. One user can have a row for each of several dates, and these are
alike; so intervals count users, not rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import norm

from churn_spark.arrays import Floats
from churn_spark.evaluation.metrics import outcomes
from churn_spark.evaluation.reliability import wilson_interval

FOUND, FALSE_ALARM, MISSED, LEFT_ALONE = (
    "true positive",
    "false positive",
    "false negative",
    "true negative",
)
MISSED_AGAINST_FOUND = "missed against found"
ALARMS_AGAINST_LEFT_ALONE = "false alarms against left alone"
_COMPARISONS = {
    MISSED_AGAINST_FOUND: (MISSED, FOUND),
    ALARMS_AGAINST_LEFT_ALONE: (FALSE_ALARM, LEFT_ALONE),
}
_Z = float(norm.ppf(0.975))


@dataclass(frozen=True)
class ErrorAnalysis:
    """The mistakes at one threshold.

    Attributes:
        threshold: from this probability upwards a user is flagged.
        counts: outcome -> rows.
        segments: segment, value, n_users, n_cancels, miss_rate, miss_low, miss_high, n_stays,
            alarm_rate, alarm_low, alarm_high; 95 % intervals.
        differences: comparison, feature, difference, low, high, mean_wrong, mean_right; the
            largest of each comparison first.
        reasons: outcome, reason, n, share; the most frequent of each outcome first.
    """

    threshold: float
    counts: dict[str, int]
    segments: pd.DataFrame
    differences: pd.DataFrame
    reasons: pd.DataFrame


def analyse_errors(
    rows: pd.DataFrame,
    threshold: float,
    segments: Sequence[str],
    features: Sequence[str],
    n_largest: int = 8,
) -> ErrorAnalysis:
    """Compare mistakes with right answers by segment, by feature and by first reason.

    Args:
        rows: user_id, label (0 or 1), churn_probability, first_reason (its kind: the same text
            for all of a kind; or null), and the columns of `segments` and `features`.
        threshold: from this probability upwards a user is flagged.
        segments: categorical columns.
        features: numeric columns; nulls are left out of their comparison.
        n_largest: features and reasons kept for each comparison.
    """
    marked = rows.assign(
        outcome=outcomes(rows["label"].to_numpy(), rows["churn_probability"].to_numpy(), threshold)
    )
    counts = marked["outcome"].value_counts()
    differences = [
        _differences(marked, features, *sides).assign(comparison=comparison).head(n_largest)
        for comparison, sides in _COMPARISONS.items()
    ]
    return ErrorAnalysis(
        threshold,
        {name: int(counts.get(name, 0)) for name in (FOUND, MISSED, FALSE_ALARM, LEFT_ALONE)},
        pd.concat([_rates(marked, segment) for segment in segments], ignore_index=True),
        pd.concat(differences, ignore_index=True),
        _first_reasons(marked, n_largest),
    )


def standardised_difference(wrong: Floats, right: Floats) -> float:
    """Difference of the means in standard deviations; NaN without two values on each side.

    The deviation is the root of the two variances' mean, so that group sizes don't matter.
    Source: Austin, "An introduction to propensity score methods" (2011), section on balance.
    """
    if min(len(wrong), len(right)) < 2:
        return float("nan")
    deviation = np.sqrt((np.var(wrong, ddof=1) + np.var(right, ddof=1)) / 2)
    difference = float(np.mean(wrong) - np.mean(right))
    if not deviation:
        return float("nan") if difference else 0.0
    return difference / float(deviation)


def reason_texts(reasons: object) -> tuple[str, ...]:
    """A row's reasons; none where the model gave none (null in the table)."""
    return tuple(map(str, reasons)) if isinstance(reasons, list | tuple | np.ndarray) else ()


def _rates(marked: pd.DataFrame, segment: str) -> pd.DataFrame:
    """Share of cancellers missed and of stayers flagged, for each value of a segment."""
    found = []
    for value, part in marked.groupby(marked[segment].fillna("unknown").astype(str)):
        cancels, stays = part[part["label"] == 1], part[part["label"] == 0]
        miss, alarm = _rate(cancels, MISSED), _rate(stays, FALSE_ALARM)
        found.append(
            {
                "segment": segment,
                "value": value,
                "n_users": part["user_id"].nunique(),
                "n_cancels": len(cancels),
                **dict(zip(("miss_rate", "miss_low", "miss_high"), miss, strict=True)),
                "n_stays": len(stays),
                **dict(zip(("alarm_rate", "alarm_low", "alarm_high"), alarm, strict=True)),
            }
        )
    return pd.DataFrame(found)


def _rate(part: pd.DataFrame, outcome: str) -> tuple[float, float, float]:
    if part.empty:
        return (float("nan"),) * 3
    rate = float((part["outcome"] == outcome).mean())
    n_users = part["user_id"].nunique()
    low, high = wilson_interval(rate * n_users, n_users)
    return rate, float(low), float(high)


def _differences(
    marked: pd.DataFrame, features: Sequence[str], wrong: str, right: str
) -> pd.DataFrame:
    """Standardised difference of each feature, the largest first; unknown ones left out."""
    sides = [marked[marked["outcome"] == outcome] for outcome in (wrong, right)]
    found = []
    for feature in features:
        known = [side[side[feature].notna()] for side in sides]
        a, b = (side[feature].to_numpy(dtype=np.float64) for side in known)
        difference = standardised_difference(a, b)
        n_a, n_b = (max(side["user_id"].nunique(), 1) for side in known)
        # Large-sample error of a standardised difference: Hedges and Olkin (1985).
        reach = _Z * np.sqrt(1 / n_a + 1 / n_b + difference**2 / (2 * (n_a + n_b)))
        found.append(
            {
                "feature": feature,
                "difference": difference,
                "low": difference - reach,
                "high": difference + reach,
                "mean_wrong": float(a.mean()) if len(a) else float("nan"),
                "mean_right": float(b.mean()) if len(b) else float("nan"),
            }
        )
    columns = ["feature", "difference", "low", "high", "mean_wrong", "mean_right"]
    frame = pd.DataFrame(found, columns=columns).dropna(subset="difference")
    return frame.sort_values(
        "difference", key=lambda column: -column.abs(), kind="stable", ignore_index=True
    )


def _first_reasons(marked: pd.DataFrame, n_largest: int) -> pd.DataFrame:
    """How often each kind of first reason stands behind each outcome."""
    known = marked.assign(reason=marked["first_reason"]).dropna(subset="reason")
    counted = known.groupby(["outcome", "reason"]).size().rename("n").reset_index()
    counted["share"] = counted["n"] / counted.groupby("outcome")["n"].transform("sum")
    ordered = counted.sort_values(["outcome", "n", "reason"], ascending=[True, False, True])
    return ordered.groupby("outcome").head(n_largest).reset_index(drop=True)
