"""Transitions -> how often each user went through each cell: whole numbers, exact in any order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from churn_spark.arrays import Floats
from churn_spark.contracts.tables import TRANSITION_TOTALS
from churn_spark.hashing import content_hash
from churn_spark.lakehouse.polars_schema import polars_schema_of
from churn_spark.models.behaviour.cells import (
    CANCEL,
    LEVELS,
    N_CELLS,
    OTHER,
    SHAPE,
    SOURCES,
    START,
    TARGETS,
)

CELLS_FINGERPRINT: Final = content_hash([LEVELS, SOURCES, TARGETS])
"""Counts that are stored are of the same cells only where it is equal."""


def no_counts() -> pl.DataFrame:
    """The counts before a log began: of nobody."""
    return pl.DataFrame(schema=polars_schema_of(TRANSITION_TOTALS))


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
    counts = sum_counts(stack_counts(transitions, totals))
    return counts.sort("user_id", "cell").with_columns(**cut).select(TRANSITION_TOTALS.column_names)


def sum_counts(counts: pl.DataFrame) -> pl.DataFrame:
    """The counts with one row for each user and cell."""
    return counts.group_by("user_id", "cell").agg(pl.col("n_transitions", "total_millis").sum())


def stack_counts(transitions: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    """Counts of the days from a cut on below those of the days before: a cell may come again."""
    since = count_cells(transitions)
    return pl.concat([totals.select(since.columns), since])


@dataclass(frozen=True)
class CellSums:
    """What some users did before a date; all of length users.

    Attributes:
        weighted: their transitions by each weight of the cells, shape (users, weights).
        visits: how many.
        visit_millis: time within them.
    """

    weighted: Floats
    visits: Floats
    visit_millis: Floats


def sum_cells(counts: pl.DataFrame, user_ids: pl.Series, weights: Floats) -> CellSums:
    """Sum users' transitions, weighed by their cells, and their visits.

    Cells are added up as whole numbers first and weighed in their order, so the sums don't depend
    on the rows that a count comes from. Transitions to and from Cancel are left out: they are the
    outcome that is to be foreseen.

    Args:
        counts: `user_id`, `cell`, `n_transitions`, `total_millis`; any number of rows a cell.
        user_ids: the users, each once.
        weights: of the cells, shape (weights, N_CELLS).
    """
    users = pl.DataFrame({"user_id": user_ids}).with_row_index("user")
    known = counts.join(users, "user_id")

    def by_user(column: str) -> csr_matrix:
        values = known[column].to_numpy().astype(np.float64)
        places = known["user"].to_numpy(), known["cell"].to_numpy()
        found = csr_matrix((values, places), shape=(len(user_ids), N_CELLS))
        found.sum_duplicates()
        return found

    n_transitions = by_user("n_transitions")
    return CellSums(
        weighted=n_transitions @ np.where(_TELLS, weights, 0.0).T,
        visits=n_transitions @ (_TELLS & _BEGINS).astype(np.float64),
        visit_millis=by_user("total_millis") @ _TELLS.astype(np.float64),
    )


def _cells_where(source: str | None = None, target: str | None = None) -> NDArray[np.bool_]:
    """Which cells come from a page, or lead to one; shape (N_CELLS,)."""
    found = np.zeros(SHAPE, dtype=np.bool_)
    if source is not None:
        found[:, SOURCES.index(source), :] = True
    if target is not None:
        found[:, :, TARGETS.index(target)] = True
    return found.ravel()


_TELLS: Final = ~_cells_where(CANCEL, CANCEL)
_BEGINS: Final = _cells_where(START)


def _place(names: tuple[str, ...], column: str) -> pl.Expr:
    """The number of a page in a list; of `OTHER` where it isn't in it."""
    places = {str(name): place for place, name in enumerate(names)}
    other = names.index(OTHER)
    return pl.col(column).replace_strict(places, default=other, return_dtype=pl.Int32)
