"""How much a population moves without harm, from the distances between its nights. Pure.

Half of the pairs are looked at, so that a step of the users, which few pairs see, changes little.
A week apart, so that the weekday is the same and the pair is close enough for a slow drift to have
gone but a small way. Nights and the newest ones before them tell of the weekdays: a population that
only wanders is closer to itself after a day than after a week.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from churn_spark.monitoring.policy.evidence import FeatureWander
from churn_spark.monitoring.policy.history import Entry

WINDOW_DAYS = 91
"""Nights that are looked back to: thirteen of each weekday."""

# Median of the squared Kolmogorov statistic: that of D**2 / (1/n + 1/m) without any difference.
_BY_CHANCE = 0.685


@dataclass(frozen=True)
class Distances:
    """Squared distances of one feature's nights, less what chance gives.

    Attributes:
        band: by how much the lower bound of D from the training rows is below D tonight.
        nightly: night -> from the newest night before, at most a week old.
        weekly: night -> from the same weekday before.
    """

    band: float
    nightly: dict[date, float]
    weekly: dict[date, float]


def beyond_chance(statistic: float, n_before: int, n_now: int) -> float:
    """D squared, less its median for two samples of one distribution."""
    return statistic**2 - _BY_CHANCE * (1 / n_before + 1 / n_now)


def quiet_nights(entries: Sequence[Entry], last: date) -> list[date]:
    """The judged nights of the window that were not bad: drift is no wander.

    Args:
        entries: all decisions.
        last: newest night of the window.
    """
    first = last - timedelta(days=WINDOW_DAYS - 1)
    quiet = set()
    for entry in entries:
        known, after = entry.evidence, entry.after
        if known is None or after is None or not first <= entry.decision.night <= last:
            continue
        is_judged = not known.failed_checks and known.measures_drift(entry.policy)
        if is_judged and after.bad_nights[-1:] == (False,):
            quiet.add(entry.decision.night)
    return sorted(quiet)


def measure_wander(distances: Mapping[str, Distances]) -> tuple[FeatureWander, ...]:
    """How each feature moves, sorted by name; one without a pair a week apart is left out.

    Args:
        distances: of quiet nights, by feature.
    """
    return tuple(
        FeatureWander(
            feature,
            len(pairs.weekly),
            median(pairs.weekly.values()),
            _by_weekday(pairs.nightly),
            pairs.band,
        )
        for feature, pairs in sorted(distances.items())
        if pairs.weekly
    )


def _by_weekday(nightly: Mapping[date, float]) -> float:
    """Mean over the weekdays of each one's median; 0 where no night has one within a week before.

    Where that isn't the day before, users have gone further, and the thresholds come out higher.
    """
    by_weekday: dict[int, list[float]] = {}
    for night, value in nightly.items():
        by_weekday.setdefault(night.weekday(), []).append(value)
    # fsum is correctly rounded, so the order of the nights changes nothing.
    medians = [median(values) for values in by_weekday.values()]
    return math.fsum(medians) / len(medians) if medians else 0.0
