"""Events -> transitions: which page followed which, counted by user and date."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churn_spark.contracts.pages import (
    LEVELS,
    SILENCE_MILLIS,
    VISIT_AUTHS,
    VISIT_END,
    VISIT_START,
    Page,
)
from churn_spark.contracts.tables import TRANSITIONS
from churn_spark.lakehouse.schema import conform

_COLUMNS = ("user_id", "session_id", "event_ts", "item_in_session", "page", "level", "event_hash")


def build_transitions(events: DataFrame) -> DataFrame:
    """Count the pages that follow each other within a visit.

    A visit opens with `START` -> its first page and closes with its last page -> `END`. A
    transition belongs to the date on which it is known: that of the next page, or of the end of
    the silence that proves there is none. So what is known before a date never changes later.
    Nothing follows a Cancellation Confirmation. An event that was delivered twice counts once.

    Grain: (user_id, event_date, level, page, next_page).

    Raises:
        SchemaError: if a column that the counts need has another type.
    """
    in_visit = Window.partitionBy("user_id", "session_id").orderBy(
        "event_ts", F.coalesce("item_in_session", F.lit(0)), "page", "event_hash"
    )
    is_gone = F.col("page") == Page.CANCELLATION_CONFIRMATION
    steps = (
        events.filter(F.col("auth").isin(*VISIT_AUTHS) | is_gone)
        .select(*_COLUMNS)
        .distinct()
        .select(
            "user_id",
            "level",
            "page",
            F.unix_millis("event_ts").alias("millis"),
            F.lead("page").over(in_visit).alias("following"),
            F.unix_millis(F.lead("event_ts").over(in_visit)).alias("following_millis"),
            F.unix_millis(F.lag("event_ts").over(in_visit)).alias("preceding_millis"),
        )
    )
    wait = F.col("following_millis") - F.col("millis")
    goes_on = F.coalesce(wait <= SILENCE_MILLIS, F.lit(False))
    opens = F.coalesce(F.col("millis") - F.col("preceding_millis") > SILENCE_MILLIS, F.lit(True))
    proof = F.col("millis") + SILENCE_MILLIS
    closing = (
        F.when(goes_on, _step("page", F.col("following"), wait, F.col("following_millis")))
        .when(~is_gone, _step("page", F.lit(VISIT_END), F.lit(0), proof))
        .otherwise(None)
    )
    opening = F.when(opens, _step(F.lit(VISIT_START), F.col("page"), F.lit(0), F.col("millis")))
    counted = (
        steps.select("user_id", "level", F.explode(F.array(opening, closing)).alias("step"))
        .filter(F.col("step").isNotNull() & F.col("level").isin(*LEVELS))
        .select("user_id", "level", "step.*")
        .groupBy("user_id", "event_date", "level", "page", "next_page")
        .agg(
            F.count(F.lit(1)).alias("n_transitions"),
            # Milliseconds as integers: their sum is exact in any order.
            F.sum("millis").alias("total_millis"),
        )
    )
    return conform(counted, TRANSITIONS)


def dates_to_rebuild(touched: Collection[date]) -> list[date]:
    """Dates whose transitions depend on events of the given dates: those and the next ones.

    Raises:
        OverflowError: if a date is the last there is.
    """
    return sorted({day + timedelta(days=n) for day in touched for n in (0, 1)})


def dates_to_read(rebuilt: Collection[date]) -> list[date]:
    """Dates whose events the transitions of the given dates depend on: those and the days before.

    Raises:
        OverflowError: if a date is the first there is.
    """
    return sorted({day - timedelta(days=n) for day in rebuilt for n in (0, 1)})


def _step(page: Column | str, next_page: Column, millis: Column, known: Column) -> Column:
    """One transition: the time it took, and the date of the moment at which it is known."""
    return F.struct(
        (F.col(page) if isinstance(page, str) else page).alias("page"),
        next_page.alias("next_page"),
        millis.cast("long").alias("millis"),
        F.to_date(F.timestamp_millis(known)).alias("event_date"),
    )
