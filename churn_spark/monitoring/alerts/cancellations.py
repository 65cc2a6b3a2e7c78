"""More or fewer users cancel than in the weeks before."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from churn_spark.config import AlertsConfig
from churn_spark.monitoring.alerts.alerts import Finding
from churn_spark.monitoring.performance.cancellations import describe_cancellations

KIND: Final = "cancellations:"
"""How the keys of these findings begin."""
_MORE: Final = "probabilities are likely too low until a model has learnt from these days"
_FEWER: Final = "calls that keep users do that, and so does a log that lacks cancellations"


def find_in_cancellations(rows: Iterable[Any], config: AlertsConfig) -> tuple[Finding, ...]:
    """One finding where the rate has surely changed by as much as is configured; else none.

    Args:
        rows: of `performance`, that tell a night's cancellations; one at most.
        config: by how many times the rate must have changed, at least.
    """
    return tuple(
        Finding(
            f"{KIND}{'more' if is_more else 'fewer'}",
            "warning",
            f"{describe_cancellations(row)}; {_MORE if is_more else _FEWER}",
        )
        for row in rows
        for is_more, change in ((True, row["low"]), (False, _inverse(row["high"])))
        if change >= config.min_cancellation_change
    )


def _inverse(ratio: float | None) -> float:
    """Null stands for an infinite ratio."""
    return 0.0 if ratio is None else 1 / ratio if ratio else math.inf
