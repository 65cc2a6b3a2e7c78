"""The backtests that are kept: which of them is the newest."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Row


def newest_backtest(runs: Iterable[Row]) -> Row | None:
    """The one of some rows of `backtest_runs` that was made last; none of none."""
    # Those of older releases have no number.
    return max(runs, key=lambda run: (run.number or 0, run.date, run.run_id), default=None)
