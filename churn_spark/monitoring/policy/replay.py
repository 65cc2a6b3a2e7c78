"""The policy over stored nights: the same decisions again, and what others would have been.

A threshold assumes how much a service varies without harm, and past nights can show whether it
is right: `what_if` decides them again with other thresholds, and `calibrate` picks the most
sensitive ones that would not have retrained too often.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from scipy import stats

from churn_spark.config import PolicyConfig
from churn_spark.errors import ThresholdError
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy import adopt, decide, release
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState
from churn_spark.timeline import DAYS_PER_YEAR
from churn_spark.wording import count_of


@dataclass(frozen=True)
class Night:
    """The stored evidence of one night; one with a challenger may follow on the same date.

    Attributes:
        night: its date.
        evidence: what was known.
        champion: whose training rows the drift was measured from; none: the same as before.
    """

    night: date
    evidence: Evidence
    champion: str | None = None


@dataclass(frozen=True)
class Step:
    """One decision with the state before and after it, as the table `decisions` keeps them."""

    before: PolicyState
    decision: Decision
    after: PolicyState


@dataclass(frozen=True)
class Thresholds:
    """The two thresholds of a feature.

    Attributes:
        enter_lower_bound: lower bound of D from which it is breached.
        exit_statistic: D below which it no longer is.
    """

    enter_lower_bound: float
    exit_statistic: float


@dataclass(frozen=True)
class WhatIf:
    """What other thresholds would have done on the stored nights.

    Attributes:
        thresholds: the ones tried.
        retrainings: for drift.
        nights: judged.
        a_year: retrainings a year.
        a_year_high: upper 95 % bound of it, as a Poisson count: a quiet quarter promises
            nothing about a year.
    """

    thresholds: Thresholds
    retrainings: tuple[Decision, ...]
    nights: int
    a_year: float
    a_year_high: float


def replay(start: PolicyState, nights: Sequence[Night], config: PolicyConfig) -> Iterator[Step]:
    """Decide the stored nights again, in their order.

    Raises:
        PolicyError: if the nights are out of order, or compare with other champions.
    """
    state = start
    for stored in nights:
        after, decision = decide(state, stored.evidence, config, stored.night)
        yield Step(state, decision, after)
        state = after


def is_otherwise(stored: Decision, now: Decision) -> bool:
    """Whether other thresholds would have decided otherwise.

    No challenger is judged again, so a night on which one was is only another one where a
    retraining would have been asked for.
    """
    if stored.rule == "challenger":
        return now.kind == "retrain"
    return (stored.kind, stored.rule) != (now.kind, now.rule)


def decide_otherwise(
    start: PolicyState, nights: Sequence[Night], config: PolicyConfig
) -> Iterator[Decision]:
    """What other thresholds would have decided on the stored nights, one decision a night.

    The champions follow each other as they did, and no challenger is judged: no stored night
    tells what another model would have done. Each retraining counts as one in vain, without
    doubling the cooldown. A wait for a human ends at once: held nights would count as quiet.
    Thresholds are calibrated on the nights on which they were.

    Raises:
        PolicyError: if the nights are out of order.
    """
    state = start
    for stored in nights:
        if stored.evidence.challenger is not None:
            continue
        if stored.evidence.wander is not None:
            state, _ = decide(state, stored.evidence, config, stored.night)
            continue
        if stored.champion is not None and stored.champion != state.champion:
            state = adopt(state, stored.champion, config)
        if state.waits_for_human is not None:
            state = release(state)
        state, decision = decide(
            replace(state, pending=None),
            replace(stored.evidence, probation=None),
            config,
            stored.night,
        )
        yield decision


def what_if(
    thresholds: Thresholds, start: PolicyState, nights: Sequence[Night], config: PolicyConfig
) -> WhatIf:
    """Count the retrainings for drift that other thresholds would have asked for, always the same.

    Raises:
        PolicyError: if the nights are out of order.
        pydantic.ValidationError: if the thresholds don't fit each other.
    """
    other = PolicyConfig.model_validate(
        {
            **config.model_dump(),
            "enter_lower_bound": thresholds.enter_lower_bound,
            "exit_statistic": thresholds.exit_statistic,
            "self_calibrate": False,
        }
    )
    decisions = list(decide_otherwise(start, nights, other))
    asked = [d for d in decisions if (d.kind, d.rule) == ("retrain", "drift")]
    n_nights = len({decision.night for decision in decisions})
    years = n_nights / DAYS_PER_YEAR
    count = len(asked)
    high = float(stats.chi2.ppf(0.95, 2 * count + 2)) / 2
    per_year, per_year_high = (n / years if years else float("nan") for n in (count, high))
    return WhatIf(thresholds, tuple(asked), n_nights, per_year, per_year_high)


def calibrate(
    candidates: Sequence[Thresholds],
    start: PolicyState,
    harmless: Sequence[Night],
    config: PolicyConfig,
    max_false_alarms_a_year: float,
) -> tuple[Thresholds, tuple[WhatIf, ...]]:
    """The most sensitive thresholds that retrain rarely enough on nights known to be harmless.

    Args:
        candidates: to try; the lowest `enter_lower_bound` is the most sensitive.
        start: state before the first night.
        harmless: nights in which nothing happened that should retrain.
        config: everything but the thresholds.
        max_false_alarms_a_year: retrainings for drift a year, as counted.

    Returns:
        The thresholds, and what every candidate would have done, most sensitive first.

    Raises:
        ThresholdError: if there are no nights, or every candidate retrains too often.
    """
    order = sorted(candidates, key=lambda t: (t.enter_lower_bound, t.exit_statistic))
    tried = tuple(what_if(thresholds, start, harmless, config) for thresholds in order)
    for found in tried:
        if found.nights and found.a_year <= max_false_alarms_a_year:
            return found.thresholds, tried
    least = min((found.a_year for found in tried if found.nights), default=None)
    raise ThresholdError(
        f"found no quiet enough thresholds among {len(order)} on "
        f"{count_of(len(harmless), 'night')} (the "
        f"least: {'none' if least is None else f'{least:.2g}'} a year), expected at most "
        f"{max_false_alarms_a_year:g} a year: try higher thresholds, or more nights"
    )
