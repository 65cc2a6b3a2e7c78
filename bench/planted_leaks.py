"""Twenty-five ways to let a churn model know the outcome, each planted in an honest table.

All are one careless line away, and most stand in published work on logs like these. Each entry
says how it comes about, and which check must find it in which column.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from bench.leaks_in_columns import LEAKS_IN_COLUMNS
from bench.leaks_in_rows import LEAKS_IN_ROWS
from bench.planting import Leak
from churn_spark.leakage.table import Finding

LEAKS: Final[tuple[Leak, ...]] = (*LEAKS_IN_COLUMNS, *LEAKS_IN_ROWS)


def is_caught(leak: Leak, findings: Collection[Finding]) -> bool:
    """Whether the check that must find the leak has named the column that it lies in."""
    return any((found.check, found.feature) == (leak.check, leak.feature) for found in findings)
