"""Labels that are due and have not arrived."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from churn_spark.monitoring.alerts.alerts import Finding
from churn_spark.monitoring.performance.arrival import describe_arrival


def find_in_labels(arrived: Sequence[Any]) -> tuple[Finding, ...]:
    """One finding, of the newest week whose labels have not all arrived; none where all have.

    Args:
        arrived: rows of `performance` of a night that tell how many labels have.
    """
    lacking = [row for row in arrived if row["value"] < 1]
    if not lacking:
        return ()
    newest = max(lacking, key=lambda row: row["window_start"])
    return (Finding("labels:missing", "warning", describe_arrival(newest)),)
