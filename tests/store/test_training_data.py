"""Rows of a training prepared in this process, or by Spark where there are more: the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from churn_spark.config import LearningConfig, load_config
from churn_spark.contracts.tables import TRAINING_ROWS
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
