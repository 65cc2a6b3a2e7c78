"""How long users stay: what happened to those scored long before, beside what was expected."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np

from churn_spark.contracts.survival import CAP_DAYS
from churn_spark.evaluation.kaplan_meier import GroupCurve
from churn_spark.reports.canvas import (
    ACCENT,
    GOLD,
    INK,
    MUTED,
    PERCENT,
    STYLE,
    WARM,
    canvas,
)
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.scored import Watched
from churn_spark.reports.page import Cell, Picture, Section, Table
from churn_spark.reports.words import interval, percent
from churn_spark.wording import count_of

_PANELS = (("By subscription", "level="), ("By risk band", "band="))
_COLOURS = {
    "all": INK,
    "level=free": WARM,
    "level=paid": ACCENT,
    "band=high": WARM,
    "band=medium": GOLD,
    "band=low": ACCENT,
}


def survival_sections(data: NightData) -> Iterator[Section]:
    """One section; none where no scores are a week old, or hardly anybody has cancelled."""
    watched = data.scored.watched
    if watched is None:
        return
    blocks = (_picture(watched), _table(watched))
    yield Section("survival", "How long users stay", _answer(watched), blocks)


def _answer(watched: Watched) -> str:
    everybody = watched.groups[0]
    days = int(everybody.observed.watched)
    known = [day for day in everybody.expected if day <= days]
    seen = everybody.observed.at(known[-1])
    text = (
        f"Of {count_of(everybody.observed.n, 'user')} scored as of {watched.as_of}, "
        f"{percent(seen.value, 1)} were still there after {known[-1]} days; "
        f"{percent(everybody.expected[known[-1]], 1)} were expected."
    )
    if watched.measured_days:
        text += (
            f" The model's curves were validated on the log for up to {watched.measured_days} days"
        )
        beyond = "." if watched.measured_days >= CAP_DAYS else "; beyond, they are extrapolated."
        return text + beyond
    return f"{text} The log was too short to validate the model's curves."


def _table(watched: Watched) -> Table:
    rows = [
        _row(group, day, expected)
        for group in watched.groups
        for day, expected in group.expected.items()
    ]
    return Table(
        f"Share still subscribed after a number of days, of users scored as of {watched.as_of}",
        ("Group", "Days", "Users", "Expected", "Observed", "Difference"),
        tuple(rows),
        note="Observed: Kaplan-Meier estimate with its 95 % interval; days are counted from the "
        "start of the prediction window, of users subscribed then. Not yet: the log doesn't reach "
        "so far.",
    )


def _row(group: GroupCurve, day: int, expected: float) -> tuple[Cell, ...]:
    seen = group.observed.at(day)
    is_known = not np.isnan(seen.value)
    ends = interval(seen.low, seen.high, "percent") or "too few"
    misses = is_known and not (seen.low <= expected <= seen.high or np.isnan(seen.low))
    gap = f"{100 * (expected - seen.value):+.1f}".replace("-", "−") if is_known else "–"
    return (
        Cell(_name(group.name), tone="whole"),
        Cell(str(day), tone="number"),
        Cell(f"{group.observed.n:,}", tone="number"),
        Cell(percent(expected, 1), tone="number"),
        Cell(percent(seen.value, 1), ends, "number") if is_known else Cell("not yet", tone="quiet"),
        Cell(gap, "percentage points" if is_known else "", "loud" if misses else "number"),
    )


def _name(part: str) -> str:
    kind, _, value = part.partition("=")
    return {"level": f"{value} users", "band": f"band {value}"}.get(kind, "all users")


def _picture(watched: Watched) -> Picture:
    with mpl.rc_context(STYLE):
        figure, found = canvas(10, 4.0, 1, 2)
        for axes, (title, kind) in zip(found, _PANELS, strict=True):
            for group in watched.groups:
                if group.name == "all" or group.name.startswith(kind):
                    _draw(axes, group)
            axes.set(title=title, xlabel="days from the window's start on", xlim=(0, CAP_DAYS))
            axes.yaxis.set_major_formatter(PERCENT)
            axes.legend(loc="lower left")
        found[0].set_ylabel("still subscribed")
    everybody = watched.groups[0].observed
    return Picture(
        figure,
        f"Share of users still subscribed by day, of {count_of(everybody.n, 'user')} scored as of "
        f"{watched.as_of}: what happened as steps, what was expected as dots; in the table below.",
        "Steps are what happened, with their interval; dots joined by dashes what the scores said "
        "on that night. Dots within the band: right so far as the log can tell.",
    )


def _draw(axes: mpl.axes.Axes, group: GroupCurve) -> None:
    colour, seen = _COLOURS.get(group.name, MUTED), group.observed
    days = np.append(seen.days, seen.watched)
    staying, low, high = (
        np.append(values, values[-1]) for values in (seen.staying, seen.low, seen.high)
    )
    axes.step(days, staying, where="post", color=colour, label=_name(group.name))
    axes.fill_between(days, low, high, step="post", color=colour, alpha=0.15, linewidth=0)
    expected = {0: 1.0, **group.expected}
    axes.plot([*expected], [*expected.values()], "o--", color=colour, markersize=4, linewidth=1)
