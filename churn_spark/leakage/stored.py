"""Whether the rows that are kept are those that the log gives."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from churn_spark.leakage.table import KEY, FeatureTable, Finding, are_equal


def check_stored(table: FeatureTable) -> Iterator[Finding]:
    """Users and values of the table other than those that were built from the log anew.

    Of the tables beneath it, too: what is built of these is no better than they are.
    """
    yield from _find_other_sources(table)
    if table.rebuilds is None:
        return
    built = table.rebuilds.before.set_index(KEY).sort_index()
    is_rebuilt = table.rows["as_of"].isin(set(table.rebuilds.before["as_of"]))
    stored = table.rows[is_rebuilt].drop_duplicates(KEY).set_index(KEY).sort_index()
    yield from _find_other_users(table, stored.index, built.index)
    shared = stored.index.intersection(built.index)
    stored, built = stored.loc[shared], built.loc[shared]
    for name in table.features:
        if n := int((~are_equal(stored[name], built[name])).sum()):
            yield Finding(
                "stored",
                name,
                n / len(shared),
                0,
                f"{name} of {n / len(shared):.1%} of the rows is not what the log gives: it was "
                "built of another log or changed since; run `build_snapshots` for these dates",
            )


def _find_other_sources(table: FeatureTable) -> Iterator[Finding]:
    for source in table.sources:
        if n := source.n_strange + source.n_missing:
            yield Finding(
                "stored",
                source.table,
                n,
                0,
                f"{source.n_strange:,} rows of {source.table} are not what the events give, and "
                f"{source.n_missing:,} that they give are missing: it is older than the events or "
                f"was changed since; run `{source.job}`, or delete the table and run it",
            )


def _find_other_users(table: FeatureTable, stored: pd.Index, built: pd.Index) -> Iterator[Finding]:
    n_strange = len(stored.difference(built))
    # Where other dates are tested on than learnt from, each has some of its users only.
    n_missing = len(built.difference(stored)) if table.claim == "users" else 0
    if n := n_strange + n_missing:
        yield Finding(
            "stored",
            "rows",
            n,
            0,
            f"{n_strange:,} rows are of users who aren't in the population that the log gives, "
            f"and {n_missing:,} of its users have no row",
        )
