"""How long the list should be: what lists of several lengths would lead to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import matplotlib as mpl

from churn_spark.evaluation.intervals import Interval
from churn_spark.evaluation.list_length import (
    ListPlan,
    PlannedList,
    describe_interval,
    describe_plan,
)
from churn_spark.reports.canvas import ACCENT, LINE, MUTED, ROOTS, STYLE, WARM, canvas
from churn_spark.reports.night.data import NightData
from churn_spark.reports.page import Cell, Picture, Section, Table


def lengths_sections(data: NightData) -> Iterator[Section]:
    """One section; none where the night has no scores."""
    plan = data.scored.plan
    if plan is None:
        return
    marked = frozenset(place for place, one in enumerate(plan.lists) if _is_chosen(one, plan))
    money = ("Cost", "Net value") if plan.costs else ()
    table = Table(
        "What a list of so many users is expected to lead to, with 95 % intervals",
        ("Users on the list", "Would cancel", "Would stay anyway", *money),
        tuple(_row(one, plan) for one in plan.lists),
        marked=marked,
        note=describe_interval(plan),
    )
    blocks = (_picture(plan), table)
    yield Section("lengths", "How long the list should be", describe_plan(plan), blocks)


def _is_chosen(one: PlannedList, plan: ListPlan) -> bool:
    return one.length == min(plan.chosen, plan.n_users)


def _row(one: PlannedList, plan: ListPlan) -> tuple[Cell, ...]:
    in_use = "in use" if plan.by_effect is None else "as long as the one in use"
    name = Cell(f"{one.length:,}", in_use if _is_chosen(one, plan) else "", "whole")
    cells = [name] + [
        Cell(f"{found.value:,.1f}", f"{found.low:,.0f} to {found.high:,.0f}", "number")
        for found in (one.reached, one.bothered)
    ]
    if plan.costs:
        ends = f"{one.net.low:z,.0f} to {one.net.high:z,.0f}".replace("-", "−")
        net = Cell(f"{one.net.value:z,.0f}".replace("-", "−"), ends, "number")
        cells += [Cell(f"{one.cost:,.0f}", tone="number"), net]
    return tuple(cells)


def _picture(plan: ListPlan) -> Picture:
    with mpl.rc_context(STYLE):
        figure, found = canvas(10, 3.4, 1, 2 if plan.costs else 1)
        axes = found[0] if plan.costs else found
        axes.plot([0, plan.longest], [0, plan.by_chance], color=LINE, linewidth=1.2)
        _draw(axes, plan, plan.lists, [one.reached for one in plan.lists])
        axes.set_yscale("function", functions=ROOTS)
        axes.set(ylabel="cancellations on the list", ylim=(0, None))
        if plan.costs:
            shown = _worth_showing(plan)
            _draw(found[1], plan, shown, [one.net for one in shown])
            found[1].axhline(0, color=MUTED, linewidth=0.8)
            found[1].set_ylabel("net value")
    dot = "the list in use" if plan.by_effect is None else "as long as the list in use"
    return Picture(
        figure,
        "Expected cancellations on the list by its length; the table has the values.",
        f"The orange dot is {dot}, the band the 95 % interval, the grey line a randomly "
        "drawn list; both axes have a square-root scale.",
    )


def _draw(
    axes: mpl.axes.Axes, plan: ListPlan, lists: Sequence[PlannedList], values: Sequence[Interval]
) -> None:
    lengths = [one.length for one in lists]
    low, value, high = ([getattr(one, end) for one in values] for end in ("low", "value", "high"))
    axes.fill_between(lengths, low, high, color=ACCENT, alpha=0.15, linewidth=0)
    axes.plot(lengths, value, "o-", color=ACCENT, markersize=3)
    for one, at in zip(lists, value, strict=True):
        if _is_chosen(one, plan):
            axes.plot(one.length, at, "o", color=WARM, markersize=8, zorder=6)
    axes.set_xscale("function", functions=ROOTS)
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
    axes.set(xlabel="users on the list", xlim=(0, None))


def _worth_showing(plan: ListPlan) -> list[PlannedList]:
    """The lists up to the one in use, and beyond until one loses three times what the best gains.

    What the longest lists lose would flatten all that is of interest.
    """
    best = max(one.net.value for one in plan.lists)
    return [
        one
        for one in plan.lists
        if one.length <= plan.chosen or one.net.value >= -3.0 * max(best, 0.0)
    ] or list(plan.lists)
