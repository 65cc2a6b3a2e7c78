"""Events -> session days: about 70 events a row, so that all later work is small."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.features.sources import MAX_ITEM, PAGE_COUNTS, PROFILE_FIELDS
from churn_spark.contracts.pages import LOGGED_IN, Page
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.lakehouse.schema import conform

_GRAIN = ("user_id", "session_id", "event_date")
_COLUMNS = (
    *_GRAIN,
    *("event_ts", "item_in_session", "page", "auth", "level", "song_seconds", "registered_ts"),
    *("gender", "location", "os", "browser", "event_hash"),
)


def build_session_days(events: DataFrame) -> DataFrame:
    """Roll events up to one row per user, session and UTC date.

    Grain: (user_id, session_id, event_date). A session that crosses midnight has two rows. An
    event that was delivered twice counts once. Everything but the cancellation is counted over
    logged-in events: the confirmation's own row has another `auth`, so it is read apart.

    Raises:
        SchemaError: if a column that the aggregates need has another type.
    """
    is_logged_in = F.col("auth") == LOGGED_IN
    counts = [
        F.count_if(is_logged_in & (F.col("page") == page)).alias(name)
        for name, page in PAGE_COUNTS.items()
    ]
    is_other_page = ~F.col("page").isin(*PAGE_COUNTS.values())
    song_micros = F.rint(F.col("song_seconds") * 1e6).cast("long")
    # Visiting Cancel is the outcome that is to be foreseen, so it tells nothing of activity.
    is_activity = is_logged_in & (F.col("page") != Page.CANCEL)
    is_confirmation = F.col("page") == Page.CANCELLATION_CONFIRMATION
    rolled_up = (
        # One shuffle serves both aggregations: the second finds its rows already together.
        # Equal records have equal columns, so `distinct` finds them, and stays a hash aggregation.
        events.select(*_COLUMNS)
        .repartition(*_GRAIN)
        .distinct()
        .groupBy(*_GRAIN)
        .agg(
            F.count_if(is_logged_in).alias("n_events"),
            *counts,
            F.count_if(is_logged_in & is_other_page).alias("n_other_pages"),
            F.coalesce(
                F.sum(F.when(is_logged_in & (F.col("page") == Page.NEXT_SONG), song_micros)),
                F.lit(0).cast("long"),
            ).alias("listened_micros"),
            F.min(F.when(is_activity, F.col("event_ts"))).alias("first_ts"),
            F.max(F.when(is_activity, F.col("event_ts"))).alias("last_ts"),
            *[
                _newest(columns, is_logged_in).alias(field)
                for field, columns in PROFILE_FIELDS.items()
            ],
            F.min(F.when(is_confirmation, F.col("event_ts"))).alias("cancel_ts"),
        )
    )
    profile = [
        column
        for field, columns in PROFILE_FIELDS.items()
        for column in (
            *(F.col(f"{field}.{name}").alias(name) for name in columns),
            F.col(f"{field}.seen").alias(f"{field}_seen"),
        )
    ]
    kept = [name for name in rolled_up.columns if name not in PROFILE_FIELDS]
    return conform(rolled_up.select(*kept, *profile), SESSION_DAYS)


def _newest(columns: tuple[str, ...], is_logged_in: Column) -> Column:
    """Struct of the newest event's values among those that have the first of the columns.

    `seen` orders events by time, then by position in the session; the values break what ties
    are left, so that the answer never depends on the order of rows.
    """
    item = F.least(F.coalesce(F.col("item_in_session"), F.lit(0)), F.lit(MAX_ITEM))
    seen = F.unix_millis("event_ts") * (MAX_ITEM + 1) + item
    has_value = is_logged_in & F.col(columns[0]).isNotNull()
    return F.max(F.when(has_value, F.struct(seen.alias("seen"), *map(F.col, columns))))
