"""The tables: layer, grain, columns with their meaning. The contract between all jobs."""

from __future__ import annotations

from churn_spark.contracts.tables.bronze import EVENTS, FILES, QUARANTINE
from churn_spark.contracts.tables.gold import BEHAVIOUR, BUILT_DATES, LABELS, SNAPSHOTS
from churn_spark.contracts.tables.ml import (
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_ROWS,
    BACKTEST_RUNS,
    RETENTION_LISTS,
    SCORES,
    TRAINING_ROWS,
    VALIDATION_SCORES,
)
from churn_spark.contracts.tables.monitoring import (
    ALERTS,
    DATA_CHECKS,
    DECISIONS,
    DRIFT,
    DRIFT_CELLS,
    PERFORMANCE,
    RUNS,
)
from churn_spark.contracts.tables.silver import (
    EVENT_DAYS,
    LOG_DATES,
    SESSION_DAYS,
    TRANSITION_TOTALS,
    TRANSITIONS,
    USER_TOTALS,
)
from churn_spark.contracts.tables.table import Column, TableSpec

TABLES = (
    FILES,
    EVENTS,
    QUARANTINE,
    SESSION_DAYS,
    USER_TOTALS,
    TRANSITIONS,
    TRANSITION_TOTALS,
    EVENT_DAYS,
    LOG_DATES,
    SNAPSHOTS,
    BEHAVIOUR,
    LABELS,
    BUILT_DATES,
    TRAINING_ROWS,
    BACKTEST_ROWS,
    VALIDATION_SCORES,
    SCORES,
    RETENTION_LISTS,
    DATA_CHECKS,
    DRIFT_CELLS,
    DRIFT,
    PERFORMANCE,
    DECISIONS,
    ALERTS,
    BACKTEST_RUNS,
    BACKTEST_PREDICTIONS,
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    RUNS,
)
"""All tables, in the order of the flow."""

__all__ = [
    "ALERTS",
    "BACKTEST_FIGURES",
    "BACKTEST_IMPORTANCE",
    "BACKTEST_PREDICTIONS",
    "BACKTEST_ROWS",
    "BACKTEST_RUNS",
    "BEHAVIOUR",
    "BUILT_DATES",
    "DATA_CHECKS",
    "DECISIONS",
    "DRIFT",
    "DRIFT_CELLS",
    "EVENTS",
    "EVENT_DAYS",
    "FILES",
    "LABELS",
    "LOG_DATES",
    "PERFORMANCE",
    "QUARANTINE",
    "RETENTION_LISTS",
    "RUNS",
    "SCORES",
    "SESSION_DAYS",
    "SNAPSHOTS",
    "TABLES",
    "TRAINING_ROWS",
    "TRANSITIONS",
    "TRANSITION_TOTALS",
    "USER_TOTALS",
    "VALIDATION_SCORES",
    "Column",
    "TableSpec",
]
