"""Backtests of long ago: forgotten with their rows and runs, as are the rows of a killed one."""

from __future__ import annotations

from datetime import date as Date
from typing import Final

from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_RUNS,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.stores.backtests import newest_backtest
from churn_spark.timeline import days_after

_TABLES: Final = (BACKTEST_PREDICTIONS, BACKTEST_FIGURES, BACKTEST_IMPORTANCE, BACKTEST_RUNS)
"""With rows of each backtest, in the order in which it writes them."""
_LOGGED: Final = "attributes.run_name = 'backtest' and tags.date != '' and tags.cutoff != ''"


def forget_backtests(
    lakehouse: Lakehouse, registry: ModelRegistry, night: Date, keep_days: int
) -> int:
    """Forget backtests of dates before the last so many days but for the newest one.

    Rows of a run that `backtest_runs` doesn't name go, too: a backtest that was killed has left
    them, for none is at work while the lock is held here.

    Returns:
        How many backtests that were.
    """
    first = days_after(night, -keep_days)
    runs = lakehouse.collect_rows(BACKTEST_RUNS)
    newest = newest_backtest(runs)
    kept = {run.run_id for run in runs if run.date >= first or run is newest}
    forgotten: set[str] = set()
    for spec in _TABLES:
        gone = set(lakehouse.partition_values(spec, "run_id")) - kept
        lakehouse.replace_rows([], spec, {"run_id": sorted(gone)})
        forgotten |= gone
    logged = registry.logged_runs()
    old = [
        run
        for run in logged.find_left(_LOGGED)
        if Date.fromisoformat(run.data.tags["date"]) < first and run.info.run_id not in kept
    ]
    logged.forget(old)
    return len(forgotten.union(run.info.run_id for run in old))
