"""Shares of missing values and of zeros that have changed by little.

Such a change is too small for the thresholds of drift and of the data checks, but it is often the
first sign of a field that an app no longer sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from churn_spark.config import AlertsConfig
from churn_spark.monitoring.alerts.alerts import Finding

_KINDS = (("missing", "have no value"), ("zero", "are 0"))


def find_in_rates(drift: Iterable[Any], config: AlertsConfig) -> tuple[Finding, ...]:
    """A finding for each share that is surely another one than in the training rows.

    Args:
        drift: rows of `drift` of a night, of all users against training; what moves by
            construction doesn't count.
        config: how large a change must be, and how unlikely by chance.
    """
    return tuple(
        finding
        for row in sorted(drift, key=lambda row: str(row.feature))
        if not row.is_trending
        for finding in _findings_of(row, config)
    )


def _findings_of(row: Any, config: AlertsConfig) -> Iterator[Finding]:
    for kind, what in _KINDS:
        before, now, p_value = (
            row[f"{kind}_rate_baseline"], row[f"{kind}_rate_current"], row[f"{kind}_p_value"]
        )  # fmt: skip
        if None in (before, now, p_value):
            continue
        if abs(now - before) >= config.min_rate_change and p_value <= config.max_chance:
            sentence = f"{now:.1%} of {row.feature} {what}, {before:.1%} in the training rows"
            yield Finding(f"rate:{kind}:{row.feature}", "info", sentence)
