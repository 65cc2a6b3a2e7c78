"""Backtests of long ago, and repeated ones: forgotten with their rows and runs.

So are the rows of a killed one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date as Date
from typing import Any, Final

import pandas as pd
from pyspark.sql import Row

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
_FIGURE: Final = ["cell", "segment", "model", "versus", "metric"]
"""What names a figure of a backtest."""
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
    forgotten = _delete_rows(lakehouse, lambda run_id: run_id not in kept)
    logged = registry.logged_runs()
    old = [
        run
        for run in logged.find_left(_LOGGED)
        if Date.fromisoformat(run.data.tags["date"]) < first and run.info.run_id not in kept
    ]
    logged.forget(old)
    return len(forgotten.union(run.info.run_id for run in old))


def forget_repeated(lakehouse: Lakehouse, registry: ModelRegistry) -> int:
    """Forget backtests of which the newest one says the same: its date, model card and figures.

    They are made by runs on a log that doesn't move, and never get old there.

    Returns:
        How many backtests that were.
    """
    runs = lakehouse.collect_rows(BACKTEST_RUNS)
    newest = newest_backtest(runs)
    if newest is None:
        return 0
    alike = [run for run in runs if run is not newest and _said_of(run) == _said_of(newest)]
    figures = _read_figures(lakehouse, newest.run_id) if alike else pd.DataFrame()
    repeated = {
        run.run_id
        for run in alike
        # The card doesn't tell how often users were drawn anew. A killed call has left no figures.
        if (others := _read_figures(lakehouse, run.run_id)).empty or others.equals(figures)
    }
    # First what is found by the rows, which a killed call leaves to the next one.
    logged = registry.logged_runs()
    logged.forget(run for run in logged.find_left(_LOGGED) if run.info.run_id in repeated)
    _delete_rows(lakehouse, lambda run_id: run_id in repeated)
    return len(repeated)


def _delete_rows(lakehouse: Lakehouse, is_gone: Callable[[str], bool]) -> set[str]:
    """Delete the rows of some backtests; returns the ids of those that had any."""
    forgotten: set[str] = set()
    for spec in _TABLES:
        gone = set(filter(is_gone, lakehouse.partition_values(spec, "run_id")))
        lakehouse.replace_rows([], spec, {"run_id": sorted(gone)})
        forgotten |= gone
    return forgotten


def _said_of(run: Row) -> tuple[Date, dict[str, Any]]:
    """Its date, and its model card without the id that no other has."""
    return run.date, {**json.loads(run.card), "run_id": None}


def _read_figures(lakehouse: Lakehouse, run_id: str) -> pd.DataFrame:
    figures = lakehouse.read_rows(BACKTEST_FIGURES, {"run_id": [run_id]}).drop(columns="run_id")
    return figures.sort_values(_FIGURE, ignore_index=True)
