"""Users on lists and withheld from them, counted by week and part; and what follows, in words.

A user counts once in a campaign, in the week of the first list, whatever becomes of them later:
whom a call has kept comes back to lists more often, and would be counted more often.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import pandas as pd

from churn_spark.contracts.features.segments import ALL
from churn_spark.evaluation.effect import (
    Counts,
    Saved,
    Side,
    saved_by_contact,
    saved_by_listing,
    users_needed,
)
from churn_spark.wording import count_of, per_100, percent

LISTED, CONTACT = "listed", "contact"
WEEK, TOTAL = "week", "total"
OFFER: Final = "offer="
WORTH_KNOWING: Final = 0.2
"""A saving of this share of the cancels is what the sample size is told for."""
_COUNTS: Final = {
    "listed": ("n_listed", "n_listed_cancel", "n_contacted", "n_contacted_cancel"),
    "control": (
        "n_control", "n_control_cancel", "n_control_contacted", "n_control_contacted_cancel",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """What is known of a part of the users: counts, and what contacts with them have cost."""

    counts: Counts = field(default_factory=Counts)
    cost: float = 0.0

    def __add__(self, other: Part) -> Part:
        """Both together."""
        return Part(self.counts + other.counts, self.cost + other.cost)


@dataclass(frozen=True, order=True)
class Week:
    """A week of a campaign.

    Attributes:
        campaign: its name.
        control_share: chance with which its users were withheld.
        start: the Monday.
    """

    campaign: str
    control_share: float
    start: date


def count_parts(users: pd.DataFrame) -> dict[str, Part]:
    """The users of a week by slice.

    Args:
        users: is_control, cancels, is_contacted (booleans), offer (of the reached, empty where
            there was none), cost, risk_band and level.
    """
    parts = {ALL: _count(users)}
    for column, name in (("risk_band", "band"), ("level", "level")):
        for value in sorted(users[column].unique()):
            parts[f"{name}={value}"] = _count(users[users[column] == value])
    reached = users["is_contacted"] & ~users["is_control"]
    for offer in sorted(users["offer"][reached].unique()):
        is_of = (reached & (users["offer"] == offer)) | users["is_control"]
        parts[OFFER + (str(offer) or "none")] = _count(users[is_of])
    return parts


def _count(users: pd.DataFrame) -> Part:
    def side(some: pd.DataFrame) -> Side:
        cancels, contacted = some["cancels"], some["is_contacted"]
        sums = (cancels.sum(), contacted.sum(), (cancels & contacted).sum())
        return Side(len(some), *map(int, sums))

    is_control = users["is_control"]
    counts = Counts(side(users[~is_control]), side(users[is_control]))
    return Part(counts, float(users.loc[~is_control, "cost"].sum()))


def effect_rows(weeks: Mapping[Week, Mapping[str, Part]], worth: float) -> Iterator[dict[str, Any]]:
    """Rows of `effect`: each week, and for the newest week of a campaign all of it together.

    Args:
        weeks: of any campaigns; all weeks of those that are told.
        worth: of a user who is kept, in the unit of the costs; NaN where nobody has said.
    """
    for week, parts in sorted(weeks.items(), key=lambda item: item[0]):
        yield from _rows_of(week, 1, parts, worth)
    for campaign, share in sorted({(one.campaign, one.control_share) for one in weeks}):
        own = [one for one in weeks if (one.campaign, one.control_share) == (campaign, share)]
        names = sorted({name for one in own for name in weeks[one]})
        total = {
            name: sum((weeks[one][name] for one in own if name in weeks[one]), Part())
            for name in names
        }
        yield from _rows_of(max(own), len(own), total, worth, TOTAL)


def _rows_of(
    week: Week, n_weeks: int, parts: Mapping[str, Part], worth: float, period: str = WEEK
) -> Iterator[dict[str, Any]]:
    for name, part in parts.items():
        of_part: dict[str, Any] = {
            "campaign": week.campaign,
            "control_share": week.control_share,
            "week_start": week.start,
            "period": period,
            "n_weeks": n_weeks,
            "slice": name,
            "cost": part.cost,
        }
        for side, columns in _COUNTS.items():
            one: Side = getattr(part.counts, side)
            values = (one.n, one.n_cancels, one.n_contacted, one.n_both)
            of_part |= dict(zip(columns, values, strict=True))
        by_listing = saved_by_listing(part.counts)
        # Of those reached with an offer, each has been reached: what they were saved by is both.
        if not name.startswith(OFFER):
            yield of_part | _told(LISTED, by_listing) | _money(part, by_listing, worth)
        by_contact = by_listing if name.startswith(OFFER) else saved_by_contact(part.counts)
        if part.counts.listed.n_contacted:
            yield of_part | _told(CONTACT, by_contact)


def _told(basis: str, saved: Saved) -> dict[str, Any]:
    return {
        "basis": basis,
        "saved": _finite(saved.value),
        "low": _finite(saved.once.low),
        "high": _finite(saved.once.high),
        "always_low": _finite(saved.always.low),
        "always_high": _finite(saved.always.high),
    }


def _money(part: Part, saved: Saved, worth: float) -> dict[str, Any]:
    if not part.cost > 0:
        return {}
    ends = {"net": saved.value, "net_low": saved.always.low, "net_high": saved.always.high}
    n = part.counts.listed.n
    return {name: _finite(share * n * worth - part.cost) for name, share in ends.items()}


def read_parts(rows: Iterable[Mapping[str, Any]]) -> dict[Week, dict[str, Part]]:
    """The counts of stored weeks; of one that several nights have counted, the newest.

    Args:
        rows: of `effect`.
    """
    found: dict[Week, dict[str, Part]] = {}
    newest: dict[Week, date] = {}
    for row in sorted(rows, key=lambda row: row["run_date"]):
        if row["period"] != WEEK:
            continue
        week = Week(row["campaign"], row["control_share"], row["week_start"])
        if newest.get(week) != row["run_date"]:
            newest[week], found[week] = row["run_date"], {}
        found[week][row["slice"]] = part_of(row)
    return found


def part_of(row: Mapping[str, Any]) -> Part:
    """The counts of a row of `effect`."""
    sides = (Side(*(int(row[name]) for name in names)) for names in _COUNTS.values())
    return Part(Counts(*sides), float(row["cost"]))


def newest_total(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The rows of the campaign that was looked at last, all its weeks together; everybody first.

    Args:
        rows: of `effect`; NaN is as good as None.
    """
    totals = [
        {name: None if _is_nan(value) else value for name, value in row.items()}
        for row in rows
        if row["period"] == TOTAL
    ]
    if not totals:
        return []

    def age(row: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(row[name] for name in ("week_start", "run_date", "campaign", "control_share"))

    newest = [row for row in totals if age(row) == max(map(age, totals))]
    return sorted(
        newest, key=lambda row: (row["slice"] != ALL, row["slice"], row["basis"] != LISTED)
    )


def name_slice(name: str) -> str:
    """A slice for people: `everybody`, `level: paid`."""
    if name == ALL:
        return "everybody"
    kind, _, value = name.partition("=")
    return f"{kind}: {value}" + (", not drawn" if name.startswith(OFFER) else "")


def describe_effect(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the newest campaign has changed so far, in sentences; none before anything is known.

    Args:
        rows: of `effect`.
    """
    of_all = {row["basis"]: row for row in newest_total(rows) if row["slice"] == ALL}
    if LISTED not in of_all:
        return []
    row = of_all[LISTED]
    counts, n_weeks = part_of(row).counts, int(row["n_weeks"])
    told = [_describe_counts(row, counts, n_weeks), _describe_saved(row)]
    is_told = _is_told(row)
    if is_told and CONTACT in of_all and of_all[CONTACT]["saved"] is not None:
        told.append(_describe_contact(of_all[CONTACT]))
    if counts.control.n_contacted:
        n = count_of(counts.control.n_contacted, "withheld user was", "withheld users were")
        told.append(f"{n} contacted all the same, so the effect of the calls is underestimated.")
    if is_told and row.get("net") is not None:
        told.append(_describe_money(row))
    return [*told, *_describe_need(counts, n_weeks)]


def _describe_counts(row: Mapping[str, Any], counts: Counts, n_weeks: int) -> str:
    listed, control = counts.listed, counts.control
    return (
        f"In {count_of(n_weeks, 'week')} of campaign {row['campaign']}, up to that of "
        f"{row['week_start']}, {count_of(counts.n, 'user')} qualified for the list for the first "
        f"time: {listed.n:,} were listed, of whom {_share(listed)} cancelled, and {control.n:,} "
        f"withheld as control group, of whom {_share(control)} did."
    )


def _share(side: Side) -> str:
    return percent(side.share, 1) if side.n else "nobody"


def _is_told(row: Mapping[str, Any]) -> bool:
    """Whether anything can be said of the listed; where not, nor of contacts and money."""
    return None not in (row["saved"], row["always_low"], row["always_high"])


def _describe_saved(row: Mapping[str, Any]) -> str:
    saved, low, high = row["saved"], row["always_low"], row["always_high"]
    if not _is_told(row):
        return "That is too few to say what the list has changed."
    verdict = "no significant effect yet"
    if low > 0:
        verdict = "the list significantly reduces cancellations"
    elif high < 0:
        verdict = "the list significantly increases cancellations"
    return (
        f"Of 100 listed, {per_100(saved)} were kept from cancelling (95 % interval "
        f"{per_100(low)} to {per_100(high)}, valid however often it is looked at): {verdict}."
    )


def _describe_contact(row: Mapping[str, Any]) -> str:
    ends = row["always_low"], row["always_high"]
    within = "" if None in ends else f" ({per_100(ends[0])} to {per_100(ends[1])})"
    return (
        f"Of 100 contacted, {per_100(row['saved'])} were kept{within}, if the whole effect of the "
        f"list is attributed to the {count_of(int(row['n_contacted']), 'user')} who were contacted."
    )


def _describe_money(row: Mapping[str, Any]) -> str:
    ends = row["net_low"], row["net_high"]
    within = "" if None in ends else f" ({_money_of(ends[0])} to {_money_of(ends[1])})"
    return (
        f"Contacts have cost {_money_of(row['cost'])}; the value of the users kept minus that cost "
        f"is {_money_of(row['net'])}{within}, if a user who is kept is worth costs.missed_cancel."
    )


def _describe_need(counts: Counts, n_weeks: int) -> Iterator[str]:
    target = WORTH_KNOWING * counts.control.share if counts.control.n else math.nan
    needed = users_needed(counts, target)
    if needed is None:
        return
    more = needed - counts.n
    if more <= 0:
        yield (
            "There are enough users to detect a reduction of the cancellations by a fifth; an "
            "effect that isn't seen is smaller."
        )
        return
    weeks = math.ceil(more * n_weeks / counts.n)
    yield (
        f"To detect a reduction of the cancellations by a fifth takes about {needed:,} users, "
        f"{more:,} more: {count_of(weeks, 'week')} at the pace so far."
    )


def _money_of(amount: float) -> str:
    return f"{amount:,.0f}".replace("-", "\u2212")


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
