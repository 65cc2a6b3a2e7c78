"""The list against the oracle: capacity, suppression, rest, ties, and the days before."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from churn_spark.config import RetentionListConfig, load_config
from churn_spark.contracts.survival import CAP_DAYS, EXPECTED_DAYS, FEE_DAYS, survival_columns
from churn_spark.contracts.tables import RETENTION_LISTS, SCORES
from churn_spark.errors import InputError
from churn_spark.lakehouse.arrow_schema import to_arrow
from churn_spark.lakehouse.frames import Rows, collect
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.bundle import ModelBundle
from churn_spark.scoring.control_group import is_control
from churn_spark.scoring.retention_list import (
    Stability,
    add_changes,
    build_retention_list,
    measure_stability,
)
from churn_spark.scoring.scores import build_scores
from churn_spark.scoring.suppression import read_suppressed
from tests.list_builders import small_bundle

_D = date(2018, 11, 5)

Row = dict[str, Any]
Suppressed = list[tuple[str, date | None]]


def configured(**changes: Any) -> RetentionListConfig:
    base = {**load_config().retention_list.model_dump(), "control_share": 0.0}
    return RetentionListConfig.model_validate({**base, **changes})


def score(as_of: date, user: str, probability: float, value: float) -> Row:
    return {
        "as_of": as_of,
        "user_id": user,
        "model_version": "1",
        "churn_probability": probability,
        "risk_rank": 1,
        "session_days_version": 3,
        "risk_band": "high",
        **dict.fromkeys([*survival_columns(), EXPECTED_DAYS]),
        "value_at_risk": value,
        "reasons": ["came 1 time"],
        "reason_fields": None,
    }


def random_scores(rng: random.Random, as_of: date, n_users: int = 40) -> list[Row]:
    """Few different values, so that ties are the rule."""
    rows = []
    for user in range(n_users):
        probability = rng.choice([0.1, 0.2, 0.3])
        value = rng.choice([0.0, 1.0, 2.0, 3.0])
        rows.append(score(as_of, f"u{user}", probability, round(probability * value, 6)))
    return rows


def expected_list(
    scores: list[Row],
    suppressed: Suppressed,
    earlier: Mapping[date, Mapping[str, Row]],
    as_of: date,
    capacity: int,
    quiet_days: int,
) -> dict[str, Row]:
    """From the definition, user by user."""
    lists = {day: users for day, users in earlier.items() if day < as_of}
    newest = lists[max(lists)] if lists else {}
    chosen = [
        one
        for one in scores
        if one["value_at_risk"] > 0
        and not any(
            user == one["user_id"] and (until is None or as_of < until)
            for user, until in suppressed
        )
        and not any(
            one["user_id"] in users and as_of - day < timedelta(days=quiet_days)
            for day, users in lists.items()
        )
    ]
    chosen.sort(key=lambda o: (-o["value_at_risk"], -o["churn_probability"], o["user_id"]))
    found = {}
    for rank, one in enumerate(chosen[:capacity], 1):
        before = newest.get(one["user_id"])
        since = before["since"] if before else as_of
        found[one["user_id"]] = {
            "rank": rank,
            "since": since,
            "days": (as_of - since).days + 1,
            "before": before["rank"] if before else None,
        }
    return found


def found_list(listed: pd.DataFrame) -> dict[str, Row]:
    return {
        row.user_id: {
            "rank": row.list_rank,
            "since": row.on_list_since,
            "days": row.days_on_list,
            "before": None if pd.isna(row.previous_rank) else row.previous_rank,
        }
        for row in listed.itertuples()
    }


def scores_of(rows: Iterable[Row]) -> pd.DataFrame:
    return pd.DataFrame([[row[name] for name in SCORES.column_names] for row in rows]).set_axis(
        SCORES.column_names, axis=1
    )


def lists_of(*lists: pd.DataFrame) -> pd.DataFrame:
    """Lists as they are read back."""
    tables = [to_arrow([], RETENTION_LISTS), *(to_arrow(one, RETENTION_LISTS) for one in lists)]
    return pa.concat_tables(tables).to_pandas()


NOTHING: tuple[Suppressed, pd.DataFrame] = ([], lists_of())
"""Nobody suppressed, no list yet."""


@pytest.mark.parametrize("quiet_days", [0, 3])
@pytest.mark.parametrize("in_spark", [False, True])
def test_lists_equal_the_oracle_over_several_dates(
    spark: SparkSession, quiet_days: int, in_spark: bool
) -> None:
    rng = random.Random(quiet_days)
    config = configured(capacity=9, quiet_days=quiet_days)
    earlier = lists_of()
    expected: dict[date, dict[str, Row]] = {}
    # A night without a list is no gap: the newest earlier list is the one before it.
    for as_of in (_D, _D + timedelta(days=1), _D + timedelta(days=3)):
        scores = random_scores(rng, as_of)
        days = [None, as_of - timedelta(days=1), as_of, as_of + timedelta(days=1)]
        suppressed = [(f"u{rng.randrange(40)}", rng.choice(days)) for _ in range(12)]
        known: Rows = scores_of(scores)
        if in_spark:
            known = spark.createDataFrame(known, struct_of(SCORES)).repartition(3)
        listed = build_retention_list(known, suppressed, earlier, as_of, config)
        expected[as_of] = expected_list(scores, suppressed, expected, as_of, 9, quiet_days)
        assert found_list(listed) == expected[as_of]
        earlier = lists_of(earlier, listed)
    # After three days somebody comes back; after one, only where nobody rests.
    assert bool(expected[_D].keys() & expected[_D + timedelta(days=1)]) == (quiet_days == 0)
    assert expected[_D].keys() & expected[_D + timedelta(days=3)]


def test_list_is_the_same_when_built_again_beside_its_own_and_later_rows() -> None:
    rng = random.Random(1)
    dates = [_D, _D + timedelta(days=2)]
    config = configured(capacity=9, quiet_days=2)
    scores = {day: scores_of(random_scores(rng, day)) for day in dates}

    def build(day: date, *lists: pd.DataFrame) -> pd.DataFrame:
        return build_retention_list(scores[day], [], lists_of(*lists), day, config)

    first: dict[date, pd.DataFrame] = {}
    for day in dates:
        first[day] = build(day, *first.values())
    for day in dates:
        pd.testing.assert_frame_equal(build(day, *first.values()), first[day])


def test_members_do_not_depend_on_the_order_of_dates_without_quiet_days() -> None:
    rng = random.Random(2)
    config = configured(capacity=9)
    scores = {day: scores_of(random_scores(rng, day)) for day in (_D, _D + timedelta(days=1))}
    ranks = {}
    for order in (list(scores), list(scores)[::-1]):
        lists = lists_of()
        for day in order:
            listed = build_retention_list(scores[day], [], lists, day, config)
            lists = lists_of(lists, listed)
        ranks[tuple(order)] = {(r.as_of, r.user_id): r.list_rank for r in lists.itertuples()}
    forward, backward = ranks.values()
    assert forward == backward


@pytest.mark.parametrize("share", [0.25, 0.5])
@pytest.mark.parametrize("in_spark", [False, True])
def test_control_group_is_withheld_and_replaced(
    spark: SparkSession, share: float, in_spark: bool
) -> None:
    config = configured(capacity=9, control_share=share, campaign="spring")
    users = [f"u{user:03}" for user in range(80)]
    known: Rows = scores_of([score(_D, user, 0.1, 0.1) for user in users])
    if in_spark:
        known = spark.createDataFrame(known, struct_of(SCORES)).repartition(3)
    found = build_retention_list(known, *NOTHING, _D, config)
    drawn = {user: is_control(user, "spring", share) for user in users}
    listed = [user for user in users if not drawn[user]][:9]
    withheld = [user for user in users if drawn[user] and user < listed[-1]]
    assert withheld
    rows = found[found["assignment"] == "listed"]
    assert (rows["user_id"].tolist(), rows["list_rank"].tolist()) == (listed, [*range(1, 10)])
    control = found[found["assignment"] == "control"]
    assert control["user_id"].tolist() == withheld
    assert control["list_rank"].isna().all()
    assert {*found["campaign"]} == {"spring"}
    assert {*found["control_share"]} == {share}


def test_who_is_withheld_stays_so_and_counts_as_on_no_list_before() -> None:
    config = configured(capacity=9, control_share=0.5)
    days = [_D, _D + timedelta(days=1)]
    scores = [scores_of([score(day, f"u{n:02}", 0.1, 0.1) for n in range(40)]) for day in days]
    first = build_retention_list(scores[0], *NOTHING, days[0], config)
    second = build_retention_list(scores[1], [], lists_of(first), days[1], config)
    assert second["assignment"].tolist() == first["assignment"].tolist()
    assert {*second["on_list_since"]} == {_D}
    assert second[second["assignment"] == "control"]["previous_rank"].isna().all()
    assert measure_stability(second, lists_of(first), days[1]) == Stability(9, 9, 9)


@pytest.mark.parametrize(
    ("capacity", "n_users", "size"),
    [(1, 7, 1), (50, 7, 7), (0.29, 100, 29), (0.01, 7, 1)],
)
def test_list_has_the_capacity_of_the_team(capacity: float, n_users: int, size: int) -> None:
    scores = scores_of([score(_D, f"u{user:03}", 0.1, 0.1) for user in range(n_users)])
    listed = build_retention_list(scores, *NOTHING, _D, configured(capacity=capacity))
    assert sorted(found_list(listed)) == [f"u{user:03}" for user in range(size)]


def test_share_is_of_all_who_were_scored_whoever_is_left_out() -> None:
    scores = scores_of([score(_D, f"u{user}", 0.1, 0.1) for user in range(10)])
    suppressed = [(f"u{user}", None) for user in range(5)]
    listed = build_retention_list(scores, suppressed, lists_of(), _D, configured(capacity=0.4))
    assert sorted(found_list(listed)) == ["u5", "u6", "u7", "u8"]


def test_stability_compares_with_the_newest_list_before() -> None:
    days = [_D + timedelta(days=day) for day in range(3)]
    users = {days[0]: "abc", days[1]: "bcde", days[2]: "cdx"}
    lists = lists_of()
    for day in days:
        scores = scores_of([score(day, user, 0.1, 0.1) for user in users[day]])
        lists = lists_of(lists, build_retention_list(scores, [], lists, day, configured()))
    found = [measure_stability(lists[lists["as_of"] == day], lists, day) for day in days]
    assert found == [Stability(3, None, 0), Stability(4, 3, 2), Stability(3, 4, 2)]


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    return small_bundle()


@pytest.fixture(params=["on the driver", "in Spark"])
def users(request: pytest.FixtureRequest, spark: SparkSession) -> Rows:
    rows = [(_D, "a", 3, "free"), (_D, "b", 50, "paid"), (_D, "c", 3, None), (_D, "d", 2, "gone")]
    schema = "as_of date, user_id string, songs_7d long, last_subscription_level string"
    frame = spark.createDataFrame(rows, schema)
    return frame if request.param == "in Spark" else frame.toPandas()


def test_value_at_risk_is_the_fees_of_the_days_not_stayed(users: Rows, bundle: ModelBundle) -> None:
    scoring = load_config().scoring
    scores = collect(build_scores(users, bundle, scoring, {"paid": 10.0, "free": 2.0}))
    lost = (CAP_DAYS - scores[EXPECTED_DAYS]) / FEE_DAYS
    values = dict(zip(scores["user_id"], scores["value_at_risk"] / lost, strict=True))
    # An unknown level counts as the least.
    assert values == pytest.approx({"a": 2.0, "b": 10.0, "c": 2.0, "d": 2.0})
    assert scores["reasons"].map(len).all()


def test_list_says_what_would_help_those_on_it(users: Rows, bundle: ModelBundle) -> None:
    config = configured(capacity=3, n_changes=2)
    scores = build_scores(users, bundle, load_config().scoring, {"paid": 0.0, "free": 1.0})
    # Only the level free is worth something, so that c and d count for nothing.
    listed = build_retention_list(scores, *NOTHING, _D, config)
    found = add_changes(listed, users, bundle, config, 0.2)
    assert found["user_id"].tolist() == ["a"]
    first, second = found["would_help"].iloc[0]
    assert " with: played " in first
    assert first.endswith(" songs in 7 days instead of 3")
    assert second.endswith("with: subscription is paid instead of free")
    lowered, predicted = (float(found) for found in re.findall(r"(\d+) %", first))
    assert lowered < predicted


def test_to_pay_nothing_is_told_only_after_all_else() -> None:
    bundle, level = small_bundle(free_risk=-0.6), "last_subscription_level"
    users = pd.DataFrame({"as_of": [_D], "user_id": ["a"], "songs_7d": [3], level: ["paid"]})
    scores = scores_of([score(_D, "a", 0.3, 1.0)])
    listed = build_retention_list(scores, *NOTHING, _D, configured())

    def told(n_changes: int) -> list[str]:
        found = add_changes(listed, users, bundle, configured(n_changes=n_changes), 0.2)
        return list(found["would_help"].iloc[0])

    songs, free = told(2)
    assert songs.endswith(" songs in 7 days instead of 3")
    assert free.endswith("subscription is free instead of paid")
    by_songs, by_level = (float(re.findall(r"be ([\d.]+) %", one)[0]) for one in (songs, free))
    assert by_level < by_songs
    assert told(1) == [songs]


def test_nothing_would_help_who_is_at_no_risk_that_can_be_lowered(
    users: Rows, bundle: ModelBundle
) -> None:
    config = configured(min_drop=0.99)
    scores = build_scores(users, bundle, load_config().scoring, {"paid": 1.0})
    listed = build_retention_list(scores, *NOTHING, _D, config)
    found = add_changes(listed, users, bundle, config, 0.2)
    assert dict(zip(found["user_id"], map(list, found["would_help"]), strict=True)) == {
        user: [] for user in "abcd"
    }


def test_suppression_list_is_read_from_a_file_or_a_folder(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("user_id,until\n7,2018-12-01\n")
    pd.DataFrame({"user_id": ["8"], "until": [None]}).to_parquet(tmp_path / "b.parquet")
    one = read_suppressed(spark, str(tmp_path / "a.csv"))
    assert one == [("7", date(2018, 12, 1))]
    both = read_suppressed(spark, str(tmp_path))
    assert sorted(both) == [("7", date(2018, 12, 1)), ("8", None)]
    assert read_suppressed(spark, "") == []


def test_suppression_list_is_refused_when_there_is_none(
    spark: SparkSession, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"found no suppression list at .*missing\.csv, expected"):
        read_suppressed(spark, str(tmp_path / "missing.csv"))
