"""Events -> session days: about 70 events a row, so that all later work is small."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from churn_spark.contracts.features.sources import MAX_ITEM, PAGE_COUNTS, PROFILE_FIELDS
from churn_spark.contracts.pages import LOGGED_IN, Page
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.lakehouse.polars_schema import conform_polars

_COUNTS: Final = (*PAGE_COUNTS, "n_other_pages", "n_pageless", "n_logged_out")
"""What each event adds one to, by its number here."""


def build_session_days(events: pl.DataFrame) -> pl.DataFrame:
    """Roll events up to one row per user, session and UTC date.

    Grain: (user_id, session_id, event_date). A session that crosses midnight has two rows. An
    event that was delivered twice counts once. Everything but the cancellation is counted over
    logged-in events: the confirmation's own row has another `auth`, so it is read apart.

    Args:
        events: of `order_events`.

    Raises:
        SchemaError: if a column that the aggregates need has another type.
    """
    rows = _mark(events)
    is_song = pl.col("is_logged_in") & (pl.col("page") == Page.NEXT_SONG)
    # Visiting Cancel is the outcome that is to be foreseen, so it tells nothing of activity.
    is_activity = pl.col("is_logged_in") & (pl.col("page") != Page.CANCEL)
    is_confirmation = pl.col("page") == Page.CANCELLATION_CONFIRMATION
    measured = rows.select(
        "group",
        first=pl.col("row"),
        listened_micros=pl.when(is_song).then((pl.col("song_seconds") * 1e6).round()),
        first_ts=pl.when(is_activity).then("event_ts"),
        last_ts=pl.when(is_activity).then("event_ts"),
        cancel_ts=pl.when(is_confirmation).then("event_ts"),
        **{field: pl.when(_has(columns)).then("row") for field, columns in PROFILE_FIELDS.items()},
    )
    rolled_up = measured.group_by("group", maintain_order=True).agg(
        pl.col("first", "first_ts", "cancel_ts").min(),
        pl.col("last_ts", *PROFILE_FIELDS).max(),
        pl.col("listened_micros").cast(pl.Int64).sum(),
    )
    tied = _find_tied(rows)
    session_days = pl.concat(
        [
            events[rolled_up.get_column("first")].select("user_id", "session_id", "event_date"),
            _count_pages(rows, rolled_up.height),
            rolled_up.drop("group", "first", *PROFILE_FIELDS),
            *(_newest(rows, tied, rolled_up.get_column(field)) for field in PROFILE_FIELDS),
        ],
        how="horizontal",
    )
    # A table made again has its rows where they were: sums of floats over it depend on that.
    texts = session_days.cast({pl.Categorical: pl.String})
    return conform_polars(texts.sort("user_id", "session_id", "event_date"), SESSION_DAYS)


def _mark(events: pl.DataFrame) -> pl.DataFrame:
    """The events with their row's number and that of their session's day.

    `seen` orders events by time, then by position in the session.
    """
    is_new = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(name).shift()) for name in ("session", "event_date")
    )
    return events.with_columns(
        row=pl.int_range(pl.len()),
        group=is_new.cum_sum() - 1,
        is_logged_in=(pl.col("auth") == LOGGED_IN).fill_null(False),
        seen=pl.col("millis") * (MAX_ITEM + 1) + pl.min_horizontal("item", pl.lit(MAX_ITEM)),
    )


def _count_pages(rows: pl.DataFrame, n_groups: int) -> pl.DataFrame:
    """Logged-in events of each session's day: all of them, and by page."""
    number = {name: place for place, name in enumerate(_COUNTS)}
    pages = {page: number[name] for name, page in PAGE_COUNTS.items()}
    counted = (
        pl.when(~pl.col("is_logged_in"))
        .then(number["n_logged_out"])
        .when(pl.col("page").is_null())
        .then(number["n_pageless"])
        .otherwise(pl.col("page").replace_strict(pages, default=number["n_other_pages"]))
    )
    cells = rows.select(pl.col("group") * len(_COUNTS) + counted).to_series().to_numpy()
    counts = np.bincount(cells, minlength=n_groups * len(_COUNTS)).reshape(-1, len(_COUNTS))
    by_page = pl.DataFrame(counts, schema=_COUNTS)
    n_events = pl.sum_horizontal(pl.exclude("n_logged_out"))
    return by_page.with_columns(n_events=n_events).drop("n_pageless", "n_logged_out")


def _newest(rows: pl.DataFrame, tied: pl.DataFrame, last: pl.Series) -> pl.DataFrame:
    """Values of a profile field at the newest event that has it, and the order of that event.

    Where several share that order, the largest values are taken: the answer never depends on
    the order of rows.

    Args:
        rows: of `_mark`.
        tied: those of them that share their order with another.
        last: number of the last row that has the field, by session's day; named for the field.
    """
    columns = PROFILE_FIELDS[last.name]
    best = (
        tied.filter(_has(columns))
        .sort("group", "seen", *columns, nulls_last=False)
        .group_by("group", "seen")
        .agg(last=pl.col("row").max(), best=pl.col("row").last())
        .select("last", "best")
    )
    found = pl.DataFrame({"last": last}).join(best, on="last", how="left", maintain_order="left")
    places = found.select(pl.coalesce("best", "last")).to_series()
    told = rows.select(*columns, pl.col("seen").alias(f"{last.name}_seen"))
    return told.select(pl.all().gather(places))


def _has(columns: tuple[str, ...]) -> pl.Expr:
    """Whether an event tells a profile field."""
    return pl.col("is_logged_in") & pl.col(columns[0]).is_not_null()


def _find_tied(rows: pl.DataFrame) -> pl.DataFrame:
    same = pl.all_horizontal(pl.col(name) == pl.col(name).shift() for name in ("group", "seen"))
    return rows.filter(same.fill_null(False) | same.shift(-1, fill_value=False))
