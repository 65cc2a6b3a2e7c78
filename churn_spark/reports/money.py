"""What the mistakes cost, and which threshold costs least."""

from __future__ import annotations

from churn_spark.config import CostsConfig
from churn_spark.evaluation.costs import (
    Policy,
    break_even_probability,
    compare_policies,
    cost_curve,
)
from churn_spark.evaluation.intervals import Interval
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.page import Block, Caution, Cell, Picture, Section, Table, Text
from churn_spark.reports.pictures import draw_costs
from churn_spark.reports.words import count, percent

_CAPACITIES = (0.10, 0.33)
_NAMES = {
    "nobody": "Contact nobody",
    "everybody": "Contact everybody",
    "break_even": "From break-even upwards",
    "capacity 10 %": "Top 10\u202f%",
    "capacity 33 %": "Top 33\u202f%",
    "f1": "Highest F1",
    "cheapest": "Lowest cost",
}


def costs_section(data: EvaluationData) -> Section:
    """The expected cost of each way to choose whom to contact."""
    rows, costs = data.primary_rows, data.costs
    if rows.empty:
        return Section("costs", "Costs", "There are no rows to weigh.", ())
    labels, probabilities = rows["label"].to_numpy(), rows["churn_probability"].to_numpy(float)
    curve = cost_curve(labels, probabilities, costs)
    policies = compare_policies(
        labels, probabilities, rows["user_id"].to_numpy(), costs, _CAPACITIES
    )
    marks = [
        (_NAMES[policy.name], policy.n_contacted / len(rows), policy.cost)
        for policy in policies
        if policy.name in ("break_even", "capacity 10 %", "capacity 33 %", "f1")
    ]
    share, cost = curve.n_contacted / len(rows), 1000 * curve.costs
    blocks: tuple[Block, ...] = (
        Text(
            f"Assumed: a cancellation costs {costs.missed_cancel:g}, an offer "
            f"{costs.wasted_offer:g} whoever gets it, and an offer keeps "
            f"{percent(costs.offer_success)} of the cancellers who get one. Set "
            "costs.missed_cancel, costs.wasted_offer and costs.offer_success to your own; only "
            "their ratio moves a threshold."
        ),
        *_success_caution(costs),
        Picture(
            draw_costs(share, cost, marks),
            "Expected cost per 1,000 users by the share contacted; the table has the values.",
            "Left: contacting nobody. Right: everybody. The lower the curve, the cheaper.",
        ),
        Table(
            f"Ways to choose whom of {len(rows):,} to contact; costs and savings per 1,000 "
            "users, in the unit of the assumed costs, 95 % intervals by user",
            (
                "Who is contacted",
                "Threshold",
                "Contacted",
                "Cancellers reached",
                "Cost",
                "Saved, compared with contacting nobody",
                "Saved, compared with contacting everybody",
            ),
            tuple(_row(policy, len(rows)) for policy in policies),
            note="Marked retrospective: chosen on the very rows it is judged on, so it looks "
            "better here than it will elsewhere.",
        ),
    )
    return Section("costs", "Costs", _answer(policies, costs), blocks)


def _success_caution(costs: CostsConfig) -> tuple[Caution, ...]:
    if costs.offer_success < 1:
        return ()
    return (
        Caution(
            "With a success of 100 % every canceller who gets an offer is kept, so every saving "
            "here is an upper bound. What an offer really keeps can only be measured by leaving "
            "some users at random without one."
        ),
    )


def _answer(policies: tuple[Policy, ...], costs: CostsConfig) -> str:
    own = next(policy for policy in policies if policy.name == "break_even")
    best = break_even_probability(costs)
    if best > 1:
        return "An offer costs more than the cancellation it could prevent: contact nobody."
    low, high = own.saved_on_nobody.low, own.saved_on_nobody.high
    text = (
        f"At these costs an offer is worth its cost from a probability of {percent(best, 1)} "
        f"upwards. Compared with contacting nobody that {_saves(own.saved_on_nobody.value)} per "
        "1,000 users"
    )
    if not low < high:
        return f"{text}."
    text = f"{text} (95 % interval: {_saves(low)} to {_saves(high)})"
    return f"{text}, no significant difference." if low <= 0 <= high else f"{text}."


def _saves(value: float) -> str:
    """`saves 12` or `costs 7 more`, in the unit of the assumed costs."""
    return f"costs {_money(-value)} more" if round(value) < 0 else f"saves {_money(value)}"


def _row(policy: Policy, n_rows: int) -> tuple[Cell, ...]:
    threshold = "—" if policy.threshold > 1 else f"{policy.threshold:.3f}"
    if policy.name == "everybody":
        threshold = "0"
    return (
        Cell(_NAMES[policy.name], "retrospective" if policy.is_hindsight else ""),
        Cell(threshold, tone="number"),
        Cell(percent(policy.n_contacted / n_rows, 1), tone="number"),
        count(policy.n_reached),
        Cell(_money(policy.cost), tone="number"),
        _saving(policy.saved_on_nobody),
        _saving(policy.saved_on_everybody),
    )


def _saving(saved: Interval) -> Cell:
    detail = f"{_money(saved.low)} to {_money(saved.high)}" if saved.low < saved.high else ""
    return Cell(_money(saved.value), detail, "number")


def _money(value: float) -> str:
    return f"{value:z,.0f}".replace("-", "−")
