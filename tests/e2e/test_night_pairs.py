"""Two nights that are started at once."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bench import flow
from bench.killed_night import LIGHT
from bench.kills import KilledNights
from bench.night_pairs import Night, NightPairs, kill
from churn_spark.config import load_config
from churn_spark.contracts.tables import SCORES
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.context import JobContext


@pytest.mark.slow
def test_two_nights_at_once_leave_what_they_leave_one_after_the_other(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither may this process keep a connection to a store that has been put back.
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    world = KilledNights(tmp_path)
    config = load_config(overrides=[f"lakehouse={world.lakehouse}", *LIGHT])

    def live(night: date) -> None:
        """Those that nothing disturbs need no process of their own."""
        # Spark keeps what it knows of tables, and they have been put back.
        spark._jvm.org.apache.spark.sql.delta.DeltaLog.clearCache()  # type: ignore[union-attr]
        context = JobContext(config, Lakehouse(spark, config.lakehouse))
        flow.nightly(context, night, str(tmp_path / "incoming"))

    pairs = NightPairs(world, live)
    pairs.prepare()
    scores = world.lakehouse / SCORES.path / "_delta_log"
    n_commits = len([*scores.iterdir()])

    def kill_who_writes(*nights: Night) -> Night | None:
        """Once the scores have been written, the night whose turn it is; the other one waits."""
        while len([*scores.iterdir()]) == n_commits:
            assert [night.poll() for night in nights] == [None, None]
            time.sleep(0.05)
        [holder] = [night for night in nights if night.pid == pairs.holder()]
        return kill(holder)

    day, next_day = pairs.dates
    assert pairs.expected(pairs.dates)
    assert pairs.differences_of_range() == []
    assert pairs.differences((next_day, day), 0.5) == []
    assert pairs.differences_of_killed(day, 0.5, kill_who_writes) == (True, [])
    # One of these trains a challenger.
    assert pairs.differences((pairs.due, day), 0.5) == []
