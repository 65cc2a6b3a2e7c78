"""Entry thresholds that follow how much a population moves without harm. Pure.

A feature enters where its shift is further than its wander goes on so few nights a year that all
features together give at most the allowed number. Why the estimate is what it is: docs/adr/0043.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from statistics import median
from types import MappingProxyType

from scipy import special

from churn_spark.config import PolicyConfig
from churn_spark.monitoring.drift.ks import KOLMOGOROV_95
from churn_spark.monitoring.policy.evidence import FeatureWander, Wander
from churn_spark.monitoring.policy.policy_state import (
    Calibration,
    Decision,
    EntryThreshold,
    PolicyState,
)
from churn_spark.timeline import DAYS_PER_YEAR
from churn_spark.wording import count_of

# Median of a squared standard normal variable.
_MEDIAN_SQUARE = 0.455
# A shift that is forgotten in two weeks has moved by .787 of its variance after one.
_MEMORY = 1.2
# Of a sine of a week: mean square of the step to the next day, where the amplitude is 1.
_STEP = 0.377
# By which amplitude such a wander would be explained; a little more than its step of a day.
_STEP_OF_WANDER = 0.7
# A pair a week apart shares its nights' state with its neighbours: four pairs tell what one would.
_PAIRS_PER_DEGREE = 4
# All features together count as much as so many independent pairs of each.
_SHARED_DEGREES = 36
_ONE_IN_20 = 1.645
_DIGITS = 4


@dataclass(frozen=True)
class Lines:
    """Where a feature enters, and where it leaves.

    Attributes:
        enter: lower bound of D from which it has moved.
        leave: D below which it no longer has.
    """

    enter: float
    leave: float


def lines_of(feature: str, config: PolicyConfig, calibration: Calibration | None) -> Lines:
    """The lines of a feature: the configured ones, or those of this population.

    How much a population moves isn't known before the first calibration: until then only what is
    beyond any wander has moved. Entering and leaving stay in proportion.
    """
    if not config.self_calibrate:
        return Lines(config.enter_lower_bound, config.exit_statistic)
    wanted = config.max_enter_lower_bound if calibration is None else calibration.of(feature).enter
    enter = _within(wanted, config)
    return Lines(enter, config.exit_statistic * enter / config.enter_lower_bound)


def why_not(state: PolicyState, config: PolicyConfig, today: date) -> str | None:
    """Why the thresholds stay as they are tonight; none if they may be calibrated."""
    if not config.self_calibrate:
        return "thresholds are those of the configuration"
    known = state.calibration
    if known is not None and (today - known.night).days < config.calibrate_days:
        return f"calibrated on {known.night}"
    return why_frozen(state, config, today)


def why_frozen(state: PolicyState, config: PolicyConfig, today: date) -> str | None:
    """What looks like drift, or was treated as such; none where nothing does.

    Drift must not calibrate itself away, so thresholds are frozen from the first bad night until
    the newest nights were good, and until the cooldown after a retraining for it is over.
    """
    if any(state.bad_nights):
        return f"{count_of(sum(state.bad_nights), 'run')} with drift among the newest"
    if state.reactions and (today - state.reactions[-1]).days < config.cooldown_days:
        return f"a retraining was asked for on {state.reactions[-1]}"
    return None


def why_doubtful(state: PolicyState, config: PolicyConfig, today: date) -> str | None:
    """The same by the cooldown in force, which a challenger that was rejected has raised.

    It is asked before a night calibrates. The decision itself goes by the configured cooldown, as
    do those that are stored and replayed.
    """
    longest = max(config.cooldown_days, state.cooldown_days)
    return why_frozen(state, config.model_copy(update={"cooldown_days": longest}), today)


def calibrate(
    state: PolicyState, wander: Wander, config: PolicyConfig, today: date
) -> tuple[PolicyState, Decision]:
    """The state with the thresholds of this population, and the decision that says so."""
    held = why_not(state, config, today)
    if held is None and wander.n_nights < config.calibration_nights:
        held = f"{wander.n_nights} of {count_of(config.calibration_nights, 'run')} without drift"
    if held is None and not wander.features:
        held = "no feature has two runs without drift a week apart"
    if held is not None:
        return state, Decision(today, "hold", "frozen", f"not calibrated: {held}")
    # Drift that matters to nobody makes no bad night, and must not calibrate itself away either.
    before = state.calibration
    kept = {name: before.of(name) for name in state.breached} if before else {}
    found = find_thresholds(wander, config, today, kept)
    return replace(state, calibration=found), Decision(today, "calibrate", "wander", _say(found))


def find_thresholds(
    wander: Wander,
    config: PolicyConfig,
    today: date,
    kept: Mapping[str, EntryThreshold] = MappingProxyType({}),
) -> Calibration:
    """Thresholds at which wander alone retrains as rarely as allowed, within the bounds.

    More wander of any feature lowers the threshold of none, and the order of the features changes
    nothing.

    Args:
        wander: of the features that were measured.
        config: the bounds.
        today: date of the calibration.
        kept: thresholds of features that have moved; those of them that weren't measured keep it.
    """
    moves = wander.features
    own = [_own_variance(move) for move in moves]
    # fsum is correctly rounded, so the order of the features changes nothing.
    shared = math.fsum(own) / len(own)
    chance = config.max_false_retrains / DAYS_PER_YEAR / len(moves)
    thresholds = {move.feature: _threshold(move, shared, chance, config) for move in moves}
    typical = EntryThreshold(
        _within(round(median(one.enter for one in thresholds.values()), _DIGITS), config),
        round(median(one.shift for one in thresholds.values()), 2),
    )
    known = sorted({**kept, **thresholds}.items())
    others = {name: one for name, one in known if one.enter != typical.enter}
    spread = round(math.sqrt(shared * _MEMORY), _DIGITS)
    return Calibration(today, wander.n_nights, spread, typical, others)


def describe_thresholds(state: PolicyState, config: PolicyConfig, today: date) -> str:
    """Where features enter now, why, and how small a shift is still found; for a page."""
    if not config.self_calibrate:
        return (
            "a feature counts as drifted once the lower bound of its KS distance reaches "
            f"{config.enter_lower_bound:g}, until the distance is below {config.exit_statistic:g} "
            "(as configured)"
        )
    frozen = why_doubtful(state, config, today)
    held = f"; frozen: {frozen}" if frozen else ""
    if state.calibration is None:
        shift = smallest_shift(config.max_enter_lower_bound, 0.0, 0.0)
        return (
            f"default until there are {count_of(config.calibration_nights, 'run')} without drift: "
            "a feature counts as drifted once the lower bound of its KS distance reaches "
            f"{config.max_enter_lower_bound:g}; a shift below {shift:.2f} standard deviations is "
            f"not detected{held}"
        )
    return f"calibrated on {state.calibration.night}: {_say(state.calibration)}{held}"


def smallest_shift(enter: float, spread: float, band: float) -> float:
    """The shift in SD of a normal feature that is found in 95 of 100 cases.

    Args:
        enter: lower bound of D from which it has moved.
        spread: standard deviation of its wander and swing, in D.
        band: by how much the lower bound is below D.
    """
    distance = enter + band + _ONE_IN_20 * math.hypot(spread, _by_chance(band))
    # D of two normal distributions that are a shift apart is 2 * Phi(shift / 2) - 1.
    return round(2 * float(special.ndtri((1 + min(distance, 0.99)) / 2)), 2)


def _threshold(
    move: FeatureWander, shared: float, chance: float, config: PolicyConfig
) -> EntryThreshold:
    degrees = move.n_pairs / _PAIRS_PER_DEGREE
    total = _SHARED_DEGREES + degrees
    variance = (_SHARED_DEGREES * shared + degrees * _own_variance(move)) / total
    spread = math.sqrt(variance * _MEMORY)
    step = math.sqrt(max(0.0, move.nightly) / _STEP)
    amplitude = max(0.0, step - _STEP_OF_WANDER * spread)
    furthest = -float(special.stdtrit(total, chance / 2)) * math.hypot(
        spread, _by_chance(move.band)
    )
    # The training rows are of Mondays, which may lie at either end of the week's swing.
    wanted = furthest + 2 * amplitude - move.band
    enter = _within(round(wanted, _DIGITS), config)
    # Over all weekdays, the swing is as far from that of the Mondays as its amplitude.
    return EntryThreshold(enter, smallest_shift(enter, math.hypot(spread, amplitude), move.band))


def _own_variance(move: FeatureWander) -> float:
    """The variance of a feature's weekly wander, in D squared.

    Most users of a night were there a week before: what they have done in their life hardly moves,
    by less than two samples differ by chance. That is no wander, and no less than none either,
    which would take from the wander of others.
    """
    return max(0.0, move.weekly / _MEDIAN_SQUARE)


def _by_chance(band: float) -> float:
    """Standard error of D at a middle value, of the same rows as the band."""
    return band / KOLMOGOROV_95 / 2


def _within(enter: float, config: PolicyConfig) -> float:
    return min(max(enter, config.enter_lower_bound), config.max_enter_lower_bound)


def _say(found: Calibration) -> str:
    highest = max(found.others.items(), key=lambda one: one[1].enter, default=None)
    typical = (
        f"in {count_of(found.n_nights, 'run')} without drift the KS distances of the features "
        f"varied by {found.wander:.3f}; half of the features count as drifted from "
        f"{found.typical.enter:.3f} or less: a shift of {found.typical.shift:.2f} standard "
        "deviations would be detected within 3 runs"
    )
    if highest is None or highest[1].enter <= found.typical.enter:
        return typical
    name, threshold = highest
    return (
        f"{typical}; the highest threshold is that of {name}, {threshold.enter:.3f}: "
        f"{threshold.shift:.2f} standard deviations"
    )
