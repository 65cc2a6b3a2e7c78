"""The backtests that are kept, in the order in which they were made."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Row


def newest_backtest(runs: Iterable[Row]) -> Row | None:
    """Of rows of `backtest_runs` the one that was made last, which pages tell of; none of none.

    Those of older releases have no number: of these the one of the newest date.
    """
    return max(runs, key=lambda run: (run.number or 0, run.date, run.run_id), default=None)


def next_number(runs: Iterable[Row]) -> int:
    """The number of a backtest that is newer than those of some rows of `backtest_runs`."""
    return 1 + max((run.number or 0 for run in runs), default=0)
