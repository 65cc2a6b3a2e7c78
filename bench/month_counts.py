"""What the tables of a rehearsed month must say, counted by hand, and where they say otherwise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Final

from bench.month_contacts import COLUMNS, Row

_WINDOW: Final = timedelta(days=15)
"""The gap of a day and the horizon of 14: from a list's date on."""
_WEEK: Final = timedelta(weeks=1)
_SUMS: Final = (
    "n_listed",
    "n_listed_cancel",
    "n_contacted",
    "n_contacted_cancel",
    "n_control",
    "n_control_cancel",
    "n_control_contacted",
    "cost",
)
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Lived:
    """A month as its lists, the team and the simulator tell it.

    Attributes:
        lists: rows of `retention_lists`.
        contacts: that the team has made, each once.
        cancelled: user -> when, of all who cancelled.
        untreated: contacted user -> when they would have cancelled, None if not at all.
    """

    lists: Sequence[Found]
    contacts: Sequence[Row]
    cancelled: Mapping[str, datetime]
    untreated: Mapping[str, datetime | None] = field(default_factory=dict)

    def count_effect(self) -> dict[date, Counter[str]]:
        """Monday -> counts of the users whose first list was in its week; each user once.

        Beside the columns of `effect`: `would_cancel`, of the listed, had nobody been called.
        """
        first: dict[str, Found] = {}
        for row in sorted(self.lists, key=lambda row: row["as_of"]):
            if row["assignment"] != "left_alone":
                first.setdefault(row["user_id"], row)
        weeks: dict[date, Counter[str]] = {}
        for user, row in first.items():
            monday = row["as_of"] - timedelta(days=row["as_of"].weekday())
            weeks.setdefault(monday, Counter()).update(self._count(user, row))
        return weeks

    def _count(self, user: str, row: Found) -> dict[str, float]:
        since, end = row["as_of"], row["as_of"] + _WINDOW
        within = [
            one
            for one in self.contacts
            if one["user_id"] == user and since <= date.fromisoformat(one["list_date"]) < end
        ]
        reached = any(one["outcome"] != "not_reached" for one in within)
        cancels = _is_within(self.cancelled.get(user), since, end)
        if row["assignment"] == "control":
            return {
                "n_control": 1,
                "n_control_cancel": cancels,
                "n_control_contacted": reached,
            }
        alone = self.untreated.get(user, self.cancelled.get(user))
        return {
            "n_listed": 1,
            "n_listed_cancel": cancels,
            "n_contacted": reached,
            "n_contacted_cancel": reached and cancels,
            "cost": sum(float(one["cost"]) for one in within),
            "would_cancel": _is_within(alone, since, end),
        }


def _is_within(moment: datetime | None, since: date, end: date) -> bool:
    return moment is not None and since <= moment.date() < end


def faults_of_lists(lived: Lived, nights: Iterable[date]) -> Iterator[str]:
    """What is wrong with the lists: a user twice, a night without one, a withheld user called."""
    counts = Counter((row["as_of"], row["user_id"]) for row in lived.lists)
    yield from (f"{user} is on the list of {day} {n} times" for (day, user), n in counts.items()
                if n > 1)  # fmt: skip
    dates = {row["as_of"] for row in lived.lists}
    yield from (f"the night of {night} has no list" for night in nights if night not in dates)
    withheld = {row["user_id"] for row in lived.lists if row["assignment"] == "control"}
    called = {one["user_id"] for one in lived.contacts}
    yield from (f"{user} was withheld and called" for user in sorted(withheld & called))


def faults_of_contacts(lived: Lived, table: Iterable[Found]) -> Iterator[str]:
    """Contacts that the table lacks, has twice, or has otherwise than they were told."""
    told: Counter[tuple[str, ...]] = Counter(
        tuple(map(one.__getitem__, COLUMNS)) for one in lived.contacts
    )
    found: Counter[tuple[str, ...]] = Counter(
        (
            row["user_id"],
            str(row["list_date"]),
            f"{row['contact_ts']:%Y-%m-%dT%H:%M:%SZ}",
            row["channel"],
            row["offer"],
            str(row["cost"]),
            row["outcome"],
        )
        for row in table
    )
    for what, lacking in (("lacks", told - found), ("has too many of", found - told)):
        if lacking:
            yield f"contacts: the table {what} {lacking.total()}, such as {next(iter(lacking))}"


def faults_of_effect(lived: Lived, table: Sequence[Found]) -> Iterator[str]:
    """Rows of all listed users, by week and in all, that count otherwise than by hand."""
    by_hand = lived.count_effect()
    of_listed = [row for row in table if row["basis"] == "listed"]
    if not of_listed:
        yield "effect: no week was counted"
    for row in of_listed:
        if row["slice"] != "all":
            continue
        first = row["week_start"] - (row["n_weeks"] - 1) * _WEEK
        weeks = [by_hand.get(first + n * _WEEK, Counter()) for n in range(row["n_weeks"])]
        expected = sum(weeks, Counter[str]())
        what = f"effect of {row['run_date']}, {row['period']} of {row['week_start']}"
        for name in _SUMS:
            if row[name] != expected[name]:
                yield f"{what}: {name} is {row[name]}, by hand {expected[name]}"
            for kind in ("band", "level"):
                parts = sum(one[name] for one in of_listed if _is_part(one, row, kind))
                if parts != row[name]:
                    yield f"{what}: {name} of all {kind}s is {parts}, of everybody {row[name]}"


def _is_part(one: Found, whole: Found, kind: str) -> bool:
    same = ("run_date", "campaign", "control_share", "period", "week_start")
    return one["slice"].startswith(f"{kind}=") and all(one[name] == whole[name] for name in same)
