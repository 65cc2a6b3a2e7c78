"""Session days and transitions where Spark has a part: its tasks, its writer, its upkeep."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, SESSION_DAYS, TRANSITIONS
from churn_spark.features.ordered_events import order_events
from churn_spark.features.session_days import build_session_days
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import rollups
from churn_spark.pipeline.context import JobContext
from tests.builders import random_records
from tests.rollup_builders import event_frame
from tests.rollup_tables import BOTH, Records, assert_up_to_date, deliver, versions


@pytest.fixture
def ingest(context: JobContext) -> IngestConfig:
    return context.config.ingest


@pytest.fixture
def log() -> Records:
    return random_records(seed=11, n_users=4)


def by_spark(monkeypatch: pytest.MonkeyPatch, config: IngestConfig) -> IngestConfig:
    monkeypatch.setattr(Lakehouse, "is_native", False)
    return config


_WAYS: dict[str, Callable[[pytest.MonkeyPatch, IngestConfig], IngestConfig]] = {
    "in the driver": lambda _, config: config,
    "by tasks": lambda _, config: config.model_copy(update={"max_driver_events": 0}),
    "by Spark": by_spark,
}


def test_ways_may_change_from_night_to_night(
    context: JobContext, ingest: IngestConfig, log: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = [*_WAYS, next(iter(_WAYS))]
    part = len(log) // len(ways) + 1
    for batch, way in enumerate(ways):
        deliver(context.lakehouse, log[batch * part : (batch + 1) * part], batch)
        with monkeypatch.context() as patch:
            rollups.run(context.lakehouse, _WAYS[way](patch, ingest), BOTH)
            done = versions(context.lakehouse)
            rollups.run(context.lakehouse, _WAYS[way](patch, ingest), BOTH)
            assert versions(context.lakehouse) == done
    assert_up_to_date(context.lakehouse, log)


def test_spark_merges_compacts_and_cleans_what_was_written_without_it(
    context: JobContext, ingest: IngestConfig, log: Records
) -> None:
    lakehouse, spark = context.lakehouse, context.spark
    deliver(lakehouse, log[::2], 0)
    deliver(lakehouse, log[1::2], 1)
    rollups.run(lakehouse, ingest, BOTH)
    first = versions(lakehouse)
    for spec in (EVENTS, SESSION_DAYS, TRANSITIONS):
        spark.sql(f"OPTIMIZE delta.`{lakehouse.path(spec)}`").collect()
    # Spark has written all files anew, and no event has changed.
    compacted = versions(lakehouse)
    rollups.run(lakehouse, ingest, BOTH)
    assert versions(lakehouse) == compacted
    assert_up_to_date(lakehouse, log)

    user = event_frame(log)["user_id"][0]
    spark.sql(
        f"MERGE INTO delta.`{lakehouse.path(EVENTS)}` e USING (SELECT '{user}' AS user_id) u "
        "ON e.user_id = u.user_id WHEN MATCHED THEN DELETE"
    ).collect()
    rollups.run(lakehouse, ingest, BOTH)
    others = [one for one in log if str(one.get("userId")) != user]
    assert len(others) < len(log)
    assert_up_to_date(lakehouse, others)

    travelled = spark.read.format("delta").option("versionAsOf", first[0])
    ordered = order_events(event_frame(log))
    n_rows = build_session_days(ordered).height
    assert travelled.load(lakehouse.path(SESSION_DAYS)).count() == n_rows
    # `VACUUM` refuses less than the usual week; nothing that counts may go.
    for spec in (EVENTS, SESSION_DAYS, TRANSITIONS):
        spark.sql(f"VACUUM delta.`{lakehouse.path(spec)}`").collect()
    assert_up_to_date(lakehouse, others)
