"""How long the list should be, and what a user's days and value are worth, for the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow.compute as pc

from churn_spark.config import MAX_LISTED, CostsConfig
from churn_spark.contracts.survival import (
    CAP_DAYS,
    EXPECTED_DAYS,
    SURVIVAL_DAYS,
    survival_columns,
)
from churn_spark.contracts.tables.ml import BY_VALUE
from churn_spark.evaluation.costs import break_even_offer
from churn_spark.evaluation.list_length import (
    ListPlan,
    describe_interval,
    describe_plan,
    plan_lists,
)
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.survival.checked import ENOUGH_CANCELS
from churn_spark.serving.users import Users
from churn_spark.wording import percent

_WIDTH, _HEIGHT, _MARGIN = 640.0, 220.0, 10.0
_ORDER: Final = [
    (name.removeprefix("-"), "descending" if name.startswith("-") else "ascending")
    for name in BY_VALUE
]


def describe_lengths(
    scored: Users,
    n_listed: int,
    bundle: ModelBundle | None,
    costs: CostsConfig,
    by_effect: float | None = None,
) -> dict[str, Any] | None:
    """What lists of several lengths would lead to; none where nobody is scored.

    Args:
        scored: of the date.
        n_listed: users on its list.
        bundle: the model of the scores, whose validation tells how sure they are; none if it is
            not the one in use.
        costs: of the two mistakes.
        by_effect: cancels expected on the date's list, if it is by effect; see `ListPlan`.
    """
    plan = _plan(scored, n_listed, bundle.n_checked if bundle else 0.0, costs, by_effect)
    if plan is None:
        return None
    return {
        "told": describe_plan(plan),
        "covers": describe_interval(plan),
        "lists": plan.lists,
        "chosen": plan.chosen,
        "best": plan.best,
        "is_in_use": plan.by_effect is None,
        "has_money": plan.costs is not None,
        "chart": draw_plan(plan),
    }


def draw_plan(plan: ListPlan) -> dict[str, Any]:
    """Points of the cancels reached, by the length of the list; the one in use is marked.

    Both axes are square roots: short lists are seen, and lists by chance stay a straight line.
    """
    top = max(one.reached.high for one in plan.lists) or 1.0

    def point(length: int, cancels: float) -> tuple[float, float]:
        right, up = math.sqrt(length / plan.longest), math.sqrt(cancels / top)
        x = _MARGIN + (_WIDTH - 2 * _MARGIN) * right
        return round(x, 1), round(_HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * up, 1)

    low, high = (
        [point(one.length, getattr(one.reached, end)) for one in plan.lists]
        for end in ("low", "high")
    )
    line = [point(one.length, one.reached.value) for one in plan.lists]
    marks = [
        place
        for place, one in zip(line, plan.lists, strict=True)
        if one.length == min(plan.chosen, plan.n_users)
    ]
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "line": _points(line),
        "band": _points([*high, *reversed(low)]),
        "chance": _points([point(0, 0.0), point(plan.longest, plan.by_chance)]),
        "marks": marks,
        "top": f"{top:,.0f} cancels",
        "first": "nobody",
        "last": f"{plan.longest:,} users",
    }


def describe_staying(
    row: Mapping[str, Any], bundle: ModelBundle | None, costs: CostsConfig, unit: str
) -> dict[str, Any] | None:
    """How long a user stays, what that rests on, and what an offer may cost; none if unknown.

    Args:
        row: of the scores; of an older release without these columns.
        bundle: the model of the row; none if it is not the one in use.
        costs: has the chance that an offer keeps a canceller.
        unit: of the value at risk, as `RetentionListConfig.value_unit`.
    """
    chances: list[Any] = [row.get(name) for name in survival_columns()]
    if None in chances or row.get(EXPECTED_DAYS) is None:
        return None
    checked = None if bundle is None else bundle.checked
    return {
        "chances": [
            (days, chance, _within(chance, checked.factors(days) if checked else None))
            for days, chance in zip(SURVIVAL_DAYS, chances, strict=True)
        ],
        "days": f"{row[EXPECTED_DAYS]:.0f} days",
        "cap": CAP_DAYS,
        "rests_on": describe_basis(bundle),
        "offer": describe_offer(row["value_at_risk"], costs, unit),
    }


def _within(chance: float, factors: tuple[float, float] | None) -> str:
    """The interval of a chance to stay whose hazard may have to be multiplied."""
    if factors is None:
        return "not validated"
    low, high = (percent(chance**factor) for factor in reversed(factors))
    return f"{low} to {high}"


def describe_basis(bundle: ModelBundle | None) -> str:
    """Up to which day the model's curves were held against what happened, and on how many users."""
    if bundle is None:
        return (
            "These figures are of a model that is not in use any more, or not here: how far they "
            "were validated is not known."
        )
    found = bundle.checked
    if found is None:
        return "These figures are extrapolated by the model and were never validated on the log."
    days, first = found.measured_days, int(found.days[0])
    if not days:
        return (
            "These figures are extrapolated by the model and not validated: of the users not used "
            f"for training, {found.up_to(first)[0]:,.0f} cancelled within {first} days; "
            f"{ENOUGH_CANCELS:.0f} are needed."
        )
    happened, expected = found.up_to(days)
    checked = (
        f"These figures were validated for up to {days} days, on users not used for training: "
        f"{happened:,.0f} of them cancelled, {expected:,.0f} were expected to. The 95 % intervals "
        "cover the uncertainty of the level of all users' probabilities, not what is particular to "
        "this user"
    )
    beyond = "Beyond, they are extrapolated and not validated"
    return f"{checked}." if days >= CAP_DAYS else f"{checked}. {beyond}."


def break_even_offers(rows: Sequence[Mapping[str, Any]], costs: CostsConfig) -> list[float] | None:
    """What an offer to each user of a list may cost; none while `costs` are placeholders."""
    if costs.are_placeholders:
        return None
    return [break_even_offer(row["value_at_risk"], costs) for row in rows]


def describe_offer(value_at_risk: float, costs: CostsConfig, unit: str) -> str:
    """What an offer to a user may cost at most, in words."""
    worth = break_even_offer(value_at_risk, costs)
    return (
        f"An offer is worth making if it costs less than {worth:.3g}: without one, "
        f"{value_at_risk:.3g} is lost on average within {CAP_DAYS} days, and it is assumed to keep "
        f"{percent(costs.offer_success)} of those who would cancel. Both figures are in {unit}."
    )


@lru_cache(maxsize=2)
def _plan(
    scored: Users, n_listed: int, n_checked: float, costs: CostsConfig, by_effect: float | None
) -> ListPlan | None:
    """Kept: the users of a date are sorted once, not at every request."""
    order = pc.sort_indices(scored.known, _ORDER)
    all_chances = np.asarray(scored.known["churn_probability"].to_numpy(), dtype=np.float64)
    chances = all_chances[order.to_numpy()[:MAX_LISTED]]
    everybody = len(all_chances), float(all_chances.sum())
    return plan_lists(chances, n_listed, n_checked, costs, everybody, by_effect)


def _points(places: list[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in places)
