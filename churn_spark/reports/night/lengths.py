"""How long the list should be: what lists of several lengths would lead to."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl

from churn_spark.evaluation.list_length import (
    ListPlan,
    PlannedList,
    describe_interval,
    describe_plan,
)
from churn_spark.reports.canvas import ACCENT, MUTED, STYLE, WARM, canvas
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
        ("Users", "Cancel", "Stay anyway", *money),
        tuple(_row(one, plan) for one in plan.lists),
        marked=marked,
        note=describe_interval(plan),
    )
    blocks = (_picture(plan), table)
    yield Section("lengths", "How long the list should be", describe_plan(plan), blocks)


def _is_chosen(one: PlannedList, plan: ListPlan) -> bool:
    return one.length == min(plan.chosen, plan.n_users)


def _row(one: PlannedList, plan: ListPlan) -> tuple[Cell, ...]:
    name = Cell(f"{one.length:,}", "tonight's" if _is_chosen(one, plan) else "", "number")
    cells = [name] + [
        Cell(f"{found.value:,.1f}", f"{found.low:,.0f} to {found.high:,.0f}", "number")
        for found in (one.reached, one.bothered)
    ]
    if plan.costs:
        ends = f"{one.net.low:,.0f} to {one.net.high:,.0f}".replace("-", "−")
        net = Cell(f"{one.net.value:,.0f}".replace("-", "−"), ends, "number")
        cells += [Cell(f"{one.cost:,.0f}", tone="number"), net]
    return tuple(cells)


def _picture(plan: ListPlan) -> Picture:
    lengths = [one.length for one in plan.lists]
    with mpl.rc_context(STYLE):
        figure, found = canvas(10, 3.4, 1, 2 if plan.costs else 1)
        panels = [found] if plan.costs is None else list(found)
        values = [[one.reached for one in plan.lists], [one.net for one in plan.lists]]
        labels = "cancels on the list", "net value"
        for axes, intervals, label in zip(panels, values, labels, strict=False):
            low, value, high = (
                [getattr(one, end) for one in intervals] for end in ("low", "value", "high")
            )
            axes.fill_between(lengths, low, high, color=ACCENT, alpha=0.15, linewidth=0)
            axes.plot(lengths, value, "o-", color=ACCENT, markersize=3)
            for one, at in zip(plan.lists, value, strict=True):
                if _is_chosen(one, plan):
                    axes.plot(one.length, at, "o", color=WARM, markersize=8, zorder=6)
            axes.axhline(0, color=MUTED, linewidth=0.8)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(mpl.ticker.StrMethodFormatter("{x:,.0f}"))
            axes.set(xlabel="users on the list", ylabel=label)
    return Picture(
        figure,
        "Expected cancels on the list by its length, with intervals; the table has the values.",
        "The orange dot is tonight's list, the band the 95 % interval. Where the curve bends, "
        "more users bring less and less.",
    )
