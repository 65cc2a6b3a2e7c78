"""The rehearsed month's counts by hand: what it takes for right, and what it finds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bench.month_contacts import COLUMNS, Row
from bench.month_counts import Lived, faults_of_contacts, faults_of_effect, faults_of_lists

MONDAY = date(2018, 11, 26)
WEEK = timedelta(weeks=1)
NIGHTS = [MONDAY, MONDAY + timedelta(days=1), MONDAY + WEEK]


def listed(user: str, day: date, assignment: str = "listed") -> dict[str, Any]:
    return {"user_id": user, "as_of": day, "assignment": assignment}


def call(user: str, day: date, outcome: str = "accepted") -> Row:
    values = (user, str(day), f"{day}T10:00:00Z", "call", "month free", "1.0", outcome)
    return dict(zip(COLUMNS, values, strict=True))


def at(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)


# Of the first week a and b are listed and c is withheld; d comes in the second.
LIVED = Lived(
    lists=[
        *(listed(user, day) for user in "ab" for day in NIGHTS),
        *(listed("c", day, "control") for day in NIGHTS),
        listed("d", NIGHTS[-1]),
        listed("z", MONDAY, "left_alone"),
    ],
    contacts=[
        call("a", NIGHTS[0]),
        call("b", NIGHTS[0], "not_reached"),
        call("b", NIGHTS[2]),
        call("d", NIGHTS[2]),
    ],
    # The last day of the window, and the day after it.
    cancelled={
        "b": at(MONDAY + timedelta(days=14)),
        "c": at(MONDAY + timedelta(days=15)),
        "d": at(NIGHTS[2]),
    },
    untreated={"a": at(MONDAY + timedelta(days=3)), "b": at(MONDAY + timedelta(days=14))},
)


def stored() -> list[dict[str, Any]]:
    return [
        {
            "user_id": one["user_id"],
            "list_date": date.fromisoformat(one["list_date"]),
            "contact_ts": datetime.fromisoformat(one["time"]),
            "channel": "call",
            "offer": "month free",
            "cost": 1.0,
            "outcome": one["outcome"],
        }
        for one in LIVED.contacts
    ]


def effect() -> Iterator[dict[str, Any]]:
    """What a night after both weeks must have written, with one band and one level."""
    names = ("n_listed", "n_listed_cancel", "n_contacted", "n_contacted_cancel", "n_control",
             "n_control_cancel", "n_control_contacted", "cost")  # fmt: skip
    first, second = (2, 1, 2, 1, 1, 0, 0, 3.0), (1, 1, 1, 1, 0, 0, 0, 1.0)
    both = tuple(map(sum, zip(first, second, strict=True)))
    of_run = {"run_date": MONDAY + 4 * WEEK, "campaign": "default", "control_share": 0.3}
    for period, monday, n_weeks, counts in (
        ("week", MONDAY, 1, first),
        ("week", MONDAY + WEEK, 1, second),
        ("total", MONDAY + WEEK, 2, both),
    ):
        for part in ("all", "band=high", "level=paid"):
            yield of_run | dict(zip(names, counts, strict=True)) | {
                "period": period, "week_start": monday, "n_weeks": n_weeks, "slice": part,
                "basis": "listed",
            }  # fmt: skip


def test_month_that_was_counted_rightly_has_no_fault() -> None:
    assert [*faults_of_lists(LIVED, NIGHTS)] == []
    assert [*faults_of_contacts(LIVED, stored())] == []
    assert [*faults_of_effect(LIVED, [*effect()])] == []
    assert LIVED.count_effect()[MONDAY]["would_cancel"] == 2


def test_contact_that_is_kept_twice_or_lost_is_found() -> None:
    (twice,) = faults_of_contacts(LIVED, [*stored(), stored()[0]])
    assert twice.startswith("contacts: the table has too many of 1, such as ('a', '2018-11-26'")
    (lost,) = faults_of_contacts(LIVED, stored()[1:])
    assert lost.startswith("contacts: the table lacks 1, such as ('a', '2018-11-26'")


@pytest.mark.parametrize("name", ["n_listed", "n_control_cancel", "n_contacted", "cost"])
def test_user_who_is_counted_twice_is_found(name: str) -> None:
    rows = [row | {name: row[name] + 1} for row in effect()]
    found = [*faults_of_effect(LIVED, rows)]
    assert len(found) == 3
    assert all(f": {name} is " in one for one in found)


def test_parts_that_do_not_add_up_are_found() -> None:
    rows = [row for row in effect() if row["slice"] != "level=paid"]
    found = [*faults_of_effect(LIVED, rows)]
    assert found
    assert all("of all levels is 0" in one for one in found)


def test_no_week_is_a_fault() -> None:
    assert [*faults_of_effect(LIVED, [])] == ["effect: no week was counted"]


def test_faults_of_lists_are_found() -> None:
    wrong = replace(
        LIVED,
        lists=[*LIVED.lists, listed("a", MONDAY)],
        contacts=[*LIVED.contacts, call("c", MONDAY)],
    )
    assert [*faults_of_lists(wrong, [*NIGHTS, MONDAY + 2 * WEEK])] == [
        "a is on the list of 2018-11-26 2 times",
        "the night of 2018-12-10 has no list",
        "c was withheld and called",
    ]
