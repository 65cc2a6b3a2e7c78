"""Transitions -> how often each user went through each cell: whole numbers, exact in any order."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from churn_spark.contracts.tables import TRANSITION_TOTALS
from churn_spark.features.local.schema import schema_of
from churn_spark.hashing import content_hash
from churn_spark.models.behaviour.cells import LEVELS, OTHER, SOURCES, TARGETS

CELLS_FINGERPRINT: Final = content_hash([LEVELS, SOURCES, TARGETS])
"""Counts that are stored are of the same cells only where it is equal."""


def no_counts() -> pl.DataFrame:
    """The counts before a log began: of nobody."""
    return pl.DataFrame(schema=schema_of(TRANSITION_TOTALS))


def count_cells(transitions: pl.DataFrame) -> pl.DataFrame:
    """The transitions with their cell in the place of level, page and next page.

    Grain: that of the table: a user may have a cell on many dates.
    """
    level = (pl.col("level") == LEVELS[1]).cast(pl.Int32)
    source, target = _place(SOURCES, "page"), _place(TARGETS, "next_page")
    cell = (level * len(SOURCES) + source) * len(TARGETS) + target
    return transitions.select("user_id", cell.alias("cell"), "n_transitions", "total_millis")


def add_counts(
    transitions: pl.DataFrame, totals: pl.DataFrame, before: date, made_of: str
) -> pl.DataFrame:
    """Counts of all transitions known before a later cut.

    Args:
        transitions: all from the totals' cut on, up to the later one.
        totals: of the days before.
        before: the later cut.
        made_of: what tells these totals from those of other days before that cut.

    Grain: (user_id, cell); the columns of `TRANSITION_TOTALS`.
    """
    cut = {"before": pl.lit(before), "made_of": pl.lit(made_of)}
    return (
        stack_counts(transitions, totals)
        .group_by("user_id", "cell")
        .agg(pl.col("n_transitions", "total_millis").sum())
        .sort("user_id", "cell")
        .with_columns(**cut)
        .select(TRANSITION_TOTALS.column_names)
    )


def stack_counts(transitions: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """Counts of the days from a cut on below those of the days before: a cell may come again."""
    since = count_cells(transitions)
    return pl.concat([totals.select(since.columns), since])


def _place(names: tuple[str, ...], column: str) -> pl.Expr:
    """The number of a page in a list; of `OTHER` where it isn't in it."""
    places = pl.Series(range(len(names)), dtype=pl.Int32)
    return pl.col(column).replace_strict(
        pl.Series(names), places, default=names.index(OTHER), return_dtype=pl.Int32
    )
