"""A user's history -> the features of a snapshot, each by its declaration in `features.spec`.

The aggregates are those of `features.snapshots`, for one user and in plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from churn_spark.contracts.features.feature import (
    PAGE_COUNTS,
    PROFILE_FIELDS,
    TREND_WEEKS,
    Aggregate,
    Feature,
)
from churn_spark.contracts.features.spec import SNAPSHOT_FEATURES
from churn_spark.serving.events.days import History
from churn_spark.timeline import MILLIS_PER_DAY, day_start_millis

Value = float | str | None

_MILLIS_PER_HOUR: Final = 3_600_000.0
_DECAYED_WEEKS: Final = 8
_PROFILE_COLUMNS: Final = {name for columns in PROFILE_FIELDS.values() for name in columns}


def compute_features(history: History) -> dict[str, Value]:
    """Every feature that follows from the log, by name; None where it isn't known."""
    return {feature.name: _compute(feature, history) for feature in SNAPSHOT_FEATURES}


def _compute(feature: Feature, history: History) -> Value:
    value = _AGGREGATES[feature.aggregate](feature, history)
    if value is None or isinstance(value, str):
        return value
    return int(value) if feature.data_type == "long" else float(value)


def _weeks(source: str, history: History, n: int) -> list[int]:
    """Sums of the last weeks, the newest first."""
    return [history.sum_in(source, 7 * week, 7 * week - 6) for week in range(1, n + 1)]


def _sum(feature: Feature, history: History) -> float:
    total = history.sum_in(feature.source, feature.days)
    return total if feature.scale == 1.0 else total / feature.scale


def _week(feature: Feature, history: History) -> float:
    return _weeks(feature.source, history, feature.days)[-1]


def _ratio(feature: Feature, history: History) -> float | None:
    per: float
    if feature.per == "exposure":
        per = _exposure(feature, history)
    else:
        per = history.sum_in(feature.per, feature.days)
    above = history.sum_in(feature.source, feature.days) + feature.prior * feature.prior_weight
    below = per + feature.prior_weight
    return above * feature.scale / below if below > 0 else None


def _decayed(feature: Feature, history: History) -> float:
    weeks = _weeks(feature.source, history, _DECAYED_WEEKS)
    return sum(week / 2.0**age for age, week in enumerate(weeks))


def _trend(feature: Feature, history: History) -> float:
    newest, *before = _weeks(feature.source, history, TREND_WEEKS)
    return (newest + 1.0) / (sum(before) / len(before) + 1.0)


def _slope(feature: Feature, history: History) -> float:
    middle = (TREND_WEEKS - 1) / 2.0
    weights = [middle - age for age in range(TREND_WEEKS)]
    weeks = _weeks(feature.source, history, TREND_WEEKS)
    moments = [week * weight for week, weight in zip(weeks, weights, strict=True)]
    return sum(moments) / sum(weight**2 for weight in weights)


def _spread(feature: Feature, history: History) -> float:
    weeks = _weeks(feature.source, history, TREND_WEEKS)
    mean = sum(weeks) / TREND_WEEKS
    variance = sum((week - mean) ** 2 for week in weeks) / TREND_WEEKS
    return math.sqrt(variance) / (mean + 1.0)


def _kinds(feature: Feature, history: History) -> float:
    return sum(history.sum_in(page, feature.days) > 0 for page in PAGE_COUNTS)


def _exposure(_: Feature, history: History) -> float:
    starts = [day_start_millis(history.log_start), history.profile["registered_ts"]]
    begin = max(start for start in starts if isinstance(start, int))
    return max(_millis_since(begin, history) / MILLIS_PER_DAY, 0.0)


def _gap_spread(_: Feature, history: History) -> float | None:
    n, days, squares = (history.sum_in(name) for name in ("n_gaps", "gap_days", "squared_gap_days"))
    # In whole numbers, so that equal gaps give exactly 0.
    return math.sqrt(n * squares - days * days) / n if n else None


def _longest(feature: Feature, history: History) -> float | None:
    return history.longest(feature.source)


def _last(feature: Feature, history: History) -> Value:
    return history.profile[feature.source]


def _days_since(feature: Feature, history: History) -> float | None:
    millis = _since(feature, history)
    return None if millis is None else millis / MILLIS_PER_DAY


def _hours_since(feature: Feature, history: History) -> float | None:
    millis = _since(feature, history)
    return None if millis is None else millis / _MILLIS_PER_HOUR


def _relative_gap(feature: Feature, history: History) -> float | None:
    n, days = history.sum_in("n_gaps"), _days_since(feature, history)
    return days / (history.sum_in("gap_days") / n + 1.0) if n and days is not None else None


def _if_level(feature: Feature, history: History) -> float | None:
    return _ratio(feature, history) if history.profile["level"] == feature.level else 0.0


def _surprise(feature: Feature, history: History) -> float:
    recent = history.sum_in(feature.source, feature.days)
    before = history.sum_in(feature.source) - recent
    exposure = max(_exposure(feature, history) - feature.days, 0.0)
    rate = (before + feature.prior * feature.prior_weight) / (exposure + feature.prior_weight)
    expected = rate * feature.days
    return (recent - expected) / math.sqrt(expected + 0.5)


def _silence(feature: Feature, history: History) -> float | None:
    rate, last = _ratio(feature, history), history.instants["last_ts"]
    if rate is None or last is None:
        return None
    return rate * _millis_since(last, history) / MILLIS_PER_DAY


def _cycle(feature: Feature, history: History) -> float | None:
    days = _days_since(feature, history)
    return None if days is None else days - math.floor(days / feature.days) * feature.days


def _since(feature: Feature, history: History) -> int | None:
    """Milliseconds since the instant that a feature names; None where it never came."""
    known: Mapping[str, int | str | None] = history.instants
    if feature.source in _PROFILE_COLUMNS:
        known = history.profile
    instant = known[feature.source]
    return _millis_since(instant, history) if isinstance(instant, int) else None


def _millis_since(instant: int, history: History) -> int:
    return day_start_millis(history.as_of) - instant


_AGGREGATES: Final[Mapping[Aggregate, Callable[[Feature, History], Value]]] = {
    "sum": _sum,
    "week": _week,
    "ratio": _ratio,
    "decayed": _decayed,
    "trend": _trend,
    "slope": _slope,
    "spread": _spread,
    "kinds": _kinds,
    "exposure": _exposure,
    "gap_spread": _gap_spread,
    "longest": _longest,
    "last": _last,
    "days_since": _days_since,
    "hours_since": _hours_since,
    "relative_gap": _relative_gap,
    "if_level": _if_level,
    "surprise": _surprise,
    "silence": _silence,
    "cycle": _cycle,
}
