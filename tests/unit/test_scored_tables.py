"""Tables of scores -> what a night tells of lists and staying, and models of curves; no Spark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn_spark.config import load_config
from churn_spark.contracts.survival import EXPECTED_DAYS, SURVIVAL_DAYS, survival_columns
from churn_spark.contracts.tables import (
    CONTACTS,
    RETENTION_LISTS,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
)
from churn_spark.evaluation.list_length import describe_plan
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.pipeline.survival import with_checked_curves
from churn_spark.reports.night import scored
from churn_spark.reports.night.scored import read_scored
from churn_spark.serving import planner
from churn_spark.serving.planner import describe_lengths
from churn_spark.serving.users import Users
from churn_spark.stores.cancels import days_to_cancel, read_cancels
from tests.list_builders import small_bundle
from tests.local_lakehouse import open_local

COSTS = load_config().costs
NIGHT = date(2026, 3, 2)
OLD = NIGHT - timedelta(days=46)  # a day of gap, 45 watched
N_USERS = 60


def cancel_day(n: int) -> int | None:
    """Days from the old night to a user's cancellation; user 0 cancels in the gap."""
    return {0: 0, 3: 5, 6: 5, 9: 20, 12: 40, 15: 44, 18: 60}.get(n)


def write(lakehouse: Lakehouse, spec: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    whole = [tuple(row.get(name) for name in spec.column_names) for row in rows]
    (column,) = spec.partition_by
    lakehouse.replace_rows(whole, spec, {column: sorted({row[column] for row in rows})})


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    found = open_local(tmp_path)
    staying = dict(zip(survival_columns(), (0.99, 0.98, 0.95, 0.9, 0.85), strict=True))
    for day in (OLD, NIGHT):
        keys = [{"as_of": day, "user_id": f"{n:02}"} for n in range(N_USERS)]
        told = {"model_version": "1", "risk_band": "low", EXPECTED_DAYS: 85.0, **staying}
        scores = [
            key | told | {"churn_probability": 0.01 * (n + 1), "value_at_risk": 0.6 - 0.01 * n}
            for n, key in enumerate(keys)
        ]
        write(found, SCORES, scores)
        levels = [key | {"last_subscription_level": "paid"} for key in keys]
        write(found, SNAPSHOTS, levels)
    listed = [
        {"as_of": NIGHT, "user_id": f"{n:02}", "assignment": "control" if n == 2 else "listed"}
        for n in range(10)
    ]
    write(found, RETENTION_LISTS, listed)
    days = {n: cancel_day(n) for n in range(N_USERS)}
    cancels = [
        {
            "event_date": OLD + timedelta(days=later),
            "user_id": f"{n:02}",
            "cancel_ts": datetime.combine(OLD + timedelta(days=later), time(3)),
        }
        for n, later in days.items()
        if later is not None
    ]
    write(found, SESSION_DAYS, cancels)
    return found


def test_night_plans_in_the_order_of_the_list_and_watches_the_old_night(
    lakehouse: Lakehouse,
) -> None:
    found = read_scored(lakehouse, NIGHT, COSTS, small_bundle())
    assert found.plan is not None
    assert (found.plan.chosen, found.plan.by_effect) == (9, None)  # one of ten is withheld
    assert found.plan.lists[1].reached.value == pytest.approx(sum(0.01 * n for n in range(1, 11)))
    assert found.watched is not None
    assert (found.watched.as_of, found.watched.measured_days) == (OLD, 0)
    everybody = found.watched.groups[0]
    # Who cancelled in the gap was never watched; on day 60 nobody is watched any more.
    assert (everybody.observed.n, everybody.observed.n_cancels) == (N_USERS - 1, 5)
    assert everybody.observed.at(30).value == pytest.approx(56 / 59)
    assert math.isnan(everybody.observed.at(60).value)
    assert everybody.expected[30] == pytest.approx(0.95)
    assert [group.name for group in found.watched.groups] == ["all", "level=paid", "band=low"]


def test_plan_of_more_users_than_a_list_can_have_tells_of_all_of_them(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scored, "MAX_LISTED", 12)
    monkeypatch.setattr(planner, "MAX_LISTED", 12)
    plan = read_scored(lakehouse, NIGHT, COSTS, small_bundle()).plan
    assert plan is not None
    assert [one.length for one in plan.lists] == [9, 10, 12]
    total = sum(0.01 * n for n in range(1, N_USERS + 1))
    assert (plan.n_users, plan.n_cancels) == (N_USERS, pytest.approx(total))
    assert plan.by_chance == pytest.approx(total * 12 / N_USERS)
    assert describe_plan(plan).startswith("Of 18 cancellations expected in total")
    rows = lakehouse.read_arrow(SCORES, {"as_of": [NIGHT]})
    users = Users(rows, np.arange(N_USERS), [])
    shown = describe_lengths(users, 9, small_bundle(), COSTS)
    assert shown is not None
    assert (shown["told"], shown["lists"]) == (describe_plan(plan), plan.lists)
    assert shown["chart"]["last"] == "12 users"


def test_plan_beside_a_list_by_effect_knows_what_that_is_expected_to_contain(
    lakehouse: Lakehouse,
) -> None:
    rows = lakehouse.read_rows(RETENTION_LISTS).assign(churn_probability=0.1)
    saves = [0.02, *[None] * (len(rows) - 1)]
    lakehouse.replace_rows(rows.assign(expected_saves=saves), RETENTION_LISTS, {})
    plan = read_scored(lakehouse, NIGHT, COSTS, small_bundle()).plan
    assert plan is not None
    # Of ten one is withheld.
    assert (plan.chosen, plan.by_effect) == (9, pytest.approx(0.9))


@pytest.mark.parametrize(("most", "is_sample"), [(N_USERS, True), (N_USERS + 1, False)])
def test_watched_users_know_whether_they_are_a_sample(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch, most: int, is_sample: bool
) -> None:
    monkeypatch.setattr(scored, "_MAX_USERS", most)
    found = read_scored(lakehouse, NIGHT, COSTS, small_bundle()).watched
    assert found is not None
    assert found.is_sample == is_sample


def test_scores_of_an_older_release_or_another_label_are_not_watched(lakehouse: Lakehouse) -> None:
    rows = lakehouse.read_rows(SCORES, {"as_of": [OLD]})
    lakehouse.replace_rows(rows.assign(survival_7d=None), SCORES, {"as_of": [OLD]})
    found = read_scored(lakehouse, NIGHT, COSTS, small_bundle())
    assert found.plan is not None
    assert found.watched is None
    silence = {"kind": "horizon", "horizon_days": 14, "gap_days": 1, "churn": "inactivity"}
    assert read_scored(lakehouse, NIGHT, COSTS, replace(small_bundle(), label=silence)).plan
    assert read_scored(lakehouse, NIGHT, COSTS, None).plan is None


def test_days_are_counted_from_the_begin_of_the_window(lakehouse: Lakehouse) -> None:
    rows = pd.DataFrame({"as_of": OLD, "user_id": ["00", "03", "01"]})
    found = days_to_cancel(rows, read_cancels(lakehouse), 1)
    np.testing.assert_array_equal(found, [-0.5, 4.5, np.inf])


def described(n: int) -> LearntRows:
    rows = pd.DataFrame(
        {
            "as_of": OLD,
            "user_id": [f"{place:02}" for place in range(1, n)],
            "split": ["train" if place == 9 else "validation" for place in range(1, n)],
            "songs_7d": 30.0,
            "last_subscription_level": "paid",
        }
    )
    session: Any = None
    return LearntRows(session, lambda: session, rows)


def test_curves_are_checked_by_what_was_known_of_validation_users(lakehouse: Lakehouse) -> None:
    found = with_checked_curves(lakehouse, small_bundle(), described(N_USERS), NIGHT, 30)
    assert found.checked is not None
    assert found.checked.days.tolist() == [*SURVIVAL_DAYS]
    # One of the six was learnt from, one cancels after tonight.
    assert found.checked.cancels.tolist() == [2, 0, 0, 2, 0]
    earlier = with_checked_curves(
        lakehouse, small_bundle(), described(N_USERS), OLD + timedelta(days=30), 30
    )
    assert earlier.checked is not None
    assert earlier.checked.cancels.tolist() == [2, 0, 0, 0, 0]
    assert earlier.checked.expected[3:].tolist() == [0.0, 0.0]


def test_window_begins_after_the_gap(lakehouse: Lakehouse) -> None:
    """Of the 40 days since, 39 are of the window: nothing of the night itself is known."""
    day = OLD + timedelta(days=40)
    found = with_checked_curves(lakehouse, small_bundle(), described(N_USERS), day, 30)
    assert found.checked is not None
    assert found.checked.cancels.tolist() == [2, 0, 0, 0, 0]


def test_user_of_several_dates_counts_once(lakehouse: Lakehouse) -> None:
    rows = described(N_USERS).where("split", ["validation"]).take(N_USERS)
    session: Any = None
    twice = LearntRows(session, lambda: session, pd.concat([rows, rows], ignore_index=True))
    found = with_checked_curves(lakehouse, small_bundle(), twice, NIGHT, 30)
    assert found.checked is not None
    assert found.checked.cancels.tolist() == pytest.approx([2, 0, 0, 2, 0])


def test_curves_are_checked_by_those_whom_no_contact_may_have_kept(lakehouse: Lakehouse) -> None:
    """Half of the users are on a list after the window: of them the withheld one is left."""
    listed_on = OLD + timedelta(days=18)
    drawn = {"campaign": "spring", "control_share": 0.25}
    listed = [
        drawn
        | {"as_of": listed_on, "user_id": f"{n:02}"}
        | {"assignment": "control" if n == 12 else "listed"}
        for n in range(9, 40)
    ]
    write(lakehouse, RETENTION_LISTS, listed)
    before = with_checked_curves(lakehouse, small_bundle(), described(N_USERS), NIGHT, 30)
    noon = datetime.combine(listed_on, time(12))
    contact = {"list_date": listed_on, "user_id": "15", "contact_ts": noon, "channel": "call"}
    write(lakehouse, CONTACTS, [contact | {"offer": "", "cost": 0.0, "outcome": "reached"}])
    found = with_checked_curves(lakehouse, small_bundle(), described(N_USERS), NIGHT, 30)
    assert before.checked is not None
    assert found.checked is not None
    # 3 and 6 count once, 12 four times, and 15 no more: as much as two of equal weight.
    assert before.checked.cancels.tolist() == [2, 0, 0, 2, 0]
    assert found.checked.cancels == pytest.approx(np.array([2, 0, 0, 4, 0]) * 6 / 18)
    ratio = found.checked.expected[0] / before.checked.expected[0]
    # Of 58 users 28 were never named.
    assert ratio == pytest.approx((28 + 4) / 58 * 6 / 18, rel=0.03)
    watched = read_scored(lakehouse, NIGHT, COSTS, small_bundle()).watched
    assert watched is not None
    assert watched.are_contacted


def test_label_without_cancels_has_no_curves_to_check(lakehouse: Lakehouse) -> None:
    bundle = replace(small_bundle(), label={"kind": "lifetime", "horizon_days": 14, "gap_days": 1})
    assert with_checked_curves(lakehouse, bundle, described(N_USERS), NIGHT, 30) is bundle
