"""The backtests that are kept: which of them is the newest."""

from __future__ import annotations

from collections.abc import Iterable

from pyspark.sql import Row


def newest_backtest(runs: Iterable[Row]) -> Row | None:
    """The newest of some rows of `backtest_runs`, the one that pages tell of; none of none."""
    return max(runs, key=lambda run: (run.date, run.run_id), default=None)
