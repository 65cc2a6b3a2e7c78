"""Churn by a subscription's end date: its labels, who is asked for, and what is refused."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from foreign_logs import ingest_by
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from churn_spark.config import load_config
from churn_spark.errors import ConfigError, RequestError
from churn_spark.events.block import read_block
from churn_spark.features.labels import build_lapse_labels
from churn_spark.features.local.snapshots import build_snapshots
from churn_spark.features.local.totals import add_days, no_totals
from churn_spark.pipeline.training_data import chosen_features, used_sets
from churn_spark.serving.events.request import parse_events
from churn_spark.timeline import Horizon, days_after
from tests.builders import millis, record
from tests.session_days import session_days_of

pytestmark = pytest.mark.unit
START = date(2018, 10, 1)
LAPSE = ["labels.churn=lapse", "labels.grace_days=3"]
_TOLD = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 60), st.integers(0, 90), st.integers(0, 3)),
    max_size=12,
    unique_by=lambda one: (one[0], one[1], one[3]),
)
_SCHEMA = {
    "user_id": pl.String(),
    "event_date": pl.Date(),
    "subscribed_until_ts": pl.Datetime("us", "UTC"),
    "subscription_seen": pl.Int64(),
}


def _instant(day: int) -> datetime:
    return datetime(2018, 10, 1, 12, tzinfo=UTC) + timedelta(days=day)


def _ends(told: list[tuple[str, int, int, int]]) -> pl.DataFrame:
    rows = [
        (user, days_after(START, day), _instant(end), day * 10 + order)
        for user, day, end, order in told
    ]
    return pl.DataFrame(rows, _SCHEMA, orient="row")


@given(_TOLD, st.integers(1, 20), st.integers(0, 3), st.integers(0, 5), st.integers(0, 99))
def test_who_tells_no_later_end_in_time_has_lapsed(
    told: list[tuple[str, int, int, int]], n_days: int, gap: int, grace: int, known: int
) -> None:
    keys = [(days_after(START, back), user) for back in (0, 10, 30) for user in "abc"]
    population = pl.DataFrame(keys, {"as_of": pl.Date(), "user_id": pl.String()}, orient="row")
    horizon = Horizon(n_days, gap, grace)
    labels = build_lapse_labels(population, _ends(told), horizon, days_after(START, known))
    found = {(row["as_of"], row["user_id"]): row for row in labels.to_dicts()}
    assert list(found) == sorted(keys)
    for (as_of, user), row in found.items():
        now = (as_of - START).days
        known_ends = [
            (day, order, end) for who, day, end, order in told if who == user and day < now
        ]
        is_known = now + gap + n_days + grace <= known
        expected = None
        if known_ends and is_known:
            end = max(known_ends)[2]
        if known_ends and is_known and gap <= end - now < gap + n_days:
            later = range(now, end + grace + 1)
            expected = int(
                not any(who == user and day in later and to > end for who, day, to, _ in told)
            )
        assert (row["label"], row["is_known"]) == (expected, is_known)


def test_a_renewal_from_before_the_date_that_comes_late_leaves_no_label() -> None:
    as_of = days_after(START, 6)
    population = pl.DataFrame({"as_of": [as_of], "user_id": ["a"]})
    told = [("a", 2, 14, 0), ("a", 8, 45, 0), ("a", 19, 45, 0)]
    for late, expected in ([], 0), ([("a", 5, 45, 0)], None):
        ends = _ends([*told, *late])
        labels = build_lapse_labels(population, ends, Horizon(14, 1, 3), days_after(START, 60))
        assert labels["label"].to_list() == [expected]
        assert labels["is_known"].to_list() == [True]


def _log() -> pl.DataFrame:
    told = {"early": 14, "first": 15, "last": 28, "late": 29, "renewed": 20, "none": None}
    rows = [
        {
            "user_id": user,
            "session_id": 1,
            "event_date": START,
            "n_events": 1,
            "subscribed_until_ts": None if end is None else _instant(end),
            "subscription_seen": None if end is None else 1,
        }
        for user, end in told.items()
    ]
    again = {**rows[4], "session_id": 2, "event_date": days_after(START, 3)}
    return session_days_of(
        [*rows, again | {"subscribed_until_ts": _instant(50), "subscription_seen": 2}]
    )


def test_only_those_are_asked_for_whose_known_end_is_in_the_window() -> None:
    as_of, ending = days_after(START, 14), Horizon(14, 1)
    everybody = build_snapshots(_log(), no_totals(), [as_of], START, 60)
    found = build_snapshots(_log(), no_totals(), [as_of], START, 60, ending=ending)
    asked = everybody.filter(pl.col("user_id").is_in(["first", "last"]))
    assert_frame_equal(found, asked, check_row_order=False)
    totals = add_days(_log(), no_totals(), days_after(START, 4), "")
    of_totals = build_snapshots(_log().clear(), totals, [as_of], START, 60, ending=ending)
    assert sorted(of_totals["user_id"]) == ["first", "last"]
    before = days_after(START, 2)
    then = build_snapshots(_log(), no_totals(), [before], START, 60, ending=Horizon(25, 1))
    assert "renewed" in then["user_id"]


def test_an_end_comes_from_a_column_and_changes_no_hash() -> None:
    mapping = {"time": {"column": "t", "unit": "s"}, "user": "who", "page": {"constant": "Visit"}}
    until = {"subscribed_until": {"column": "until", "unit": "iso"}}
    lines = [
        {"t": 1538352000, "who": 1, "until": "2018-11-01"},
        {"t": 1538352001, "who": 1, "until": "9999-12-31"},
        {"t": 1538352002, "who": 1, "until": ""},
        {"t": 1538352003, "who": 1, "until": "soon"},
    ]
    data = "".join(json.dumps(one) + "\n" for one in lines).encode()
    block = read_block(data, ingest_by(mapping | until), 4)
    told = block.events["subscribed_until_ts"].dt.date().to_list()
    assert told == [date(2018, 11, 1), date(9999, 12, 31), None]
    assert block.rejected["reason"].to_list() == ["wrong type"]
    plain = read_block(data, ingest_by(mapping), 4)
    assert plain.events["event_hash"].to_list()[:3] == block.events["event_hash"].to_list()


@pytest.mark.parametrize(
    ("column", "told", "until"),
    [
        ({"unit": "iso", "zone": "America/New_York"}, "9999-12-31 23:59:59", date(9999, 12, 31)),
        ({"unit": "iso"}, "9999-12-31T23:59:59-12:00", date(9999, 12, 31)),
        ({"unit": "s"}, 253_402_300_800 + 5 * 3600, date(9999, 12, 31)),
        ({"unit": "ms"}, 1000 * 253_402_300_800_000, None),
    ],
)
def test_never_is_never_in_every_zone(
    column: dict[str, str], told: str | int, until: date | None
) -> None:
    mapping = {
        "time": {"column": "t", "unit": "s"},
        "user": "who",
        "page": {"constant": "Visit"},
        "subscribed_until": {"column": "until", **column},
    }
    line = json.dumps({"t": 1538352000, "who": 1, "until": told}).encode()
    block = read_block(line, ingest_by(mapping), 4)
    assert block.events["subscribed_until_ts"].dt.date().to_list() == ([until] if until else [])
    assert block.rejected["reason"].to_list() == ([] if until else ["number out of range"])


def test_models_of_lapses_forecast_no_cancels_and_see_all_else() -> None:
    learning = load_config(overrides=LAPSE).learning
    assert used_sets(learning) == ("report", "activity")
    assert chosen_features(["activity"], learning) == chosen_features(
        ["activity"], load_config().learning
    )
    assert learning.labels.definition["grace_days"] == 3
    assert "grace_days" not in load_config().labels.definition


def test_a_label_is_known_when_its_grace_is_over() -> None:
    horizon = load_config(overrides=LAPSE).labels.horizon
    as_of = days_after(START, 5)
    assert horizon.newest_known(days_after(as_of, 18)) == as_of
    assert horizon.is_known(as_of, days_after(as_of, 18))
    assert not horizon.is_known(as_of, days_after(as_of, 17))


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["labels.grace_days=3"], "grace_days is for churn lapse"),
        ([*LAPSE, "labels.kind=lifetime"], "expected kind horizon with lapse"),
    ],
)
def test_a_definition_that_means_nothing_is_refused(overrides: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_config(overrides=overrides)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (None, "found no end of the subscription, expected one from 2018-12-01 to 2018-12-14"),
        ("2018-11-30 10:00:00", "found one that ends on 2018-11-30"),
        ("2018-12-15 00:00:00", "found one that ends on 2018-12-15"),
        ("2018-12-14 23:59:59", None),
    ],
)
def test_the_service_answers_for_those_whose_subscription_ends_then(
    end: str | None, told: str | None
) -> None:
    config = load_config(overrides=LAPSE).service
    until = {} if end is None else {"subscribedUntil": millis(end)}
    events = [record(ts=millis("2018-11-29 12:00:00"), **until)]
    body = json.dumps({"as_of": "2018-11-30", "events": events}).encode()
    if told is None:
        assert parse_events(body, config).events[0].subscribed_until_ts == millis(end or "")
        return
    with pytest.raises(RequestError, match=told):
        parse_events(body, config)
