"""How often the policy cries wolf, and how soon it sees one: a part of `make bench-monitor`.

Simulated years of 22,000 users and 30 equally important features through the project's own
policy. Takes about a minute and a half of one core.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.drift_years import (
    BAND,
    N_FEATURES,
    N_USERS,
    WANDER_SD,
    build_facts,
    draw_distances,
    wander,
)
from bench.promises import holds
from churn_spark.config import PolicyConfig, load_config
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy import decide, start_policy
from churn_spark.monitoring.policy.replay import Night, Thresholds, WhatIf, what_if
from churn_spark.monitoring.policy.triggers import is_drift_confirmed

NIGHTS, PLAIN_YEARS = 365, 2
SHIFT = 0.20
NEVER = 99
MAX_A_YEAR_NULL, MAX_A_YEAR_WANDER, MIN_FOUND = 0.0, 0.5, 0.95
START = date(2024, 1, 1)
# D at which an unadjusted test of two samples of this size has p = .05.
PLAIN_D = BAND


def draw_nights(
    rng: np.random.Generator, means: NDArray[np.float64], thresholds: list[float]
) -> NDArray[np.float64]:
    """D of every night and feature, each feature against its own baseline."""
    return np.stack([draw_distances(rng, column, thresholds) for column in means.T], axis=1)


def as_nights(distances: NDArray[np.float64]) -> list[Night]:
    """The stored evidence of consecutive nights."""
    return [
        Night(START + timedelta(days=number), Evidence(N_USERS, features=facts))
        for number, facts in enumerate(build_facts(distances), start=1)
    ]


def live_years(
    rng: np.random.Generator, years: int, wander_sd: float, config: PolicyConfig
) -> list[WhatIf]:
    """Years of harmless nights through the policy; each champion serves one year."""
    thresholds = [config.enter_lower_bound + BAND, config.exit_statistic]
    used = Thresholds(config.enter_lower_bound, config.exit_statistic)
    lived = []
    for _ in track(range(years), f"wander {wander_sd}", transient=True):
        means = wander(rng, NIGHTS, wander_sd)
        nights = as_nights(draw_nights(rng, means, thresholds))
        lived.append(what_if(used, start_policy("1", START, config), nights, config))
    return lived


def count_plain(rng: np.random.Generator, wander_sd: float) -> tuple[float, float]:
    """Alarms, and nights with one, a year, if every feature with p < .05 raised one."""
    means = [wander(rng, NIGHTS, wander_sd) for _ in range(PLAIN_YEARS)]
    fires = np.concatenate([draw_nights(rng, year, [PLAIN_D]) >= PLAIN_D for year in means])
    return fires.sum() / PLAIN_YEARS, fires.any(axis=1).sum() / PLAIN_YEARS


def find_shifts(
    rng: np.random.Generator, n_shifts: int, config: PolicyConfig
) -> tuple[list[int], list[int]]:
    """After how many nights each shift in one feature is confirmed, and retrained for, or NEVER.

    All features wander. The shift comes on any day of the week after the first training.
    """
    thresholds = [config.enter_lower_bound + BAND, config.exit_statistic]
    confirmed, asked = [], []
    for _ in track(range(n_shifts), "shifts", transient=True):
        first = int(rng.integers(4, 11))
        means = wander(rng, first + 6, WANDER_SD)
        means[first - 1 :, int(rng.integers(N_FEATURES))] += SHIFT
        state = start_policy("1", START, config)
        seen = retrained = NEVER
        for number, night in enumerate(as_nights(draw_nights(rng, means, thresholds)), start=1):
            state, decision = decide(state, night.evidence, config, night.night)
            if number >= first and is_drift_confirmed(state, config):
                seen = min(seen, number - first + 1)
            if number >= first and (decision.kind, decision.rule) == ("retrain", "drift"):
                retrained = min(retrained, number - first + 1)
            # A scheduled challenger is in vain and judged the same night: the champion stays.
            state = replace(state, pending=None)
        confirmed.append(seen)
        asked.append(retrained)
    return confirmed, asked


def say_years(console: Console, years: int = 20, shifts: int = 200) -> None:
    """Say what became of each promise, on years that nobody has seen before."""
    seed = int(np.random.default_rng().integers(2**32))
    rng = np.random.default_rng(seed)
    config = load_config().policy
    table = Table(
        "promise",
        "expected",
        "measured",
        "",
        title=f"The retraining policy, seed {seed}",
        caption="Features alone: what the prediction does depends on the model.",
    )
    for name, wander_sd, allowed in [
        ("no drift at all", 0.0, MAX_A_YEAR_NULL),
        (f"harmless wander of {WANDER_SD:.1%} of an SD", WANDER_SD, MAX_A_YEAR_WANDER),
    ]:
        rate = rate_of(live_years(rng, years, wander_sd, config))
        add_row(
            table,
            f"{name}: retrainings for drift a year, {years} years",
            f"at most {allowed:g}",
            f"{rate:.2f}",
            rate <= allowed,
        )
        alarms, nights = count_plain(rng, wander_sd)
        table.add_row(
            f"  beside it, p < .05 per feature: alarms a year, {PLAIN_YEARS} years",
            "",
            f"{alarms:,.0f} on {nights:,.0f} nights",
            "",
        )
    few = max(1, years // 4)
    rate = rate_of(live_years(rng, few, 2 * WANDER_SD, config))
    table.add_row(
        f"  and with twice that wander, {few} years: what calibrate() is for", "", f"{rate:.2f}", ""
    )
    confirmed, asked = find_shifts(rng, shifts, config)
    share = float(np.mean(np.array(confirmed) <= 3))
    mean_nights = float(np.mean([nights for nights in confirmed if nights < NEVER]))
    add_row(
        table,
        f"{SHIFT} SD in one of {N_FEATURES} features: confirmed within 3 nights, {shifts} shifts",
        f"at least {MIN_FOUND:.0%}",
        f"{share:.1%}, mean {mean_nights:.2f} nights",
        share >= MIN_FOUND,
    )
    soon = float(np.mean(np.array(asked) <= 5))
    add_row(
        table,
        "  and retrained for within 5, whatever the calendar has just asked for",
        f"at least {MIN_FOUND:.0%}",
        f"{soon:.1%}",
        soon >= MIN_FOUND,
    )
    console.print(table)


def rate_of(years: list[WhatIf]) -> float:
    """Retrainings for drift a year."""
    return sum(len(year.retrainings) for year in years) / len(years)


def add_row(table: Table, promise: str, expected: str, measured: str, is_so: bool) -> None:
    """Add a line that does or does not hold."""
    table.add_row(promise, expected, measured, holds(is_so))
