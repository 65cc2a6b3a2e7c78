"""Events -> transitions: which page followed which, counted by user and date."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from typing import Final

import polars as pl

from churn_spark.contracts.pages import (
    LEVELS,
    SILENCE_MILLIS,
    VISIT_AUTHS,
    VISIT_END,
    VISIT_START,
    Page,
)
from churn_spark.contracts.tables import TRANSITIONS
from churn_spark.lakehouse.polars_schema import conform_polars

_WHO: Final = ("user_id", "level")
_IS_GONE: Final = pl.col("page") == Page.CANCELLATION_CONFIRMATION


def build_transitions(events: pl.DataFrame) -> pl.DataFrame:
    """Count the pages that follow each other within a visit.

    A visit opens with `START` -> its first page and closes with its last page -> `END`. A
    transition belongs to the date on which it is known: that of the next page, or of the end of
    the silence that proves there is none. So what is known before a date never changes later.
    Nothing follows a Cancellation Confirmation: no page, though it may be reloaded, and no end. An
    event that was delivered twice counts once.

    Grain: (user_id, event_date, level, page, next_page).

    Args:
        events: of `order_events`.

    Raises:
        SchemaError: if a column that the counts need has another type.
    """
    visited = _find_neighbours(events).lazy()
    page = events.schema["page"]
    millis, none = pl.col("millis"), pl.lit(0, pl.Int64)
    opening = visited.filter("is_first").select(
        *_WHO, *_step(pl.lit(VISIT_START, page), pl.col("page"), none, known=millis)
    )
    is_here = pl.col("page").ne_missing(Page.CANCELLATION_CONFIRMATION)
    within = visited.filter(~pl.col("is_last") & is_here).select(
        *_WHO,
        *_step(pl.col("page"), pl.col("following"), pl.col("wait"), known=millis + pl.col("wait")),
    )
    closing = visited.filter(pl.col("is_last") & ~_IS_GONE).select(
        *_WHO, *_step(pl.col("page"), pl.lit(VISIT_END, page), none, known=millis + SILENCE_MILLIS)
    )
    counted = (
        pl.concat([opening, within, closing])
        .group_by(*_WHO, "event_date", "page", "next_page")
        .agg(
            n_transitions=pl.len().cast(pl.Int64),
            # Milliseconds as integers: their sum is exact in any order.
            total_millis=pl.col("millis").sum(),
        )
        .with_columns(pl.col(*_WHO, "page", "next_page").cast(pl.String))
        # A table made again has its rows where they were: sums of floats over it depend on that.
        .sort("user_id", "event_date", "level", "page", "next_page")
        .collect()
    )
    return conform_polars(counted, TRANSITIONS)


def _find_neighbours(events: pl.DataFrame) -> pl.DataFrame:
    """The events of visits with a known level: how long until the next, and whether it follows."""
    is_same = pl.col("session") == pl.col("session").shift()
    goes_on = (is_same & (pl.col("millis").diff() <= SILENCE_MILLIS)).fill_null(False)
    return (
        events.lazy()
        .filter(pl.col("auth").is_in(VISIT_AUTHS) | _IS_GONE)
        .select(
            *_WHO,
            "page",
            "millis",
            following=pl.col("page").shift(-1),
            wait=pl.col("millis").diff().shift(-1),
            is_first=~goes_on,
            is_last=~goes_on.shift(-1, fill_value=False),
        )
        .filter(pl.col("level").is_in(LEVELS))
        .collect()
    )


def _step(page: pl.Expr, next_page: pl.Expr, millis: pl.Expr, known: pl.Expr) -> list[pl.Expr]:
    """One transition: the time it took, and the date of the moment at which it is known."""
    return [
        page.alias("page"),
        next_page.alias("next_page"),
        millis.alias("millis"),
        pl.from_epoch(known, "ms").dt.date().alias("event_date"),
    ]


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
