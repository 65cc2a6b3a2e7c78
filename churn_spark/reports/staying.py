"""How long users stay: Kaplan and Meier's curve of what happened beside what was expected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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
from churn_spark.reports.page import Caution, Cell, Picture, Table
from churn_spark.reports.words import interval, percent
from churn_spark.wording import count_of

_COLOURS: Final = {
    "all": INK,
    "level=free": WARM,
    "level=paid": ACCENT,
    "band=high": WARM,
    "band=medium": GOLD,
    "band=low": ACCENT,
    "tenure_band=up to 30 days": WARM,
    "tenure_band=30 to 90 days": GOLD,
    "tenure_band=over 90 days": ACCENT,
}


MAY_BE_KEPT: Final = Caution(
    "Contacts may have kept some of these users: what happened is with them, and what was expected "
    "is without."
)
"""Of a section that counts each user as it happened."""


def describe_staying(everybody: GroupCurve, who: str) -> str:
    """In a sentence: on the last of the told days that the log reaches.

    Args:
        everybody: the curve of all users.
        who: they are: `scored as of 2018-11-01`.
    """
    days = int(everybody.observed.watched)
    known = [day for day in everybody.expected if day <= days]
    seen = everybody.observed.at(known[-1])
    return (
        f"Of {count_of(everybody.observed.n, 'user')} {who}, {percent(seen.value, 1)} were still "
        f"there after {known[-1]} days; {percent(everybody.expected[known[-1]], 1)} were expected."
    )


def tabulate_staying(groups: Sequence[GroupCurve], caption: str, folded: str = "") -> Table:
    """Each part and day, what was expected and what happened."""
    rows = [
        _row(group, day, expected) for group in groups for day, expected in group.expected.items()
    ]
    return Table(
        caption,
        ("Group", "Days", "Users", "Expected", "Observed", "Difference"),
        tuple(rows),
        note="Observed: Kaplan-Meier estimate with its 95 % interval; days are counted from the "
        "start of the prediction window, of users subscribed then. Not yet: the log doesn't reach "
        "so far.",
        folded=folded,
    )


def _row(group: GroupCurve, day: int, expected: float) -> tuple[Cell, ...]:
    seen = group.observed.at(day)
    is_known = not np.isnan(seen.value)
    ends = interval(seen.low, seen.high, "percent") or "too few"
    misses = is_known and not (seen.low <= expected <= seen.high or np.isnan(seen.low))
    gap = f"{100 * (expected - seen.value):+z.1f}".replace("-", "−") if is_known else "–"
    return (
        Cell(_name(group.name), tone="whole"),
        Cell(str(day), tone="number"),
        Cell(f"{group.observed.n:,}", tone="number"),
        Cell(percent(expected, 1), tone="number"),
        (
            Cell(percent(seen.value, 1), ends, "number")
            if is_known
            else Cell("not yet", tone="number quiet")
        ),
        Cell(gap, "percentage points" if is_known else "", "number loud" if misses else "number"),
    )


def _name(part: str) -> str:
    kind, _, value = part.partition("=")
    names = {
        "level": f"{value} users",
        "band": f"band {value}",
        "tenure_band": f"registered {value}",
    }
    return names.get(kind, "all users")


def draw_staying(
    groups: Sequence[GroupCurve], panels: Sequence[tuple[str, str]], who: str
) -> Picture:
    """The curves, a panel for each kind of parts.

    Args:
        groups: all users first, then parts.
        panels: title, and with what the names of its parts begin.
        who: they are, as in `describe_staying`.
    """
    with mpl.rc_context(STYLE):
        figure, found = canvas(10, 4.0, 1, len(panels))
        for axes, (title, kind) in zip(found, panels, strict=True):
            for group in groups:
                if group.name == "all" or group.name.startswith(kind):
                    _draw(axes, group)
            axes.set(
                title=title,
                xlabel="days from the start of the prediction window",
                xlim=(0, CAP_DAYS),
            )
            axes.yaxis.set_major_formatter(PERCENT)
            axes.legend(loc="lower left")
        found[0].set_ylabel("still subscribed")
    return Picture(
        figure,
        f"Share of users still subscribed by day, of {count_of(groups[0].observed.n, 'user')} "
        f"{who}: observed as steps, expected as dots; the table has the values.",
        "Steps: observed, with the 95 % interval. Dots joined by dashes: expected as of the date. "
        "Dots within the band agree with what was observed.",
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
