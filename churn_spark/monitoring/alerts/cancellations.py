"""More or fewer users cancel than in the weeks before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from churn_spark.config import AlertsConfig
from churn_spark.monitoring.alerts.alerts import Finding
from churn_spark.monitoring.performance.cancellations import describe_cancellations

_MORE = (
    "probabilities learnt from the weeks before are likely too low until the labels of these days "
    "are known"
)
_FEWER = "calls that keep users do that, and so does a log that lacks cancellations"


def find_in_cancellations(rows: Iterable[Any], config: AlertsConfig) -> tuple[Finding, ...]:
    """One finding where the rate has surely changed by as much as is configured; else none.

    Args:
        rows: of `performance`, that tell a night's cancellations; one at most.
        config: by how many times the rate must have changed, at least.
    """
    return tuple(
        Finding(
            f"cancellations:{'more' if is_more else 'fewer'}",
            "warning",
            f"{describe_cancellations(row)}; {_MORE if is_more else _FEWER}",
        )
        for row in rows
        for is_more, change in ((True, row["low"]), (False, _inverse(row["high"])))
        if change >= config.min_cancellation_change
    )


def _inverse(ratio: float) -> float:
    return 1 / ratio if ratio else float("inf")
