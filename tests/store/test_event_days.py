"""Facts of days in a lakehouse: those of all its events, however they came and were counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from churn_spark.contracts.tables import EVENTS
from churn_spark.features.event_days import build_event_days
from churn_spark.lakehouse.commits import Once, append_files, create_table
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.data_quality.event_days import EventDays
from churn_spark.pipeline import event_days
from churn_spark.pipeline.context import JobContext
from churn_spark.stores.event_days import read_event_days
from tests.builders import random_records
from tests.rollup_builders import event_frame


def deliver(lakehouse: Lakehouse, records: Iterable[Mapping[str, Any]], batch: int) -> None:
    """Add the events of records, as the ingest does."""
    table = lakehouse.uri(EVENTS)
    create_table(EVENTS, table, {})
    files = write_data_files(event_frame(records), EVENTS, table, {})
    append_files(files, table, {}, Once("test", batch))


@pytest.mark.parametrize("way", ["here", "by tasks", "by Spark"])
def test_facts_are_those_of_all_events_when_some_come_late_or_twice(
    way: str, context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = random_records(seed=12, n_users=20)
    config = context.config.ingest
    if way == "by tasks":
        config = config.model_copy(update={"max_driver_events": 0})
    for batch, part in enumerate((records[::2], [*records[1::2], *records[:40]])):
        deliver(context.lakehouse, part, batch)
        with monkeypatch.context() as patch:
            if way == "by Spark":
                patch.setattr(Lakehouse, "is_native", False)
            event_days.run(context.lakehouse, config)
    frame = event_frame([*records, *records[:40]])
    expected = build_event_days(frame).select("event_date", "fact", "value", "n").rows()
    assert read_event_days(context.lakehouse) == EventDays.of(expected)
