"""How often the policy cries wolf, and how soon it sees one: a part of `make bench-monitor`.

Simulated years of 22,000 users and 30 equally important features through the project's own
policy, with thresholds that calibrate themselves. Takes about a minute of one core.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bench.drift_years import (
    N_FEATURES,
    WANDER_SD,
    World,
    drift_slowly,
    grow_weekly,
    only_wander,
    swing_weekly,
    wander_in_half,
)
from bench.lived_years import NEVER, Found, LivedYears, count_plain, find_shifts, live
from bench.promises import holds
from churn_spark.config import PolicyConfig, load_config

NIGHTS = 365
SHIFT, WITHIN = 0.20, 3
MAX_A_YEAR, MIN_FOUND = 0.5, 0.95
DRIFT_YEARS, DRIFT_A_WEEK, MAX_AWAY = 10, 0.02, 0.3

MakeWorld = Callable[[np.random.Generator], World]


def say_years(console: Console, years: int = 12, shifts: int = 300) -> None:
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
        caption="Each year begins uncalibrated. Features alone: what the prediction does depends "
        "on the model.",
    )
    add_rates(table, rng, years, shifts, config)
    for n_drifting in (1, N_FEATURES):
        add_slow_drift(table, rng, n_drifting, config)
    console.print(table)


def add_rates(
    table: Table, rng: np.random.Generator, years: int, shifts: int, config: PolicyConfig
) -> None:
    """Retrainings in vain in harmless worlds, and which shifts are found in them."""
    fixed = config.model_copy(update={"self_calibrate": False})
    worlds: list[tuple[str, MakeWorld]] = [
        ("no drift at all", lambda rng: only_wander(rng, NIGHTS, 0.0)),
        (f"harmless wander of {WANDER_SD:.1%} of an SD", _wanders(1)),
        ("twice that wander", _wanders(2)),
        ("four times that wander", _wanders(4)),
        (
            "twice that wander in half of the features, the others calm",
            lambda rng: wander_in_half(rng, NIGHTS, 2 * WANDER_SD),
        ),
        ("a weekly swing of 10% of an SD", lambda rng: swing_weekly(rng, NIGHTS, 0.10)),
        ("a population that grows 3% a week", lambda rng: grow_weekly(rng, NIGHTS, 0.03)),
    ]
    for number, (name, make) in enumerate(worlds):
        lived = live_years(rng, name, make, years, config)
        rate = rate_of(lived)
        add_row(
            table,
            f"{name}: retrainings for drift a year, {years} years",
            f"at most {MAX_A_YEAR if number else 0:g}",
            f"{rate:.2f}",
            rate <= (MAX_A_YEAR if number else 0),
        )
        add_power(table, rng, lived, shifts, config)
        if number == 1:
            add_shift(table, rng, lived, shifts, config)
        if number < 2:
            alarms, nights = np.mean([count_plain(year) for year in lived], axis=0)
            add_beside(
                table,
                "p < .05 per feature: alarms a year",
                f"{alarms:,.0f} on {nights:,.0f} nights",
            )
        else:
            few = live_years(rng, name, make, max(1, years // 4), fixed)
            add_beside(table, f"without self-calibration, {len(few)} years", f"{rate_of(few):.2f}")


def share_confirmed(found: Sequence[Found]) -> float:
    """How many of the shifts were confirmed in time."""
    return float(np.mean([one.confirmed <= WITHIN for one in found]))


def add_power(
    table: Table,
    rng: np.random.Generator,
    lived: Sequence[LivedYears],
    shifts: int,
    config: PolicyConfig,
) -> None:
    """Which shift the policy says that it finds, and how many of these it does find."""
    found = list(find_shifts(rng, lived, shifts, None, config))
    size = np.mean([one.size for one in found])
    share = share_confirmed(found)
    add_beside(
        table,
        "the shift that it says it finds within 3 nights, and is found",
        f"{size:.2f} SD, {share:.1%}",
    )


def add_shift(
    table: Table,
    rng: np.random.Generator,
    lived: Sequence[LivedYears],
    shifts: int,
    config: PolicyConfig,
) -> None:
    """Shifts of the promised size."""
    found = list(find_shifts(rng, lived, shifts, SHIFT, config))
    share = share_confirmed(found)
    add_row(
        table,
        f"  {SHIFT} SD in one of {N_FEATURES} features: confirmed within 3 nights, {shifts} shifts",
        f"at least {MIN_FOUND:.0%}",
        f"{share:.1%}",
        share >= MIN_FOUND,
    )
    soon = float(np.mean([one.asked < NEVER for one in found]))
    add_row(
        table,
        "  and retrained for within 5, whatever the calendar has just asked for",
        f"at least {MIN_FOUND:.0%}",
        f"{soon:.1%}",
        soon >= MIN_FOUND,
    )


def add_slow_drift(
    table: Table, rng: np.random.Generator, n_drifting: int, config: PolicyConfig
) -> None:
    """Years of slow drift: how far the users get from the training rows before it is found."""
    world = drift_slowly(rng, DRIFT_YEARS * NIGHTS, DRIFT_A_WEEK, n_drifting)
    lived = live(rng, world, config, renew=True)
    away = np.abs(world.means - np.stack(lived.levels))[:, :n_drifting].mean(axis=1)
    furthest = float(away.max())
    add_row(
        table,
        f"{DRIFT_YEARS} years of slow drift, {DRIFT_A_WEEK} SD a week in {n_drifting} of "
        f"{N_FEATURES} features: never further away from training",
        f"at most {MAX_AWAY} SD",
        f"{furthest:.2f} SD, found {len(lived.asked)} times",
        furthest <= MAX_AWAY,
    )


def live_years(
    rng: np.random.Generator, name: str, make: MakeWorld, years: int, config: PolicyConfig
) -> list[LivedYears]:
    """Years of harmless nights, each from a first champion on who stays."""
    shown = track(range(years), name, transient=True, disable=not sys.stdout.isatty())
    return [live(rng, make(rng), config) for _ in shown]


def rate_of(years: Sequence[LivedYears]) -> float:
    """Retrainings for drift a year."""
    return sum(len(year.asked) for year in years) / len(years)


def add_row(table: Table, promise: str, expected: str, measured: str, is_so: bool) -> None:
    """Add a line that does or does not hold."""
    table.add_row(promise, expected, measured, holds(is_so))


def add_beside(table: Table, what: str, measured: str) -> None:
    """Add a line that is no promise."""
    table.add_row(f"  beside it, {what}", "", measured, "")


def _wanders(times: int) -> MakeWorld:
    return lambda rng: only_wander(rng, NIGHTS, times * WANDER_SD)
