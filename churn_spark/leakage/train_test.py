"""Whether test rows share users, label windows or whole rows with the training rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd

from churn_spark.leakage.table import TEST, TRAIN, FeatureTable, Finding

_MAX_COPIES = 0.01


def check_sides(table: FeatureTable) -> Iterator[Finding]:
    """Users on both sides, label windows that reach into the test, rows that are there twice."""
    train, test = (table.rows[table.rows["split"] == side] for side in (TRAIN, TEST))
    if train.empty or test.empty:
        return
    if table.claim in ("users", "both"):
        yield from _find_shared_users(train, test)
    if table.claim in ("future", "both"):
        yield from _find_overlap(table, train, test)
    yield from _find_copies(table, train, test)


def _find_shared_users(train: pd.DataFrame, test: pd.DataFrame) -> Iterator[Finding]:
    shared = set(train["user_id"]) & set(test["user_id"])
    if shared:
        n_test = test["user_id"].nunique()
        yield Finding(
            "shared users",
            "split",
            len(shared),
            0,
            f"{len(shared):,} of {n_test:,} test users are learnt from as well: split by user, "
            "not by row",
        )


def _find_overlap(
    table: FeatureTable, train: pd.DataFrame, test: pd.DataFrame
) -> Iterator[Finding]:
    first_test = test["as_of"].min()
    latest_end = first_test - timedelta(days=table.horizon.gap_days)
    overlapping = [
        as_of for as_of in sorted(train["as_of"].unique()) if table.horizon.end(as_of) > latest_end
    ]
    if overlapping:
        days = (table.horizon.end(overlapping[-1]) - latest_end).days
        yield Finding(
            "overlapping windows",
            "split",
            days,
            0,
            f"the label window of training date {overlapping[-1]} ends on "
            f"{table.horizon.end(overlapping[-1])}, expected by {latest_end} (first test date "
            f"{first_test} less the gap): it tells what happens in the test",
        )


def _find_copies(table: FeatureTable, train: pd.DataFrame, test: pd.DataFrame) -> Iterator[Finding]:
    """Test rows whose every feature equals those of a training row of somebody else.

    Two people can have done the same, or nothing, so the limit is above the share of such rows
    among the training rows themselves.
    """
    names = list(table.features)
    hashes = pd.DataFrame(
        {
            "hash": pd.util.hash_pandas_object(train[names], index=False).to_numpy(),
            "user": train["user_id"].to_numpy(),
        }
    )
    n_owners = hashes.groupby("hash")["user"].nunique()
    usual = float(np.mean(n_owners.reindex(hashes["hash"]).to_numpy() > 1))
    tested = pd.util.hash_pandas_object(test[names], index=False)
    share = float(tested.isin(n_owners.index).mean())
    limit = _MAX_COPIES + 2 * usual
    if share > limit:
        yield Finding(
            "copies",
            "rows",
            share,
            limit,
            f"{share:.1%} of the test rows equal a training row in all {len(names)} features: "
            "the same people under other ids",
        )
