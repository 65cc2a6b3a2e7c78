"""Shares of missing values and of zeros that have changed by little.

Such a change is too small for the thresholds of drift and of the data checks, but it is often the
first sign of a field that an app no longer sends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from churn_spark.config import AlertsConfig
from churn_spark.monitoring.alerts.alerts import Finding
from churn_spark.wording import name_some

KIND: Final = "rate:"
"""How the keys of these findings begin."""
_KINDS: Final = {"missing": "values are missing", "zero": "values are 0"}
_NAMED: Final = 3


def find_in_rates(drift: Iterable[Any], config: AlertsConfig) -> tuple[Finding, ...]:
    """What has surely another share of missing values, or of zeros, than the training rows.

    Args:
        drift: rows of `drift` of a night, of all users against training; what moves by
            construction doesn't count.
        config: how large a change must be, and how unlikely by chance.
    """
    rows = sorted((r for r in drift if not r.is_trending), key=lambda row: str(row.feature))
    return tuple(finding for kind in _KINDS for finding in _findings_of(kind, rows, config))


def _findings_of(kind: str, rows: Sequence[Any], config: AlertsConfig) -> Iterator[Finding]:
    """One finding, however many features there are; none without any."""
    changed = [row for row in rows if _has_changed(kind, row, config)]
    if changed:
        told = [
            f"{row.feature} ({row[f'{kind}_rate_current']:.1%}, "
            f"was {row[f'{kind}_rate_baseline']:.1%})"
            for row in changed
        ]
        more = f"more or fewer {_KINDS[kind]} than in the training rows"
        sentence = f"{more}: {name_some(told, _NAMED)}"
        yield Finding(f"{KIND}{kind}", "info", sentence)


def _has_changed(kind: str, row: Any, config: AlertsConfig) -> bool:
    before, now, p_value = (
        row[f"{kind}_rate_baseline"], row[f"{kind}_rate_current"], row[f"{kind}_p_value"]
    )  # fmt: skip
    if None in (before, now, p_value):
        return False
    return bool(abs(now - before) >= config.min_rate_change and p_value <= config.max_chance)
