"""Counts of transitions by cell: the same sums from totals and the days since as from all days."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_spark.contracts.tables import TRANSITIONS
from churn_spark.lakehouse.polars_schema import polars_schema_of
from churn_spark.models.behaviour.cells import CANCEL, END, N_CELLS, START, cell_of
from churn_spark.models.behaviour.counts import (
    add_counts,
    count_cells,
    no_counts,
    stack_counts,
    sum_cells,
)
from tests.session_days import START as LOG_START

_USERS = pl.Series("user_id", ["b", "nobody", "a"])
_LOG_CHANCES = np.log(np.random.default_rng(3).dirichlet(np.ones(N_CELLS), size=3))
_PAGES = ("NextSong", "Home", "Downgrade", CANCEL, "A page of tomorrow")

_ROWS = st.fixed_dictionaries(
    {
        "event_date": st.integers(0, 40).map(lambda days: LOG_START + timedelta(days=days)),
        "user_id": st.sampled_from("ab"),
        "level": st.sampled_from(["free", "paid"]),
        "page": st.sampled_from([START, *_PAGES]),
        "next_page": st.sampled_from([*_PAGES, END, "Cancellation Confirmation"]),
        "n_transitions": st.integers(1, 1000),
        "total_millis": st.integers(0, 10**9),
    }
)
_KEY = ("event_date", "user_id", "level", "page", "next_page")
_LOGS = st.lists(_ROWS, max_size=30, unique_by=lambda row: tuple(row[name] for name in _KEY)).map(
    lambda rows: pl.DataFrame(rows, schema=polars_schema_of(TRANSITIONS))
)


def _between(log: pl.DataFrame, first: date, end: date) -> pl.DataFrame:
    return log.filter(pl.col("event_date").is_between(first, end, closed="left"))


def _sums(counts: pl.DataFrame) -> list[np.ndarray]:
    found = sum_cells(counts, _USERS, _LOG_CHANCES)
    return [found.weighted, found.visits, found.visit_millis]


@settings(max_examples=60)
@given(_LOGS, st.lists(st.integers(-2, 45), max_size=3))
def test_sums_are_the_same_from_totals_at_any_cuts(log: pl.DataFrame, days: list[int]) -> None:
    cuts = [LOG_START + timedelta(days=number) for number in sorted(set(days))]
    totals = no_counts()
    for first, before in zip([date.min, *cuts], cuts, strict=False):
        totals = add_counts(_between(log, first, before), totals, before, "")
    since = log.filter(pl.col("event_date") >= max(cuts, default=date.min))
    for found, expected in zip(
        _sums(stack_counts(since, totals)), _sums(stack_counts(log, no_counts())), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


@given(_LOGS)
def test_sums_are_those_of_a_loop_over_the_rows(log: pl.DataFrame) -> None:
    likelihoods, visits, millis = np.zeros((3, 3)), np.zeros(3), np.zeros(3)
    for row in log.rows(named=True):
        if CANCEL in (row["page"], row["next_page"]):
            continue
        user = _USERS.to_list().index(row["user_id"])
        cell = cell_of(row["level"], row["page"], row["next_page"])
        likelihoods[user] += row["n_transitions"] * _LOG_CHANCES[:, cell]
        visits[user] += row["n_transitions"] * (row["page"] == START)
        millis[user] += row["total_millis"]
    found = _sums(count_cells(log))
    np.testing.assert_allclose(found[0], likelihoods, rtol=1e-12)
    np.testing.assert_array_equal(found[1], visits)
    np.testing.assert_array_equal(found[2], millis)
