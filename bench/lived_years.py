"""Simulated nights through the project's own policy, with thresholds that calibrate themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
from scipy import stats

from bench.drift_years import (
    N_GRID,
    N_USERS,
    Shares,
    World,
    distance,
    draw_baseline,
    draw_shares,
    expected_shares,
)
from churn_spark.arrays import Values
from churn_spark.config import PolicyConfig
from churn_spark.monitoring.drift.ks import benjamini_hochberg, half_band
from churn_spark.monitoring.policy.calibration import why_not
from churn_spark.monitoring.policy.evidence import DriftFact, Evidence, Wander
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import adopt, decide, release, start_policy
from churn_spark.monitoring.policy.policy_state import PolicyState
from churn_spark.monitoring.policy.triggers import is_drift_confirmed
from churn_spark.monitoring.policy.wander import (
    WINDOW_DAYS,
    Distances,
    beyond_chance,
    measure_wander,
    quiet_nights,
)

START = date(2024, 1, 1)
NEVER = 99
_WATCHED = 5
_LAGS = 1, 7
# Nights that are drawn at once: few, as a new champion draws them anew.
_BLOCK = 60


@dataclass
class LivedYears:
    """Nights and what the policy made of them.

    Attributes:
        world: the truth.
        shares: of each night, as drawn, up to the quantiles of the champion's training rows.
        entries: its decisions.
        states: before each night.
        baselines: the training rows before each night.
        levels: means of these, shape (features,).
        asked: numbers of the nights on which drift asked for a retraining.
        apart: night and lag -> how far its features are from the night so many before.
    """

    world: World
    shares: Shares
    entries: list[Entry] = field(default_factory=list)
    states: list[PolicyState] = field(default_factory=list)
    baselines: list[Shares] = field(default_factory=list)
    levels: list[Values] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    apart: dict[tuple[int, int], list[float]] = field(default_factory=dict)

    @property
    def n_calibrations(self) -> int:
        """Decisions about thresholds."""
        return sum(entry.decision.kind == "calibrate" for entry in self.entries)


def live(
    rng: np.random.Generator, world: World, config: PolicyConfig, *, renew: bool = False
) -> LivedYears:
    """Nights one by one. No challenger of the calendar is better than the champion.

    Args:
        rng: source of all draws.
        world: the population.
        config: the policy.
        renew: a retraining for drift brings a champion of that night's users; else it is in vain.
    """
    lived = LivedYears(world, np.empty((*world.means.shape, N_GRID - 1), dtype=np.float32))
    state, baseline = start_policy("1", START, config), draw_baseline(rng)
    level, n_counted = np.zeros(world.means.shape[1]), 0
    for number in range(len(world.means)):
        if number == n_counted:
            n_counted = _count(rng, lived, number, number, level)
        state = replace(state, pending=None)
        state = state if state.waits_for_human is None else release(state)
        lived.states.append(state)
        lived.baselines.append(baseline)
        lived.levels.append(level)
        evidence = _evidence(lived.shares[number], baseline, int(world.n_users[number]))
        state = _decide(lived, state, evidence, config, number)
        decision = lived.entries[-1].decision
        if (decision.kind, decision.rule) == ("retrain", "drift"):
            lived.asked.append(number)
            if renew:
                state = adopt(state, str(number), config)
                level = world.means[number]
                # A new champion counts the nights before in its own quantiles.
                first = max(0, number - WINDOW_DAYS - max(_LAGS))
                n_counted = _count(rng, lived, first, number, level)
                lived.apart.clear()
                baseline = lived.shares[number]
        if why_not(state, config, _night(number)) is None:
            state = _calibrate(lived, state, config, number)
    return lived


@dataclass(frozen=True)
class Found:
    """What became of a planted shift.

    Attributes:
        size: in SD.
        confirmed: after how many nights drift was confirmed, or `NEVER`.
        asked: after how many it asked for a retraining, or `NEVER`.
    """

    size: float
    confirmed: int
    asked: int


def find_shift(
    lived: LivedYears, number: int, feature: int, shift: float, config: PolicyConfig
) -> Found:
    """What the nights from one on make of a shift of one feature."""
    state, confirmed, asked = lived.states[number], NEVER, NEVER
    for later in range(number, number + _WATCHED):
        now, mean = lived.shares[later].copy(), lived.world.means[later, feature]
        now[feature] += expected_shares(mean + shift) - expected_shares(mean)
        evidence = _evidence(now, lived.baselines[number], int(lived.world.n_users[later]))
        # A scheduled challenger is in vain and judged the same night: the champion stays.
        before = replace(state, pending=None)
        state, decision = decide(before, evidence, config, _night(later))
        if is_drift_confirmed(state, config):
            confirmed = min(confirmed, later - number + 1)
        if (decision.kind, decision.rule) == ("retrain", "drift"):
            asked = min(asked, later - number + 1)
    return Found(shift, confirmed, asked)


def find_shifts(
    rng: np.random.Generator,
    years: Sequence[LivedYears],
    n_shifts: int,
    shift: float | None,
    config: PolicyConfig,
) -> Iterator[Found]:
    """Shifts on any night after the first calibration.

    Args:
        rng: chooses year, night and feature.
        years: harmless ones.
        n_shifts: how many.
        shift: its size; none: as small as the policy says that it would find.
        config: the policy.
    """
    for _ in range(n_shifts):
        lived = years[int(rng.integers(len(years)))]
        first = next(n for n, state in enumerate(lived.states) if state.calibration is not None)
        number = int(rng.integers(first, len(lived.states) - _WATCHED))
        feature = int(rng.integers(lived.world.means.shape[1]))
        calibration = lived.states[number].calibration
        assert calibration is not None
        size = calibration.of(_name(feature)).shift if shift is None else shift
        yield find_shift(lived, number, feature, size, config)


def count_plain(lived: LivedYears) -> tuple[int, int]:
    """Alarms, and nights with one, if every feature with p < .05 raised one."""
    bands = np.array([half_band(N_USERS, int(n)) for n in lived.world.n_users])
    fires = distance(lived.shares, np.stack(lived.baselines)) >= bands[:, None]
    return int(fires.sum()), int(fires.any(axis=1).sum())


def _decide(
    lived: LivedYears,
    state: PolicyState,
    evidence: Evidence,
    config: PolicyConfig,
    number: int,
) -> PolicyState:
    after, decision = decide(state, evidence, config, _night(number))
    lived.entries.append(Entry(0, decision, state, evidence, after, config))
    return after


def _calibrate(
    lived: LivedYears, state: PolicyState, config: PolicyConfig, number: int
) -> PolicyState:
    nights = quiet_nights(lived.entries, _night(number))
    if len(nights) < config.calibration_nights:
        return state
    numbers = [(night - _night(0)).days for night in nights]
    apart = {lag: {_night(n): _apart(lived, n, lag) for n in numbers if n >= lag} for lag in _LAGS}
    band = half_band(N_USERS, int(lived.world.n_users[number]))
    distances = {
        _name(feature): Distances(
            band, *({night: row[feature] for night, row in apart[lag].items()} for lag in _LAGS)
        )
        for feature in range(lived.world.means.shape[1])
    }
    wander = Wander(len(nights), measure_wander(distances))
    return _decide(lived, state, Evidence(N_USERS, wander=wander), config, number)


def _count(
    rng: np.random.Generator, lived: LivedYears, first: int, number: int, level: Values
) -> int:
    """Draw the shares of the nights from a first one on; returns the first that isn't drawn yet."""
    nights = slice(first, number + _BLOCK)
    world = lived.world
    part = World(world.means[nights] - level, world.n_users[nights], world.n_calm)
    lived.shares[nights] = draw_shares(rng, part)
    return number + _BLOCK


def _apart(lived: LivedYears, number: int, lag: int) -> list[float]:
    """How far each feature is from some nights before, beyond chance; found once for a night."""
    if (number, lag) not in lived.apart:
        before, now = (int(lived.world.n_users[n]) for n in (number - lag, number))
        found = distance(lived.shares[number], lived.shares[number - lag])
        lived.apart[number, lag] = [beyond_chance(d, before, now) for d in found.tolist()]
    return lived.apart[number, lag]


def _evidence(now: Shares, baseline: Shares, n_users: int) -> Evidence:
    """The facts of a night of equally important features."""
    distances = distance(now, baseline)
    band = half_band(N_USERS, n_users)
    p_values = stats.kstwobign.sf(distances * 1.358 / band)
    adjusted = benjamini_hochberg(p_values)
    facts = tuple(
        DriftFact(_name(i), float(d), max(0.0, float(d) - band), float(p), 1.0)
        for i, (d, p) in enumerate(zip(distances, adjusted, strict=True))
    )
    return Evidence(n_users, features=facts)


def _name(feature: int) -> str:
    return f"feature_{feature:02}"


def _night(number: int) -> date:
    return START + timedelta(days=number + 1)
