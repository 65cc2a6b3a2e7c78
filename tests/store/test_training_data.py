"""Rows of a training prepared in this process, or by Spark where there are more: the same."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_spark.config import LearningConfig, load_config
from churn_spark.contracts.tables import CONTACTS, LABELS, RETENTION_LISTS, TRAINING_ROWS
from churn_spark.lakehouse.frames import sample_rows
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models import learnt_rows
from churn_spark.models.behaviour import spark_cells
from churn_spark.models.fading import user_parts
from churn_spark.pipeline import (
    fading,
    ingest,
    session_days,
    snapshots,
    training_data,
    transition_totals,
    transitions,
)
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates, training_dates
from churn_spark.pipeline.training_data import TrainingData, label_snapshots, prepare
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

Prepared = tuple[TrainingData, pd.DataFrame]
SETTINGS = SimulationSettings(users=150, seed=5)


@pytest.fixture
def learning(context: JobContext, tmp_path: Path) -> LearningConfig:
    """What to learn by; the lakehouse has the events, the silver tables and the snapshots."""
    simulate_log(SETTINGS, tmp_path / "world")
    ingest.run(context.lakehouse, context.config.ingest, str(tmp_path / "world" / "events"))
    for step in (session_days, transitions):
        step.run(context.lakehouse, context.config.ingest)
    few = ["training.min_cancels=2", "training.min_validation_cancels=2"]
    small = ["behaviour.n_starts=2", "behaviour.n_classes=[3]"]
    config = load_config(overrides=[*few, *small]).learning
    log = read_log_dates(context.lakehouse)
    dates = training_dates(log, config, log.span.end)
    snapshots.run_stale(context.lakehouse, dates, config, log)
    return config


def call_some(lakehouse: Lakehouse, config: LearningConfig) -> list[str]:
    """A list of four users of the newest labelled date, the last withheld, and a call from it."""
    day = training_dates(read_log_dates(lakehouse), config, read_log_dates(lakehouse).span.end)[-1]
    known = lakehouse.read_rows(LABELS, {"as_of": [day]})
    users = sorted(known[known["label"].notna()]["user_id"].unique())[:4]
    rows = [
        {"as_of": day, "user_id": user, "campaign": "a", "control_share": 0.25}
        | {"assignment": "control" if user == users[-1] else "listed"}
        for user in users
    ]
    whole = [tuple(row.get(name) for name in RETENTION_LISTS.column_names) for row in rows]
    lakehouse.replace_rows(whole, RETENTION_LISTS, {"as_of": [day]})
    contact = (day, users[0], datetime.combine(day, time(12)), "call", "", 0.0, "reached")
    lakehouse.replace_rows([contact], CONTACTS, {"list_date": [day]})
    return users


def test_listed_users_are_left_out_and_a_withheld_one_stands_for_them(
    context: JobContext, learning: LearningConfig
) -> None:
    before, rows_before = prepare_rows(context.lakehouse, learning)
    assert before.changed is None
    assert "weight" not in before.learnt.spark.columns
    assert before.population is before.learnt
    *listed, withheld = call_some(context.lakehouse, learning)
    after, rows_after = prepare_rows(context.lakehouse, learning)
    assert after.changed is not None
    assert after.changed.n_withheld > 0
    lost = len(rows_before) - len(rows_after)
    assert lost == after.changed.n_left_out > 0
    # The outcomes of other dates than those that the list acts on stay.
    gone = rows_before.merge(rows_after, "left", ["as_of", "user_id"], indicator=True)
    assert {*gone.loc[gone["_merge"] == "left_only", "user_id"]} <= {*listed}
    weights = after.learnt.spark.filter("weight <> 1").select("user_id", "weight").distinct()
    assert weights.collect() == [(withheld, 4.0)]
    learnt = after.learnt.collected
    assert learnt is not None
    assert {*learnt.loc[learnt["user_id"] == withheld, "weight"]} <= {1.0, 4.0}
    assert len(after.population.take(10**6)) == len(before.population.take(10**6))
    assert after.encoding.features == before.encoding.features


def prepare_rows(lakehouse: Lakehouse, config: LearningConfig) -> Prepared:
    """What a training after the log's end learns from, and the table that it leaves."""
    log = read_log_dates(lakehouse)
    labelled = label_snapshots(lakehouse, log, log.span.end, config)
    data = prepare(lakehouse, log, log.span.end, labelled, TRAINING_ROWS, config)
    return data, sample_rows(lakehouse.read(TRAINING_ROWS), 100_000)


def test_rows_are_the_same_by_spark(
    context: JobContext, learning: LearningConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_parts, "PART_USERS", 50)
    here = prepare_rows(context.lakehouse, learning)
    with monkeypatch.context() as patch:
        patch.setattr(Lakehouse, "is_native", False)
        assert_same(prepare_rows(context.lakehouse, learning), here)
    for module in (learnt_rows, training_data):
        monkeypatch.setattr(module, "MAX_COLLECTED_ROWS", 10)
    monkeypatch.setattr(spark_cells, "MAX_COLLECTED_CELLS", 10)
    monkeypatch.setattr(transition_totals, "MAX_LOCAL_ROWS", 10)
    monkeypatch.setattr(fading, "MAX_LOCAL_DAYS", 10)
    beyond = prepare_rows(context.lakehouse, learning)
    assert beyond[0].learnt.collected is None
    assert_same(beyond, here)


def assert_same(found: Prepared, expected: Prepared) -> None:
    """The rows, and the models that made them, are the same but for the order of sums."""
    (there, rows_there), (here, rows) = found, expected
    assert (there.n_rows, there.n_positive) == (here.n_rows, here.n_positive)
    assert here.n_positive["train"] > 0
    assert there.encoding.levels == here.encoding.levels
    assert here.behaviour is not None
    assert there.behaviour is not None
    np.testing.assert_allclose(
        there.behaviour.mixture.log_chances, here.behaviour.mixture.log_chances, rtol=1e-9
    )
    assert there.behaviour.prior.mean_log == pytest.approx(here.behaviour.prior.mean_log, rel=1e-9)
    assert here.fading is not None
    assert there.fading is not None
    assert vars(there.fading.parameters) == pytest.approx(vars(here.fading.parameters), rel=1e-9)
    pd.testing.assert_frame_equal(rows_there, rows, rtol=1e-9)
