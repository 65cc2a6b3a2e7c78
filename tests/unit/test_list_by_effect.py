"""The list by effect: against an oracle, who is left alone, and what stays of the list by risk."""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import RetentionListConfig, load_config
from churn_spark.contracts.tables import RETENTION_LISTS
from churn_spark.scoring.by_effect import ByEffect
from churn_spark.scoring.control_group import is_control, only_listed
from churn_spark.scoring.retention_list import build_retention_list
from tests.local_lakehouse import open_local

DAY = date(2026, 3, 2)
NO_LISTS = pd.DataFrame(columns=["as_of", "user_id", "list_rank", "on_list_since", "assignment"])
User = tuple[float, float, float]
"""Probability, worth and what listing saves."""


def configured(**changes: Any) -> RetentionListConfig:
    base = load_config().retention_list.model_dump()
    return RetentionListConfig.model_validate({**base, "capacity": 5, **changes})


def scores_of(users: list[User]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "as_of": DAY,
            "user_id": [f"u{n:02}" for n in range(len(users))],
            "model_version": "1",
            "churn_probability": [probability for probability, _, _ in users],
            "risk_band": "high",
            "value_at_risk": [probability * worth for probability, worth, _ in users],
            "reasons": [["came 1 time"]] * len(users),
            "reason_fields": None,
            "saves": [saves for _, _, saves in users],
        }
    )


def effect(*, leaves_alone: bool = True, min_risk: float = 0.2, pool: float = 2.0) -> ByEffect:
    return ByEffect(lambda rows: rows["saves"].to_numpy(), min_risk, leaves_alone, pool)


def build(users: list[User], config: RetentionListConfig, known: ByEffect | None) -> pd.DataFrame:
    return build_retention_list(scores_of(users), [], NO_LISTS, DAY, config, known)


def expected(
    users: list[User], config: RetentionListConfig, known: ByEffect
) -> list[tuple[Any, ...]]:
    """User, assignment and rank of each row, by hand."""
    capacity = int(config.capacity)
    share, campaign = config.control_share, config.campaign
    named = [(f"u{n:02}", *user) for n, user in enumerate(users)]
    by_value = sorted(named, key=lambda u: (-(u[1] * u[2]), -u[1], u[0]))
    by_value = [u for u in by_value if u[1] * u[2] > 0]

    def is_harmed(user: Any) -> bool:
        return known.leaves_alone and user[1] >= known.min_risk and user[3] < 0

    n_pool = math.ceil(known.pool * capacity / (1 - share))
    # Twice as many until the list is full, or nobody is left.
    while n_pool < len(by_value) and capacity > sum(
        not is_harmed(u) and not is_control(u[0], campaign, share) for u in by_value[:n_pool]
    ):
        n_pool *= 2
    pool = by_value[:n_pool]

    def cut(order: list[Any]) -> list[Any]:
        taken, n_listed = [], 0
        for user in order:
            if n_listed == capacity:
                break
            taken.append(user)
            n_listed += not is_control(user[0], campaign, share)
        return taken

    harmed = [u for u in pool if is_harmed(u)]
    others = [u for u in pool if u not in harmed]
    # Those of whom nothing is known come after the others, in the order of their value.
    others.sort(key=lambda u: -(u[3] * u[2]) if u[1] >= known.min_risk else math.inf)
    rows: list[tuple[Any, ...]] = []
    for user, *_ in cut(others):
        if is_control(user, campaign, share):
            rows.append((user, "control", None))
        else:
            rows.append((user, "listed", sum(row[1] == "listed" for row in rows) + 1))
    left = [(u[0], "left_alone", None) for u in cut(pool) if u in harmed]
    return [*rows, *left]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([0.1, 0.2, 0.3]),
            st.sampled_from([0.0, 1.0, 2.0]),
            st.sampled_from([-0.1, 0.0, 0.05, 0.1]),
        ),
        min_size=1,
        max_size=40,
    ),
    st.sampled_from([0.0, 0.5]),
    st.booleans(),
    st.sampled_from([1.0, 2.0]),
)
def test_list_is_that_of_the_oracle(
    users: list[User], share: float, leaves_alone: bool, pool: float
) -> None:
    config, known = configured(control_share=share), effect(leaves_alone=leaves_alone, pool=pool)
    found = build(users, config, known)
    ranks = [None if pd.isna(rank) else int(rank) for rank in found["list_rank"]]
    rows = [*zip(found["user_id"], found["assignment"], ranks, strict=True)]
    assert rows == expected(users, config, known)
    assert found.columns.tolist() == RETENTION_LISTS.column_names


def test_who_is_driven_away_is_not_called_and_not_drawn() -> None:
    users = [(0.9, 1.0, -0.2), (0.5, 1.0, 0.01), (0.4, 1.0, 0.2), (0.1, 1.0, -0.3)]
    found = build(users, configured(control_share=0.0), effect())
    assert found["user_id"].tolist() == ["u02", "u01", "u03", "u00"]
    assert found["assignment"].tolist() == ["listed", "listed", "listed", "left_alone"]
    # Too little at risk for anybody like them to have been on a list: nothing is known.
    assert found["expected_saves"].fillna(9).tolist() == [0.2, 0.01, 9, -0.2]
    assert only_listed(found)["user_id"].tolist() == ["u02", "u01", "u03"]
    drawn = build(users, configured(control_share=0.1), effect())
    assert set(drawn.set_index("user_id")["control_share"].items()) >= {("u00", 0.0), ("u02", 0.1)}
    # Not surely driven away: at the end of those who are known, and drawn like them.
    unsure = build(users, configured(control_share=0.0), effect(leaves_alone=False))
    assert unsure["user_id"].tolist() == ["u02", "u01", "u00", "u03"]


def test_saving_in_proportion_to_the_risk_keeps_the_list_by_risk() -> None:
    users = [(0.9 - n / 100, 1.0 + n % 3, 0.3 * (0.9 - n / 100)) for n in range(60)]
    config = configured(control_share=0.25)
    by_risk = build(users, config, None)
    by_effect = build(users, config, effect(min_risk=0.0))
    columns = ["user_id", "list_rank", "assignment"]
    pd.testing.assert_frame_equal(by_risk[columns], by_effect[columns])
    assert by_risk["expected_saves"].isna().all()


@pytest.mark.parametrize("known", [None, effect()])
def test_table_has_null_where_nothing_is_known(
    known: ByEffect | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lakehouse = open_local(tmp_path_factory.mktemp("lakehouse"))
    users = [(0.5, 1.0, 0.01), (0.4, 1.0, 0.2), (0.1, 1.0, 0.3)]
    rows = build(users, configured(control_share=0.0), known)
    lakehouse.replace_rows(rows, RETENTION_LISTS, {"as_of": [DAY]})
    found = lakehouse.collect_rows(RETENTION_LISTS)
    saves = {row.user_id: row.expected_saves for row in found}
    assert saves == ({"u00": 0.01, "u01": 0.2, "u02": None} if known else dict.fromkeys(saves))


@pytest.mark.parametrize("n_harmed", [0, 40])
def test_list_is_as_long_as_the_team_can_call(n_harmed: int) -> None:
    users = [(0.9 - n / 200, 1.0, -0.1 if n < n_harmed else 0.05) for n in range(100)]
    for draw in range(20):
        config = configured(control_share=0.1, capacity=20, campaign=f"c{draw}")
        found = build(users, config, effect(pool=1.0))
        assert only_listed(found)["list_rank"].tolist() == [*range(1, 21)]
        # Of those who aren't harmed nobody is passed over: all save the same.
        others = found[found["assignment"] != "left_alone"]["user_id"].tolist()
        assert others == [f"u{n:02}" for n in range(n_harmed, n_harmed + len(others))]


def build_next(users: list[User], config: RetentionListConfig, first: pd.DataFrame) -> pd.DataFrame:
    """The list by risk of the day after."""
    day = DAY + timedelta(days=1)
    scores = scores_of(users).assign(as_of=day)
    return build_retention_list(scores, [], first[NO_LISTS.columns], day, config)


@pytest.mark.parametrize("quiet_days", [0, 14])
def test_who_was_left_alone_is_new_once_listed_and_does_not_rest(quiet_days: int) -> None:
    users = [(0.9 - n / 50, 1.0, -0.1 if n < 4 else 0.05) for n in range(30)]
    config = configured(control_share=0.0, quiet_days=quiet_days)
    first = build(users, config, effect(pool=3.0))
    assert first[first["assignment"] == "left_alone"]["user_id"].tolist() == [
        f"u{n:02}" for n in range(4)
    ]
    second = build_next(users, config, first).set_index("user_id")
    # Of those who were listed the first by value stays, unless it rests.
    assert second.index.tolist() == ["u00", "u01", "u02", "u03", "u09" if quiet_days else "u04"]
    assert second["days_on_list"].tolist() == [1, 1, 1, 1, 1 if quiet_days else 2]
    assert {*second["on_list_since"][:4]} == {DAY + timedelta(days=1)}
    assert second["previous_rank"].isna().tolist() == [True] * 4 + [bool(quiet_days)]


def test_who_was_withheld_is_new_on_the_first_list_of_another_campaign() -> None:
    users = [(0.9 - n / 50, 1.0, 0.0) for n in range(30)]
    first = build(users, configured(control_share=0.5, campaign="a"), None)
    second = build_next(users, configured(control_share=0.5, campaign="b"), first)
    before = dict(zip(first["user_id"], first["assignment"], strict=True))
    days = {
        (before.get(row.user_id), row.assignment, row.days_on_list) for row in second.itertuples()
    }
    # Both sides of the draw change it: nobody stays by having been on the other.
    assert {("control", "listed", 1), ("listed", "control", 1)} <= days
    assert {("listed", "listed", 2), ("control", "control", 2)} >= {d for d in days if d[2] == 2}
    assert {("listed", "listed"), ("control", "control")} & {d[:2] for d in days if d[2] == 2}


def test_list_of_an_older_release_has_only_listed_users() -> None:
    users = [(0.9 - n / 50, 1.0, 0.0) for n in range(8)]
    first = build(users, configured(control_share=0.0), None).assign(assignment=None)
    assert build_next(users, configured(control_share=0.0), first)["days_on_list"].tolist() == (
        [2] * 5
    )
