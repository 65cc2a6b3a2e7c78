"""Tables of the lakehouse -> the rows that leak checks read, real and with another future."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churn_spark.config import TrainingConfig
from churn_spark.contracts.tables import SESSION_DAYS, TRANSITIONS
from churn_spark.lakehouse.schema import conform
from churn_spark.leakage.table import TEST, TRAIN
from churn_spark.models.splits import VALIDATION, bucket_column, split_of_users
from churn_spark.timeline import MILLIS_PER_DAY

_ECHO_DAYS = 28
_SAMPLE_SEED = 11
# Of the number that orders profile fields: milliseconds times this, plus the item.
_SEEN_PER_MILLI = 1_000_000
_COUNTS = [
    c.name for c in SESSION_DAYS.columns if c.name.startswith("n_") or c.name == "listened_micros"
]
_INSTANTS = ("first_ts", "last_ts", "cancel_ts")
_SEEN = [c.name for c in SESSION_DAYS.columns if c.name.endswith("_seen")]


def sample_users(rows: DataFrame, share: float) -> DataFrame:
    """The rows of a share of the users, by hash: the same users in every table.

    Grain: that of `rows`.
    """
    return rows.filter(bucket_column(F.col("user_id"), _SAMPLE_SEED) < share)


def build_leak_rows(snapshots: DataFrame, labels: DataFrame, config: TrainingConfig) -> DataFrame:
    """Snapshots with `label` and `split`: what a training fits on is train, the rest test.

    Grain: (as_of, user_id).
    """
    part = split_of_users(F.col("user_id"), config)
    return snapshots.join(
        labels.select("as_of", "user_id", "label"), ["as_of", "user_id"], "left"
    ).withColumn("split", F.when(part == VALIDATION, TEST).otherwise(TRAIN))


def build_event_spans(session_days: DataFrame, as_of_dates: Collection[date]) -> DataFrame:
    """The instants between which each user is seen, before each date and after it.

    Grain: (as_of, user_id) for users with an event before the date. `registered_ts` as it was
    known before the date; `first_ts`, `last_ts`, `next_ts`: oldest and newest event before it,
    oldest one from it on; `final_ts`, `cancel_ts`: newest event and first confirmation of all.
    """
    dates = F.explode(F.array(*[F.lit(day) for day in sorted(as_of_dates)]))
    rows = session_days.withColumn("as_of", dates)
    is_before = F.col("event_date") < F.col("as_of")
    spans = rows.groupBy("as_of", "user_id").agg(
        F.max_by(
            F.when(is_before, F.col("registered_ts")),
            F.when(is_before, F.col("registration_seen")),
        ).alias("registered_ts"),
        F.min(F.when(is_before, F.col("first_ts"))).alias("first_ts"),
        F.max(F.when(is_before, F.col("last_ts"))).alias("last_ts"),
        F.min(F.when(~is_before, F.col("first_ts"))).alias("next_ts"),
        F.max("last_ts").alias("final_ts"),
        F.min("cancel_ts").alias("cancel_ts"),
    )
    return spans.filter(F.col("first_ts").isNotNull())


def poison_session_days(session_days: DataFrame, as_of: date) -> DataFrame:
    """The session days with everything at or after a date changed, and nothing before it.

    A third of the users lose their later rows. The others have other counts, another profile
    and a cancellation in them. What everybody did in the four weeks before the date comes again
    in the four weeks after it, changed likewise, so that nobody is without a future.

    Grain: as in `session_days`; an echo may share its key with a row that is there.
    """
    before = session_days.filter(F.col("event_date") < F.lit(as_of))
    later = session_days.filter((F.col("event_date") >= F.lit(as_of)) & _stays())
    echo = before.filter(F.date_add("event_date", _ECHO_DAYS) >= F.lit(as_of))
    changed = _with_other_content(later.unionByName(_moved(echo, _ECHO_DAYS)))
    return conform(before.unionByName(changed), SESSION_DAYS)


def poison_transitions(transitions: DataFrame, as_of: date) -> DataFrame:
    """The transitions with everything at or after a date changed likewise.

    Grain: as in `transitions`; an echo may share its key with a row that is there.
    """
    before = transitions.filter(F.col("event_date") < F.lit(as_of))
    later = transitions.filter((F.col("event_date") >= F.lit(as_of)) & _stays())
    echo = before.filter(F.date_add("event_date", _ECHO_DAYS) >= F.lit(as_of))
    moved = echo.withColumn("event_date", F.date_add("event_date", _ECHO_DAYS))
    changed = later.unionByName(moved).withColumns(
        {
            "level": _other_level(),
            "n_transitions": F.col("n_transitions") * 3 + 1,
            "total_millis": F.col("total_millis") * 3 + 1,
        }
    )
    return conform(before.unionByName(changed), TRANSITIONS)


def _stays() -> Column:
    """Two thirds of the users: the others lose their future."""
    return F.pmod(F.xxhash64("user_id"), F.lit(3)) > 0


def _other_level() -> Column:
    return F.when(F.col("level") == "paid", "free").otherwise("paid")


def _moved(rows: DataFrame, days: int) -> DataFrame:
    """The rows that many days later, all their instants likewise."""
    seen_later = F.lit(days * MILLIS_PER_DAY * _SEEN_PER_MILLI)
    return rows.withColumns(
        {
            "event_date": F.date_add("event_date", days),
            **{name: F.col(name) + F.make_dt_interval(F.lit(days)) for name in _INSTANTS},
            **{name: F.col(name) + seen_later for name in _SEEN},
        }
    )


def _with_other_content(rows: DataFrame) -> DataFrame:
    noon = F.timestamp_millis(
        F.unix_date("event_date").cast("long") * MILLIS_PER_DAY + MILLIS_PER_DAY // 2
    )
    profile: dict[str, Column] = {
        "level": _other_level(),
        "gender": F.when(F.col("gender") == "F", "M").otherwise("F"),
        "location": F.concat(F.lit("not "), F.coalesce("location", F.lit("known"))),
        "os": F.concat(F.lit("not "), F.coalesce("os", F.lit("known"))),
        "browser": F.concat(F.lit("not "), F.coalesce("browser", F.lit("known"))),
        "registered_ts": F.col("registered_ts") - F.make_dt_interval(F.lit(100)),
    }
    counts = {name: F.col(name) * 3 + 1 for name in _COUNTS}
    return rows.withColumns(
        {
            **counts,
            **profile,
            **{name: F.coalesce(F.col(name), noon) for name in _INSTANTS},
        }
    )
