"""What depends on events at or after the as-of date: nothing may."""

from __future__ import annotations

from collections.abc import Iterator

from churn_spark.leakage.table import KEY, FeatureTable, Finding, are_equal


def check_rebuilt(table: FeatureTable) -> Iterator[Finding]:
    """Features that differ after every event at or after the as-of date was changed."""
    if table.rebuilds is None:
        return
    before = table.rebuilds.before.set_index(KEY)[list(table.features)].sort_index()
    after = table.rebuilds.after.set_index(KEY)[list(table.features)].sort_index()
    shared = before.index.intersection(after.index)
    moved = len(before) + len(after) - 2 * len(shared)
    if moved:
        yield Finding(
            "future",
            "rows",
            moved,
            0,
            f"{moved:,} users enter or leave the population of a date when events at or after it "
            "change",
        )
    before, after = before.loc[shared], after.loc[shared]
    for name in table.features:
        if n := int((~are_equal(before[name], after[name])).sum()):
            share = n / max(len(shared), 1)
            yield Finding(
                "future",
                name,
                share,
                0,
                f"{name} of {share:.1%} of the rows changes when events at or after the as-of "
                "date change: it has seen the future",
            )
