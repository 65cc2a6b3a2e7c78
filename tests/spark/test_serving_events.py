"""One user's events without Spark against the tables: the same records, features, probability."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pyspark.sql import DataFrame, SparkSession
from serving_builders import add_behaviour, make_bundle
from threadpoolctl import threadpool_limits

from churn_spark.config import Config, load_config
from churn_spark.contracts.features.formulas import Formula
from churn_spark.contracts.features.past import Past, Q, Trailing
from churn_spark.contracts.features.spec import FEATURES, LogFeature
from churn_spark.contracts.survival import survival_columns
from churn_spark.errors import RequestError
from churn_spark.features.snapshots import build_features, build_snapshots, build_user_history
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.fading.evidence import build_fading, gather_days
from churn_spark.serving.events.days import build_history
from churn_spark.serving.events.features import compute_features
from churn_spark.serving.events.records import Event, read_records
from churn_spark.serving.events.request import parse_events
from churn_spark.serving.events.values import compute_values
from churn_spark.serving.predictor import build_predictor
from churn_spark.timeline import Horizon
from tests import oracles
from tests.builders import collect_dicts, random_records, read_events, write_lines
from tests.rollup_builders import build_session_days, build_transitions

DATES = (date(2018, 10, 9), date(2018, 11, 30), date(2019, 1, 20))
HORIZON = Horizon(14, 1)
Record = dict[str, Any]
Rows = dict[tuple[Any, ...], dict[str, Any]]


@dataclass(frozen=True)
class Log:
    """Some records and the events that the ingest makes of them."""

    records: list[Record]
    events: DataFrame


@pytest.fixture(scope="module")
def base() -> Config:
    """The base configuration, with room for one user's events."""
    return load_config(overrides=["serving.max_events=100000"])


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    """A champion with a behaviour model."""
    return replace(add_behaviour(make_bundle()), version="1")


def make_log(spark: SparkSession, path: Path, records: list[Record], base: Config) -> Log:
    return Log(records, read_events(spark, [write_lines(path, records)], base).cache())


@pytest.fixture(scope="module")
def log(spark: SparkSession, base: Config, tmp_path_factory: pytest.TempPathFactory) -> Log:
    """The random log, with ties that only the hash of a record orders."""
    records = random_records(seed=11, n_users=60)
    other = {"free": "paid", "paid": "free"}
    records += [
        {**one, "level": other[one["level"]], "song": f"tie {number}"}
        for number, one in enumerate(records[::3])
        if one.get("level") in other
    ]
    path = tmp_path_factory.mktemp("log") / "log.json"
    return make_log(spark, path, records, base)


@pytest.fixture(scope="module")
def real_log(
    spark: SparkSession, base: Config, sample_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Log:
    """Seven users and some thirty others."""
    records = oracles.read_records(sample_data / "seven_users.json.gz")
    seven = {one["userId"] for one in records}
    others = oracles.read_records(sample_data / "customer_churn_mini.json.gz")
    chosen = sorted({str(one["userId"]) for one in others} - seven - {""})[::7]
    records += [one for one in others if str(one["userId"]) in chosen]
    path = tmp_path_factory.mktemp("log") / "log.json"
    return make_log(spark, path, records, base)


def in_tables(log: Log, bundle: ModelBundle, base: Config) -> Rows:
    """What the nightly tables say of everybody: features and probability."""
    assert bundle.behaviour is not None
    assert bundle.fading is not None
    session_days = build_session_days(log.events)
    snapshots = build_snapshots(session_days, DATES, base.snapshots.active_days).cache()
    transitions = build_transitions(log.events)
    behaviour = build_behaviour(snapshots, transitions, bundle.behaviour, HORIZON)
    fading = build_fading(snapshots, gather_days(session_days), bundle.fading, HORIZON)
    keys = ["as_of", "user_id"]
    # Curves of staying are told each night; the service answers the chance of the window.
    curves = [*survival_columns("behaviour"), *survival_columns("fading")]
    joined = snapshots.join(behaviour, keys, "left").join(fading, keys, "left")
    rows = joined.drop(*curves).cache()
    found = collect_dicts(rows, "as_of", "user_id")
    frame = rows.toPandas()
    for key, probability in zip(
        zip(frame["as_of"], frame["user_id"], strict=True),
        bundle.probabilities(frame),
        strict=True,
    ):
        found[key]["churn_probability"] = probability
    return found


def in_service(log: Log, bundle: ModelBundle, base: Config) -> tuple[Rows, set[tuple[date, str]]]:
    """What the service says of each user alone, and whom it refuses."""
    assert bundle.behaviour is not None
    predictor = build_predictor(bundle, base.scoring, {})
    first = min(event.day for event in oracles.accept_events(log.records))
    of_user: dict[str, list[Record]] = defaultdict(list)
    for one in log.records:
        user_id = one.get("userId")
        of_user["" if user_id is None else str(user_id)].append(one)
    answered: Rows = {}
    refused: set[tuple[date, str]] = set()
    for day in DATES:
        for user_id, records in of_user.items():
            body = json.dumps({"as_of": str(day), "events": records}).encode()
            try:
                user = parse_events(body, base.service)
            except RequestError:
                refused.add((day, user_id))
                continue
            values: dict[str, Any] = dict(compute_values(user, bundle, first).values)
            values["churn_probability"] = predictor.predict_one(values)
            answered[day, user.user_id] = values
    return answered, refused


def differences(found: Rows, expected: Rows) -> list[tuple[Any, ...]]:
    whole = {feature.name for feature in FEATURES if feature.data_type != "double"}
    unlike = [("lacking", *key) for key in found.keys() ^ expected.keys()]
    for key in found.keys() & expected.keys():
        assert found[key].keys() == expected[key].keys()
        for name, value in expected[key].items():
            close = value if name in whole else pytest.approx(value, rel=1e-9, abs=1e-12)
            if found[key][name] != close:
                unlike.append((*key, name, found[key][name], value))
    return unlike


def test_features_and_probability_equal_those_of_the_tables(
    log: Log, bundle: ModelBundle, base: Config
) -> None:
    with threadpool_limits(limits=1, user_api="blas"):
        found, refused = in_service(log, bundle, base)
    expected = in_tables(log, bundle, base)
    assert not differences(found, expected)
    assert len(expected) > 60
    assert refused
    assert {feature.name for feature in FEATURES} < next(iter(found.values())).keys()


@pytest.mark.slow
@pytest.mark.sample_data
def test_features_and_probability_equal_those_of_the_tables_on_real_logs(
    real_log: Log, bundle: ModelBundle, base: Config
) -> None:
    with threadpool_limits(limits=1, user_api="blas"):
        found, _ = in_service(real_log, bundle, base)
    expected = in_tables(real_log, bundle, base)
    assert not differences(found, expected)
    assert len(expected) > 60


@dataclass(frozen=True)
class BusiestDay(Formula):
    """Songs of the busiest day over those of a mean active one of the last days."""

    days: int
    kind: ClassVar[str] = "busiest_day"

    def value(self, past: Past[Q]) -> Q:
        """Unknown where there is no song."""
        window = Trailing.days(self.days)
        return past.largest("n_songs") / (
            past.sum_in("n_songs", window) / past.sum_in("n_active_days", window)
        )


BUSIEST_DAY = LogFeature(
    "busiest_day", "double", "busiest day", "times", "{value}", formula=BusiestDay(days=21)
)


def test_new_formula_is_known_to_tables_and_service_without_another_edit(log: Log) -> None:
    session_days = build_session_days(log.events)
    history = build_user_history(session_days, DATES, [BUSIEST_DAY])
    of_user: dict[str, list[Event]] = defaultdict(list)
    for event in read_records(log.records, load_config().ingest).events:
        of_user[event.user_id].append(event)
    start = date(2018, 10, 1)
    expected = {
        (day, user_id): compute_features(build_history(of_user[user_id], day, start), [BUSIEST_DAY])
        for day, user_id in {
            (row.as_of, row.user_id) for row in history.select("as_of", "user_id").collect()
        }
    }
    found = collect_dicts(build_features(history, [BUSIEST_DAY]), "as_of", "user_id")
    assert found == expected
    values = [row["busiest_day"] for row in found.values()]
    assert len({value for value in values if value is not None}) > 10
    assert None in values
