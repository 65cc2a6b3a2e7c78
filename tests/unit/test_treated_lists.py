"""Lists and contacts of a lakehouse -> what outcomes count; nothing where nobody was contacted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from churn_spark.config import load_config
from churn_spark.contracts.tables import CONTACTS, RETENTION_LISTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.policy.evidence import ListReach
from churn_spark.pipeline import evidence
from churn_spark.pipeline.treated import count_changed, counting, read_treatment, weigh
from tests.local_lakehouse import open_local

NIGHTS = load_config().night
CONFIG = NIGHTS.learning
DAY = date(2026, 3, 2)
LATER = DAY + timedelta(days=60)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return open_local(tmp_path)


def write_list(
    lakehouse: Lakehouse,
    days: int,
    share: float = 0.25,
    campaign: str = "a",
    users: Sequence[str] = "uvw",
) -> None:
    """Some users, the first of three of whom is withheld where anybody is."""
    day = DAY + timedelta(days=days)
    rows = [
        {
            "as_of": day,
            "user_id": user,
            "assignment": "control" if user == "u" and share else "listed",
            "campaign": campaign,
            "control_share": share,
        }
        for user in users
    ]
    whole = [tuple(row.get(name) for name in RETENTION_LISTS.column_names) for row in rows]
    lakehouse.replace_rows(whole, RETENTION_LISTS, {"as_of": [day]})


def write_contact(lakehouse: Lakehouse, days: int) -> None:
    day = DAY + timedelta(days=days)
    row = (day, "v", datetime.combine(day, time(12)), "call", "", 0.0, "reached")
    lakehouse.replace_rows([row], CONTACTS, {"list_date": [day]})


def weights_of(lakehouse: Lakehouse, dates: Sequence[date] = (DAY,)) -> dict[str, float] | None:
    found = read_treatment(lakehouse, dates, CONFIG)
    return None if found is None else dict(zip(found["user_id"], found["weight"], strict=True))


def test_without_contacts_all_rows_stay_as_they_are(lakehouse: Lakehouse) -> None:
    assert weights_of(lakehouse) is None
    write_list(lakehouse, 0)
    assert weights_of(lakehouse) is None
    rows = pd.DataFrame({"as_of": [DAY], "user_id": ["v"]})
    assert counting(weigh(rows, None)) is rows


def test_a_list_that_was_worked_from_changes_whom_it_named(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, 0)
    write_contact(lakehouse, 0)
    assert weights_of(lakehouse) == {"u": 4.0, "v": 0.0, "w": 0.0}
    rows = pd.DataFrame({"as_of": DAY, "user_id": [*"xvu"]})
    treatment = read_treatment(lakehouse, [DAY], CONFIG)
    assert treatment is not None
    found = counting(weigh(rows, treatment))
    assert [*found["user_id"]] == ["x", "u"]
    told = count_changed(rows, treatment, lakehouse).describe()
    assert told == "1 row of listed users left out, 1 of withheld ones count as 4"


@pytest.mark.parametrize(
    ("days", "is_changed"), [(-30, False), (-29, True), (14, True), (15, False)]
)
def test_only_lists_that_act_within_the_outcome_are_read(
    lakehouse: Lakehouse, days: int, is_changed: bool
) -> None:
    write_list(lakehouse, days)
    write_contact(lakehouse, days)
    assert (weights_of(lakehouse) is not None) == is_changed


def test_of_a_campaign_that_acts_all_lists_are_read(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, -200)
    write_contact(lakehouse, -200)
    assert weights_of(lakehouse) is None
    write_list(lakehouse, 0, users="x")
    assert weights_of(lakehouse) == {"u": 4.0, "v": 0.0, "w": 0.0, "x": 0.0}


def test_lists_before_the_first_contact_were_not_worked_from(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, -3)
    write_list(lakehouse, 1, campaign="b")
    write_contact(lakehouse, 20)
    write_list(lakehouse, 20)
    assert weights_of(lakehouse) is None
    write_contact(lakehouse, -3)
    assert weights_of(lakehouse) == {"u": 4.0, "v": 0.0, "w": 0.0}


def test_without_a_control_group_it_is_said_that_nobody_stands_for_the_listed(
    lakehouse: Lakehouse,
) -> None:
    write_list(lakehouse, 0, share=0.0)
    write_contact(lakehouse, 0)
    assert weights_of(lakehouse) == {"u": 1.0, "v": 1.0, "w": 1.0}
    treatment = read_treatment(lakehouse, [DAY], CONFIG)
    assert treatment is not None
    told = count_changed(treatment[["as_of", "user_id"]], treatment, lakehouse).describe()
    assert "3 rows of lists without control group count as it happened" in told


def test_the_lifetime_label_describes_what_happened(lakehouse: Lakehouse) -> None:
    write_list(lakehouse, 0)
    write_contact(lakehouse, 0)
    lifetime = load_config(overrides=["labels.kind=lifetime"]).learning
    assert read_treatment(lakehouse, [DAY], lifetime) is None


def reach_of(day: date) -> ListReach:
    end = day + timedelta(days=CONFIG.labels.horizon.days)
    return ListReach("1", day, end, 3, 4, 0.5, 0.2, 0.8, 0.1, 0.3, 0.9)


@pytest.mark.parametrize(
    ("reach", "windows", "is_told", "n_unmatched"),
    [
        (DAY, {DAY}, False, 3),
        (DAY, {LATER}, False, 0),
        (LATER, {DAY}, True, 3),
        (LATER, set(), True, 0),
        (None, {DAY}, False, 3),
        (None, set(), False, 0),
    ],
)
def test_evidence_of_a_night_reads_its_lists_once(
    lakehouse: Lakehouse,
    monkeypatch: pytest.MonkeyPatch,
    reach: date | None,
    windows: set[date],
    is_told: bool,
    n_unmatched: int,
) -> None:
    write_list(lakehouse, 0, share=0.0)
    write_contact(lakehouse, 0)
    asked: list[object] = []

    def read(*arguments: Any) -> pd.DataFrame | None:
        asked.append(arguments)
        return read_treatment(*arguments)

    monkeypatch.setattr(evidence, "read_treatment", read)
    newest = None if reach is None else reach_of(reach)
    found = evidence.read_listed(lakehouse, newest, windows, NIGHTS)
    assert found == (newest if is_told else None, n_unmatched)
    assert len(asked) == 1
