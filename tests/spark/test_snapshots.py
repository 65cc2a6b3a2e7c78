"""Features and population as of a date against the oracle; and that nothing after it matters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import Config, load_config
from churn_spark.contracts.tables import SNAPSHOTS
from churn_spark.features.snapshots import build_lifetime_snapshots, build_snapshots
from churn_spark.timeline import Horizon
from tests import oracle_features, oracles
from tests.builders import collect_dicts, random_records, read_events, record, write_lines
from tests.rollup_builders import build_session_days

_DATES = (date(2018, 10, 1), date(2018, 10, 9), date(2018, 11, 26), date(2019, 1, 20))
_ACTIVE_DAYS = 60
_DAY = 86_400_000

Record = dict[str, Any]
Rows = dict[tuple[Any, ...], dict[str, Any]]


@pytest.fixture(scope="module")
def base() -> Config:
    """The base configuration."""
    return load_config()


@pytest.fixture(scope="module")
def log() -> list[Record]:
    """The random log."""
    return random_records(seed=2)


@pytest.fixture(scope="module")
def accepted(log: list[Record]) -> list[oracles.Event]:
    """The random log as the oracle accepts it."""
    return oracles.accept_events(log)


@pytest.fixture(scope="module")
def load(
    spark: SparkSession, base: Config, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Iterable[Record]], DataFrame]:
    """Events of any records, by way of a file."""

    def load_records(records: Iterable[Record]) -> DataFrame:
        path = write_lines(tmp_path_factory.mktemp("log") / "log.json", records)
        return read_events(spark, [path], base)

    return load_records


@pytest.fixture(scope="module")
def events(load: Callable[[Iterable[Record]], DataFrame], log: list[Record]) -> DataFrame:
    """Events of the random log."""
    return load(log).cache()


@pytest.fixture(scope="module")
def session_days(events: DataFrame) -> DataFrame:
    """Session days of the random log."""
    return build_session_days(events).cache()


@pytest.fixture(scope="module")
def snapshots(session_days: DataFrame) -> Rows:
    """Snapshots of the random log, all dates in one build."""
    return _collect(session_days, _DATES)


def _collect(session_days: DataFrame, dates: Iterable[date]) -> Rows:
    snapshots = build_snapshots(session_days, list(dates), _ACTIVE_DAYS)
    return collect_dicts(snapshots, "as_of", "user_id")


def _expected(events: list[oracles.Event], dates: Iterable[date]) -> Rows:
    return {
        (day, user): features
        for day in dates
        for user, features in oracle_features.features_as_of(events, day, _ACTIVE_DAYS).items()
    }


def _differences(found: Rows, expected: Rows) -> list[tuple[Any, ...]]:
    """What differs: rows that one side lacks, and values that aren't equal to 12 digits."""
    lacking = [("lacking", key) for key in found.keys() ^ expected.keys()]
    return lacking + [
        (*key, name, found[key].get(name), value)
        for key in found.keys() & expected.keys()
        for name, value in expected[key].items()
        if found[key].get(name, "none") != pytest.approx(value, rel=1e-12, abs=1e-12)
    ]


def _of_date(rows: Rows, day: date) -> Rows:
    return {key: row for key, row in rows.items() if key[0] == day}


@pytest.mark.parametrize("day", _DATES)
def test_features_equal_the_oracle_as_of(
    day: date, snapshots: Rows, accepted: list[oracles.Event]
) -> None:
    assert not _differences(_of_date(snapshots, day), _expected(accepted, [day]))
    assert {*SNAPSHOTS.column_names[2:]} == {name for row in snapshots.values() for name in row}


def test_random_log_is_awkward_enough(accepted: list[oracles.Event], snapshots: Rows) -> None:
    last = max(_DATES)
    everybody = set(oracle_features.lifetime_features(accepted, last))
    living = {user for day, user in snapshots if day == last}
    cancelled = {user for user in everybody if oracles.lifetime_label(accepted, user, last)}
    assert len(living) > 5
    assert len(cancelled) > 5
    assert everybody - living - cancelled, "nobody is away for 60 days"
    assert not _of_date(snapshots, _DATES[0])
    nulls = {name for row in snapshots.values() for name, value in row.items() if value is None}
    assert {"tenure_days", "gender", "location", "os"} <= nulls


@pytest.mark.parametrize("day", _DATES[1:])
def test_date_alone_equals_all_at_once(day: date, session_days: DataFrame, snapshots: Rows) -> None:
    assert _collect(session_days, [day]) == _of_date(snapshots, day)


def test_audience_that_pays_is_who_paid_last(session_days: DataFrame, snapshots: Rows) -> None:
    day = max(_DATES)
    built = build_snapshots(session_days, [day], _ACTIVE_DAYS, only_paid=True)
    expected = {
        key: row
        for key, row in _of_date(snapshots, day).items()
        if row["last_subscription_level"] == "paid"
    }
    found = collect_dicts(built, "as_of", "user_id")
    # The log's first date is not told, so it is that of the days: the same for both.
    assert found == expected
    assert 0 < len(expected) < len(_of_date(snapshots, day))


def test_only_those_are_asked_for_whose_subscription_ends_in_the_window(
    session_days: DataFrame, snapshots: Rows
) -> None:
    day, ending = max(_DATES), Horizon(14, 1)
    # Some end in the window; that of the newest event counts, here the day of the registration.
    end = F.date_add(F.lit(day), F.dayofmonth("registered_ts")).cast("timestamp")
    told = session_days.withColumns(
        {"subscribed_until_ts": end, "subscription_seen": F.col("registration_seen")}
    )
    built = build_snapshots(told, [day], _ACTIVE_DAYS, ending=ending)
    found = {user for _, user in collect_dicts(built, "as_of", "user_id")}
    newest = (
        told.filter((F.col("event_date") < day) & F.col("registered_ts").isNotNull())
        .groupBy("user_id")
        .agg(F.max_by(F.dayofmonth("registered_ts"), "registration_seen").alias("days"))
        .collect()
    )
    asked = {row["user_id"] for row in newest if 1 <= row["days"] <= 14}
    assert found == asked & {user for _, user in _of_date(snapshots, day)}
    assert 0 < len(found) < len(_of_date(snapshots, day))


def test_lifetime_snapshots_equal_the_oracle_when_some_have_cancelled(
    session_days: DataFrame, accepted: list[oracles.Event]
) -> None:
    day = _DATES[2]
    found = collect_dicts(build_lifetime_snapshots(session_days, day), "as_of", "user_id")
    expected = oracle_features.lifetime_features(accepted, day)
    assert not _differences(found, {(day, user): row for user, row in expected.items()})


@pytest.mark.parametrize("how", ["delivered twice", "one partition", "seven partitions", "sorted"])
def test_features_are_the_same_when_events_are(
    how: str, events: DataFrame, snapshots: Rows
) -> None:
    changed = {
        "delivered twice": lambda: events.unionByName(events),
        "one partition": lambda: events.repartition(1),
        "seven partitions": lambda: events.repartition(7, F.rand(5)),
        "sorted": lambda: events.orderBy(F.desc("event_ts"), "event_hash"),
    }[how]()
    assert _collect(build_session_days(changed), _DATES) == snapshots


def _poison(records: list[Record], how: str, day: date) -> list[Record]:
    """The log with everything at or after the date removed, changed or added to."""
    start = oracles.millis_of(day)
    past = [one for one in records if one["ts"] < start]
    future = [one for one in records if one["ts"] >= start]
    profile = {
        "level": "poison",
        "gender": "X",
        "location": "Nowhere, ZZ",
        "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Opera/9",
        "registration": 1262304000000,
    }
    users = {one.get("userId") for one in past}
    added = [
        record(userId=user, ts=start + later, sessionId=session, page=page, auth=auth, **profile)
        for user in (*users, "newcomer")
        for later in (0, 1, 5 * _DAY)
        for session in (1, 99)
        for page, auth in (
            ("NextSong", "Logged In"),
            ("Downgrade", "Logged In"),
            ("Cancellation Confirmation", "Cancelled"),
        )
    ]
    changed = [
        {**one, **profile, "page": "NextSong", "length": 5000.0, "auth": "Logged In"}
        for one in future
    ]
    return past + {"removed": [], "changed": changed, "added to": future + added}[how]


@pytest.mark.parametrize("how", ["removed", "changed", "added to"])
def test_features_are_the_same_when_the_future_is(
    how: str,
    log: list[Record],
    load: Callable[[Iterable[Record]], DataFrame],
    snapshots: Rows,
) -> None:
    day = _DATES[2]
    expected = {key: row for key, row in snapshots.items() if key[0] <= day}
    poisoned = build_session_days(load(_poison(log, how, day)))
    assert _collect(poisoned, [one for one in _DATES if one <= day]) == expected


_D = date(2018, 12, 3)
_START = oracles.millis_of(_D)
_GONE: Record = {"page": "Cancellation Confirmation", "auth": "Cancelled"}
_RECENT: Record = {"ts": _START - 10 * _DAY}
_POPULATION: dict[str, tuple[list[Record], bool]] = {
    "last event a millisecond before D": ([{"ts": _START - 1}], True),
    "first event at D": ([{"ts": _START}], False),
    "last event 60 days before D": ([{"ts": _START - 60 * _DAY}], True),
    "last event a millisecond earlier": ([{"ts": _START - 60 * _DAY - 1}], False),
    "back at D after 61 days": ([{"ts": _START - 61 * _DAY}, {"ts": _START}], False),
    "logged-out rows only": ([{**_RECENT, "auth": "Logged Out"}], False),
    "logged out after 61 days": (
        [{"ts": _START - 61 * _DAY}, {**_RECENT, "auth": "Logged Out"}],
        False,
    ),
    "cancelled a millisecond before D": ([_RECENT, {**_GONE, "ts": _START - 1}], False),
    "cancelled at D": ([_RECENT, {**_GONE, "ts": _START}], True),
    "cancelled the midnight before D": ([_RECENT, {**_GONE, "ts": _START - _DAY}], False),
    "cancelled long before, came back": (
        [{**_GONE, "ts": _START - 50 * _DAY}, {"ts": _START - _DAY}],
        False,
    ),
    "cancelled while logged in": ([_RECENT, {**_GONE, "auth": "Logged In", **_RECENT}], False),
    "confirmation only": ([{**_GONE, **_RECENT}], False),
    "Cancel page without confirmation": ([{**_RECENT, "page": "Cancel"}], True),
    "unknown page only": ([{**_RECENT, "page": "A page of tomorrow"}], True),
}
_MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_4) Version/7.0.5 Safari/537.77.4"
_FEATURES: dict[str, tuple[list[Record], str, Any]] = {
    "tenure has a fraction": ([{"registration": _START - 36 * 3_600_000}], "tenure_days", 1.5),
    "tenure is null without registration": ([{"registration": None}], "tenure_days", None),
    "session over midnight counts once": (
        [{"ts": _START - 1}, {"ts": _START - _DAY - 1}, {"ts": _START - 3 * _DAY}],
        "num_sessions",
        1,
    ),
    "logged-out session doesn't count": (
        [{}, {"sessionId": 2, "auth": "Logged Out"}],
        "num_sessions",
        1,
    ),
    "session logged in on its second day only": (
        [{"ts": _START - 2 * _DAY, "auth": "Logged Out"}, {"ts": _START - 1}],
        "num_sessions",
        1,
    ),
    "songs per session": (
        [{"sessionId": 1}, {"sessionId": 2}, {"sessionId": 3, "page": "Home"}],
        "avg_songs_per_session",
        2 / 3,
    ),
    "zero songs": ([{"page": "Home"}], "avg_songs_per_session", 0.0),
    "zero listening": ([{"page": "Home"}], "total_listen_time", 0.0),
    "downgrade pages, completed or not": (
        [{"page": "Downgrade"}, {"page": "Submit Downgrade"}, {"page": "Downgrade", "ts": _START}],
        "num_downgrades",
        1,
    ),
    "level of a tie is by item": (
        [{"level": "paid", "itemInSession": 2}, {"level": "free", "itemInSession": 10}],
        "last_subscription_level",
        "free",
    ),
    "level of a tie over sessions is by item": (
        [
            {"level": "paid", "itemInSession": 2, "sessionId": 2},
            {"level": "free", "itemInSession": 10, "sessionId": 1},
        ],
        "last_subscription_level",
        "free",
    ),
    "level isn't that of a confirmation": (
        [{"level": "paid", "page": "Cancel"}, {**_GONE, "ts": _START, "level": "free"}],
        "last_subscription_level",
        "paid",
    ),
    "level isn't that of a logged-out row": (
        [{"level": "paid"}, {"level": "free", "auth": "Logged Out", "ts": _START - 1}],
        "last_subscription_level",
        "paid",
    ),
    "gender is filled from the past": (
        [{"gender": "M", "ts": _START - 20 * _DAY}, {"gender": None}],
        "gender",
        "M",
    ),
    "gender isn't filled from the future": (
        [{"gender": None}, {"gender": "M", "ts": _START}],
        "gender",
        None,
    ),
    "location is the newest": (
        [{"location": "Guam", "ts": _START - 20 * _DAY}, {"location": "Boston-Newton, MA-NH"}],
        "location",
        "MA",
    ),
    "os is of the newest device": (
        [{"ts": _START - 20 * _DAY}, {"userAgent": _MAC}, {"userAgent": None, "ts": _START - 1}],
        "os",
        "macOS",
    ),
    "browser is of the same device": (
        [{"userAgent": _MAC}, {"userAgent": " ", "ts": _START - 1}],
        "browser",
        "Safari",
    ),
}


@pytest.fixture(scope="module")
def cases(load: Callable[[Iterable[Record]], DataFrame]) -> dict[str, dict[str, Any]]:
    """Case -> features as of D of the user of that name, if in the population."""
    rows = {case: changes for case, (changes, _) in _POPULATION.items()}
    rows |= {case: changes for case, (changes, *_) in _FEATURES.items()}
    records: list[Record] = []
    for case, changes in rows.items():
        records += [record(**{"userId": case, **_RECENT, **change}) for change in changes]
    found = _collect(build_session_days(load(records)), [_D])
    return {user: features for (_, user), features in found.items()}


@pytest.mark.parametrize("case", _POPULATION)
def test_user_is_in_the_population_or_not_when(case: str, cases: dict[str, dict[str, Any]]) -> None:
    assert (case in cases) == _POPULATION[case][1]


@pytest.mark.parametrize("case", _FEATURES)
def test_feature_is_as_defined_when(case: str, cases: dict[str, dict[str, Any]]) -> None:
    _, feature, value = _FEATURES[case]
    assert cases[case][feature] == value


def test_no_feature_knows_the_cancellation_when_user_has_cancelled(
    load: Callable[[Iterable[Record]], DataFrame],
) -> None:
    """The pages of cancelling change nothing, not by page, method, status, level or time."""
    played: list[Record] = [{"ts": _START - 10 * _DAY + second} for second in range(5)]
    goodbye: list[Record] = [
        {"ts": _START - 9 * _DAY, "page": "Cancel", "status": 307},
        {"ts": _START - 8 * _DAY, **_GONE, "level": "gone", "gender": "X", "userAgent": _MAC},
    ]
    records = [record(userId=user, **one) for user in ("stays", "leaves") for one in played]
    records += [record(userId="leaves", **one) for one in goodbye]
    days = build_session_days(load(records))
    found = collect_dicts(build_lifetime_snapshots(days, _D), "user_id")
    stays, leaves = found[("stays",)], found[("leaves",)]
    assert leaves == stays


@pytest.mark.sample_data
@pytest.mark.parametrize(
    ("name", "dates"),
    [
        ("seven_users.json.gz", (date(2018, 10, 22), date(2018, 11, 20))),
        ("log_data", (date(2018, 11, 11), date(2018, 12, 1))),
        # The oracle takes its time with 278,491 events.
        pytest.param("customer_churn_mini.json.gz", (date(2018, 11, 12),), marks=pytest.mark.slow),
    ],
)
def test_features_equal_the_oracle_on_real_logs(
    name: str, dates: tuple[date, ...], spark: SparkSession, base: Config, sample_data: Path
) -> None:
    log = oracles.accept_events(oracles.read_records(sample_data / name))
    found = _collect(build_session_days(read_events(spark, [sample_data / name], base)), dates)
    expected = _expected(log, dates)
    assert expected
    assert not _differences(found, expected)
