"""How long a list should be: what each length is expected to reach, to bother and to bring.

Users come in the order of the list. With calibrated probabilities the cancels among the first N are
a sum of independent trials, each with a chance of its own (a Poisson binomial). Its spread, and how
well the level of the probabilities is known, make the interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.config import CostsConfig
from churn_spark.evaluation.costs import break_even_probability
from churn_spark.evaluation.intervals import Interval
from churn_spark.wording import count_of, percent

_Z: Final = 1.959964
_STEPS: Final = (1, 2, 5)
_SHORTEST: Final = 10


@dataclass(frozen=True)
class PlannedList:
    """What a list of some length is expected to lead to; intervals are of 95 %.

    Attributes:
        length: users on it.
        reached: cancels among them, if nothing were done.
        bothered: users on it who would stay anyway.
        cost: of an offer to each; NaN where nobody has said what one costs.
        net: what offers keep less what they cost; NaN where nobody has said so.
    """

    length: int
    reached: Interval
    bothered: Interval
    cost: float
    net: Interval


@dataclass(frozen=True)
class ListPlan:
    """Lists of several lengths, and the one that is in use.

    Attributes:
        lists: the shortest first.
        chosen: length of the list in use; 0: none.
        n_users: who are scored; more than the longest list has where lists can't have them all.
        n_cancels: expected among them.
        best: the length of the largest net value; 0 where no offer pays, or nobody has said what
            they cost.
        n_checked: cancels that the level of the probabilities was checked on; 0: unknown.
        costs: what the mistakes cost; none where nobody has said.
        by_effect: cancels expected among the users of the list in use, where that is ordered by
            what listing saves: it has other users than these lists, which are by value at risk.
    """

    lists: tuple[PlannedList, ...]
    chosen: int
    n_users: int
    n_cancels: float
    best: int
    n_checked: int
    costs: CostsConfig | None
    by_effect: float | None = None

    @property
    def longest(self) -> int:
        """Users on the longest list."""
        return self.lists[-1].length

    @property
    def by_chance(self) -> float:
        """Cancels expected among as many users drawn at random as the longest list has."""
        return self.n_cancels * self.longest / self.n_users


def plan_lists(
    probabilities: Floats,
    chosen: int,
    n_checked: float,
    costs: CostsConfig,
    scored: tuple[int, float] | None = None,
    by_effect: float | None = None,
) -> ListPlan | None:
    """What lists of several lengths lead to; none where there is nobody to list.

    Args:
        probabilities: calibrated, in the order of the list, shape (users,).
        chosen: length of the list in use; it is among the lengths.
        n_checked: cancels that the level of the probabilities was checked on; 0: unknown.
        costs: money is left out while they are placeholders.
        scored: users, and the cancels expected among them, where these are only the first of them.
        by_effect: cancels expected on the list in use, if it isn't by value at risk.
    """
    if not len(probabilities):
        return None
    prices = None if costs.are_placeholders else costs
    means = np.append(0.0, np.cumsum(probabilities))
    variances = np.append(0.0, np.cumsum(probabilities * (1.0 - probabilities)))
    level = means**2 / n_checked if n_checked > 0 else 0.0
    spreads = _Z * np.sqrt(variances + level)
    lengths = _lengths(len(probabilities), chosen)
    lists = [_plan(n, float(means[n]), float(spreads[n]), prices) for n in lengths]
    best = 0 if prices is None else int(np.argmax(_net(np.arange(len(means)), means, prices)))
    n_users, total = scored or (len(probabilities), float(means[-1]))
    checked = int(n_checked)
    return ListPlan(tuple(lists), chosen, n_users, total, best, checked, prices, by_effect)


def describe_plan(plan: ListPlan) -> str:
    """What the list in use is expected to reach, and which length is worth most."""
    parts = []
    for one in plan.lists:
        if one.length == plan.chosen:
            of_total = f"Of {plan.n_cancels:,.0f} cancellations expected in total,"
            users = count_of(one.length, "user")
            reached = (
                f"{one.reached.value:.1f} "
                f"(95 % interval {one.reached.low:.0f} to {one.reached.high:.0f})"
            )
            if plan.by_effect is None:
                parts.append(f"{of_total} the list of {users} is expected to contain {reached}.")
            else:
                parts.append(
                    f"{of_total} a list of {users} by value at risk would be expected to contain "
                    f"{reached}. The list in use is by effect, has other users, and is expected to "
                    f"contain {plan.by_effect:.1f}."
                )
    if plan.costs is None:
        parts.append("To see what each length is worth, set `costs` in the configuration.")
    elif plan.best:
        pays = percent(break_even_probability(plan.costs), 1)
        parts.append(
            f"The net value is largest with {count_of(plan.best, 'user')}: an offer is worth its "
            f"cost from a probability of {pays} upwards."
        )
    else:
        parts.append("No offer is worth its cost: list nobody.")
    return " ".join(parts)


def describe_interval(plan: ListPlan) -> str:
    """What the intervals cover, and what not."""
    covered = "who happens to cancel"
    if plan.n_checked:
        covered += (
            " and how well the level of the probabilities could be validated, on "
            f"{count_of(plan.n_checked, 'cancellation')} of users not used for training"
        )
    return (
        f"The 95 % intervals cover {covered}; not what changes after the date. Counted are "
        "cancellations in the prediction window if nothing is done, among all scored users, the "
        "most value at risk first, including those who may not be contacted."
    )


def _lengths(n_users: int, chosen: int) -> list[int]:
    tens = range(1, 1 + max(1, math.ceil(math.log10(max(n_users, _SHORTEST)))))
    found = {step * 10**power for power in tens for step in _STEPS}
    return sorted({one for one in found if one < n_users} | {n_users, min(chosen, n_users)} - {0})


def _plan(n: int, mean: float, spread: float, costs: CostsConfig | None) -> PlannedList:
    ends = mean - spread, mean, mean + spread
    low, high = max(math.floor(ends[0]), 0), min(math.ceil(ends[2]), n)
    bothered = Interval(n - mean, float(n - high), float(n - low))
    reached = Interval(mean, float(low), float(high))
    if costs is None:
        nothing = Interval(math.nan, math.nan, math.nan)
        return PlannedList(n, reached, bothered, math.nan, nothing)
    net = Interval(*(float(_net(n, found, costs)) for found in (mean, low, high)))
    return PlannedList(n, reached, bothered, costs.wasted_offer * n, net)


def _net(n: Ints | int, reached: Floats | float, costs: CostsConfig) -> Floats:
    worth = costs.missed_cancel * costs.offer_success
    return np.asarray(worth * np.asarray(reached) - costs.wasted_offer * np.asarray(n))
