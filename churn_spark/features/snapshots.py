"""Session days -> snapshots: every feature of every living user, as of one or many dates."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date
from functools import reduce
from operator import add

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.features.feature import TREND_WEEKS, Aggregate
from churn_spark.contracts.features.spec import (
    PAGE_COUNTS,
    PROFILE_FIELDS,
    SNAPSHOT_FEATURES,
    Feature,
)
from churn_spark.contracts.tables import SNAPSHOTS
from churn_spark.features.user_days import build_user_days
from churn_spark.features.windows import ALL_DAYS, Trailing, lay_windows, sum_in
from churn_spark.lakehouse.schema import conform

_MILLIS_PER_HOUR = 3_600_000.0
_MILLIS_PER_DAY = 24 * _MILLIS_PER_HOUR
_DECAYED_WEEKS = 8
_MAXIMA = (*PROFILE_FIELDS, "last_ts", "level_changed_ts", "gap_days", "last_active_date")


def build_snapshots(
    session_days: DataFrame, as_of_dates: Collection[date], active_days: int
) -> DataFrame:
    """The population as of each date, with every feature that follows from the log.

    Population: users with a logged-in event in `[D - active_days, D)` who have not cancelled
    before D.

    Grain: (as_of, user_id).
    """
    history = build_user_history(session_days, as_of_dates)
    is_active = F.date_diff("as_of", "last_active_date") <= active_days
    has_left = F.coalesce(F.to_date("cancel_ts") < F.col("as_of"), F.lit(False))
    return build_features(history.filter(is_active & ~has_left))


def build_lifetime_snapshots(session_days: DataFrame, as_of: date) -> DataFrame:
    """Everybody ever seen before the date, those who cancelled included, with every feature.

    Only for the retrospective label: it describes the past, it forecasts nothing.

    Grain: (as_of, user_id).
    """
    history = build_user_history(session_days, [as_of])
    return build_features(history.filter(F.col("last_active_date").isNotNull()))


def build_user_history(session_days: DataFrame, as_of_dates: Collection[date]) -> DataFrame:
    """What each user has done before each date: sums in windows and the newest known profile.

    Grain: (as_of, user_id) for users with any row before the date.
    """
    is_active = F.col("n_events") > 0
    user_days = build_user_days(session_days).withColumn(
        "last_active_date", F.when(is_active, F.col("event_date"))
    )
    sums = {pair for feature in SNAPSHOT_FEATURES for pair in _sums_of(feature)}
    history = lay_windows(user_days, as_of_dates, sums, _MAXIMA, ["cancel_ts"])
    log_start = session_days.agg(F.min("event_date").alias("log_start"))
    return history.crossJoin(F.broadcast(log_start))


def build_features(history: DataFrame) -> DataFrame:
    """The declared features from sums and profile.

    Grain: that of `history`, (as_of, user_id).
    """
    features = [
        _EXPRESSIONS[feature.aggregate](feature).cast(feature.data_type).alias(feature.name)
        for feature in SNAPSHOT_FEATURES
    ]
    return conform(history.select("as_of", "user_id", *features), SNAPSHOTS)


def _sums_of(feature: Feature) -> list[tuple[str, Trailing]]:
    """The sums that a feature is made of."""
    window, source = Trailing.days(feature.days), feature.source
    sources = {
        "sum": [(source, window)],
        "week": [(source, Trailing.week(feature.days))],
        "ratio": [(name, window) for name in (source, feature.per) if name != "exposure"],
        "if_level": [(source, window), (feature.per, window)],
        "surprise": [(source, window), (source, ALL_DAYS)],
        "silence": [(source, ALL_DAYS)],
        "decayed": [(source, week) for week in _weeks(_DECAYED_WEEKS)],
        "kinds": [(page, window) for page in PAGE_COUNTS],
        "gap_spread": [(name, ALL_DAYS) for name in ("gap_days", "squared_gap_days", "n_gaps")],
        "relative_gap": [(name, ALL_DAYS) for name in ("gap_days", "n_gaps")],
    }
    moving = [(source, week) for week in _weeks(TREND_WEEKS)]
    sources |= {"trend": moving, "slope": moving, "spread": moving}
    return sources.get(feature.aggregate, [])


def _weeks(n: int) -> list[Trailing]:
    return [Trailing.week(number) for number in range(1, n + 1)]


def _weekly(feature: Feature, n: int) -> list[Column]:
    """Sums of the last weeks, the newest first."""
    return [sum_in(feature.source, week) for week in _weeks(n)]


def _total(columns: list[Column]) -> Column:
    return reduce(add, columns)


def _sum(feature: Feature) -> Column:
    total = sum_in(feature.source, Trailing.days(feature.days))
    return total if feature.scale == 1.0 else total / feature.scale


def _week(feature: Feature) -> Column:
    return sum_in(feature.source, Trailing.week(feature.days))


def _ratio(feature: Feature) -> Column:
    window = Trailing.days(feature.days)
    per = _exposure(feature) if feature.per == "exposure" else sum_in(feature.per, window)
    above = sum_in(feature.source, window) + feature.prior * feature.prior_weight
    below = per + feature.prior_weight
    return F.when(below > 0, above * feature.scale / below)


def _decayed(feature: Feature) -> Column:
    weeks = _weekly(feature, _DECAYED_WEEKS)
    return _total([week / 2.0**age for age, week in enumerate(weeks)])


def _trend(feature: Feature) -> Column:
    newest, *before = _weekly(feature, TREND_WEEKS)
    return (newest + 1.0) / (_total(before) / float(len(before)) + 1.0)


def _slope(feature: Feature) -> Column:
    middle = (TREND_WEEKS - 1) / 2.0
    weights = [middle - age for age in range(TREND_WEEKS)]
    weeks = _weekly(feature, TREND_WEEKS)
    moments = [week * weight for week, weight in zip(weeks, weights, strict=True)]
    return _total(moments) / sum(weight**2 for weight in weights)


def _spread(feature: Feature) -> Column:
    weeks = _weekly(feature, TREND_WEEKS)
    mean = _total(weeks) / float(TREND_WEEKS)
    variance = _total([(week - mean) * (week - mean) for week in weeks]) / float(TREND_WEEKS)
    return F.sqrt(variance) / (mean + 1.0)


def _kinds(feature: Feature) -> Column:
    window = Trailing.days(feature.days)
    return _total([(sum_in(page, window) > 0).cast("long") for page in PAGE_COUNTS])


def _exposure(_: Feature) -> Column:
    begin = F.greatest(F.col("log_start").cast("timestamp"), _profile_column("registered_ts"))
    return F.greatest(_millis_since(begin) / _MILLIS_PER_DAY, F.lit(0.0))


def _mean_gap() -> Column:
    n = sum_in("n_gaps", ALL_DAYS)
    return F.when(n > 0, sum_in("gap_days", ALL_DAYS) / n)


def _gap_spread(_: Feature) -> Column:
    n, days = sum_in("n_gaps", ALL_DAYS), sum_in("gap_days", ALL_DAYS)
    # In whole numbers, so that equal gaps give exactly 0.
    return F.when(n > 0, F.sqrt(n * sum_in("squared_gap_days", ALL_DAYS) - days * days) / n)


def _relative_gap(feature: Feature) -> Column:
    return _millis_since(F.col(feature.source)) / _MILLIS_PER_DAY / (_mean_gap() + 1.0)


def _last(feature: Feature) -> Column:
    return _profile_column(feature.source)


def _days_since(feature: Feature) -> Column:
    is_profile = any(feature.source in columns for columns in PROFILE_FIELDS.values())
    instant = _profile_column(feature.source) if is_profile else F.col(feature.source)
    return _millis_since(instant) / _MILLIS_PER_DAY


def _hours_since(feature: Feature) -> Column:
    return _millis_since(F.col(feature.source)) / _MILLIS_PER_HOUR


def _surprise(feature: Feature) -> Column:
    recent = sum_in(feature.source, Trailing.days(feature.days))
    before = sum_in(feature.source, ALL_DAYS) - recent
    exposure = F.greatest(_exposure(feature) - feature.days, F.lit(0.0))
    rate = (before + feature.prior * feature.prior_weight) / (exposure + feature.prior_weight)
    expected = rate * feature.days
    return (recent - expected) / F.sqrt(expected + 0.5)


def _silence(feature: Feature) -> Column:
    return _ratio(feature) * _millis_since(F.col("last_ts")) / _MILLIS_PER_DAY


def _cycle(feature: Feature) -> Column:
    days = _days_since(feature)
    return days - F.floor(days / feature.days) * feature.days


def _if_level(feature: Feature) -> Column:
    is_level = F.coalesce(_profile_column("level") == feature.level, F.lit(False))
    return F.when(is_level, _ratio(feature)).otherwise(0.0)


def _millis_since(instant: Column) -> Column:
    as_of_seconds = F.unix_seconds(F.col("as_of").cast("timestamp"))
    return as_of_seconds * 1000 - F.unix_millis(instant)


def _profile_column(name: str) -> Column:
    field = next(field for field, columns in PROFILE_FIELDS.items() if name in columns)
    return F.col(f"{field}.{name}")


_EXPRESSIONS: dict[Aggregate, Callable[[Feature], Column]] = {
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
    "longest": lambda feature: F.col(feature.source),
    "last": _last,
    "days_since": _days_since,
    "hours_since": _hours_since,
    "relative_gap": _relative_gap,
    "if_level": _if_level,
    "surprise": _surprise,
    "silence": _silence,
    "cycle": _cycle,
}
