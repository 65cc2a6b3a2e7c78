"""The behaviour model fitted by Spark to a simulated log, against the truth of its users."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.expected_metrics import evaluate_expected
from churn_spark.config import load_config
from churn_spark.contracts.tables import SESSION_DAYS, TRANSITIONS
from churn_spark.features.snapshots import build_snapshots
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour import spark_cells
from churn_spark.models.behaviour.counts import count_cells
from churn_spark.models.behaviour.evidence import build_behaviour, build_forecasts, sum_evidence
from churn_spark.models.behaviour.fitting import fit_behaviour
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.spark_cells import (
    build_registrations,
    count_visits,
    open_user_cells,
)
from churn_spark.pipeline.context import JobContext
from churn_spark.simulate.probabilities import build_probabilities
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from churn_spark.timeline import Horizon
from tests.rollup_tables import load_silver

SETTINGS, AS_OF, HORIZON = (
    SimulationSettings(users=600, seed=11),
    date(2018, 11, 12),
    Horizon(14, 1),
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated log with its truth."""
    folder = tmp_path_factory.mktemp("world")
    simulate_log(SETTINGS, folder)
    return folder


@pytest.fixture(scope="module")
def silver(spark: SparkSession, world: Path, tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """A lakehouse with what is rolled up from it."""
    config = load_config(overrides=[f"lakehouse={tmp_path_factory.mktemp('silver')}"])
    context = JobContext(config, Lakehouse(spark, config.lakehouse))
    load_silver(context, world / "events")
    return context.lakehouse


@pytest.fixture(scope="module")
def transitions(silver: Lakehouse) -> DataFrame:
    """Its transitions."""
    return silver.read(TRANSITIONS).persist()


@pytest.fixture(scope="module")
def session_days(silver: Lakehouse) -> DataFrame:
    """Its session days."""
    return silver.read(SESSION_DAYS).persist()


def _fit(transitions: DataFrame, session_days: DataFrame, *overrides: str) -> BehaviourModel:
    config = load_config(overrides=["behaviour.n_starts=3", *overrides]).behaviour
    is_before = F.col("event_date") < F.lit(AS_OF)
    known = transitions.filter(is_before)
    registrations = build_registrations(session_days.filter(is_before))
    visits = count_visits(known, SETTINGS.start)
    with open_user_cells(known, registrations, config.block_users) as cells:
        return fit_behaviour(cells, visits, SETTINGS.start, AS_OF, config)


@pytest.fixture(scope="module")
def fitted(transitions: DataFrame, session_days: DataFrame) -> BehaviourModel:
    """The model as of the date."""
    return _fit(transitions, session_days)


@pytest.fixture(scope="module")
def forecasts(
    fitted: BehaviourModel, transitions: DataFrame, session_days: DataFrame
) -> pd.DataFrame:
    """What it says as of the date."""
    snapshots = build_snapshots(session_days, [AS_OF], 60)
    found = build_behaviour(snapshots, transitions, fitted, HORIZON).toPandas()
    return found.sort_values("user_id", ignore_index=True)


def test_forecasts_come_near_the_truth(forecasts: pd.DataFrame, world: Path) -> None:
    truth = build_probabilities(world, AS_OF, HORIZON.days, HORIZON.gap_days).to_pandas()
    both = forecasts.merge(truth, on="user_id")
    assert len(both) == len(forecasts) > 400
    found = evaluate_expected(
        both["cancel_probability"].to_numpy(), both["behaviour_probability"].to_numpy()
    )
    assert found.roc_auc_share > 0.75
    assert found.average_precision_share > 0.7
    assert found.calibration_error < 0.02


def test_rates_are_those_that_users_were_given(forecasts: pd.DataFrame, world: Path) -> None:
    users = pd.read_parquet(world / "truth" / "users")
    both = forecasts.merge(users, on="user_id")
    given = 7 * 86_400 / both["session_gap_s"]
    assert both["visits_a_week"].corr(given, method="spearman") > 0.85
    assert both["visits_a_week"].mean() == pytest.approx(given.mean(), rel=0.2)


def test_model_is_the_same_when_repeated_and_nearly_so_in_smaller_blocks(
    fitted: BehaviourModel, transitions: DataFrame, session_days: DataFrame
) -> None:
    assert _fit(transitions, session_days).to_json() == fitted.to_json()
    in_blocks = _fit(transitions, session_days, "behaviour.block_users=250")
    assert in_blocks.mixture.shares == pytest.approx(fitted.mixture.shares, abs=1e-6)
    assert in_blocks.prior == fitted.prior


@pytest.mark.parametrize("block_users", [250, 4096])
def test_model_is_the_same_when_the_users_stay_in_spark(
    block_users: int,
    transitions: DataFrame,
    session_days: DataFrame,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    in_blocks = f"behaviour.block_users={block_users}"
    collected = _fit(transitions, session_days, in_blocks)
    monkeypatch.setattr(spark_cells, "MAX_COLLECTED_CELLS", 1000)
    assert _fit(transitions, session_days, in_blocks).to_json() == collected.to_json()


def test_forecasts_are_the_same_from_counts_of_cells_in_this_process(
    fitted: BehaviourModel,
    forecasts: pd.DataFrame,
    transitions: DataFrame,
    session_days: DataFrame,
) -> None:
    known = pl.from_pandas(transitions.filter(F.col("event_date") < F.lit(AS_OF)).toPandas())
    snapshots = build_snapshots(session_days, [AS_OF], 60).toPandas()
    evidence = sum_evidence(snapshots, count_cells(known), fitted)
    found = build_forecasts(evidence, fitted, HORIZON).sort_values("user_id", ignore_index=True)
    assert list(found["user_id"]) == list(forecasts["user_id"])
    for name in ("behaviour_probability", "visits_a_week", "cancel_per_visit"):
        assert found[name].to_numpy() == pytest.approx(forecasts[name].to_numpy(), rel=1e-12)


def test_nothing_changes_when_the_future_does(
    fitted: BehaviourModel,
    forecasts: pd.DataFrame,
    transitions: DataFrame,
    session_days: DataFrame,
) -> None:
    """What follows the date is multiplied, and everybody visits Cancel."""
    is_future = F.col("event_date") >= F.lit(AS_OF)
    poisoned = transitions.withColumn(
        "n_transitions",
        F.when(is_future, F.col("n_transitions") * 9).otherwise(F.col("n_transitions")),
    ).withColumn("next_page", F.when(is_future, "Cancel").otherwise(F.col("next_page")))
    assert _fit(poisoned, session_days).to_json() == fitted.to_json()
    snapshots = build_snapshots(session_days, [AS_OF], 60)
    again = build_behaviour(snapshots, poisoned, fitted, HORIZON).toPandas()
    pd.testing.assert_frame_equal(again.sort_values("user_id", ignore_index=True), forecasts)


def test_visit_of_cancel_tells_nothing(
    fitted: BehaviourModel, forecasts: pd.DataFrame, transitions: DataFrame, session_days: DataFrame
) -> None:
    """A living user who has seen the page Cancel keeps the forecast."""
    visits = transitions.limit(50).select(
        "event_date", "user_id", "level", F.lit("Settings").alias("page"),
        F.lit("Cancel").alias("next_page"), F.lit(1).cast("long").alias("n_transitions"),
        F.lit(0).cast("long").alias("total_millis"),
    )  # fmt: skip
    snapshots = build_snapshots(session_days, [AS_OF], 60)
    seen = build_behaviour(snapshots, transitions.unionByName(visits), fitted, HORIZON)
    again = seen.toPandas().sort_values("user_id", ignore_index=True)
    pd.testing.assert_frame_equal(again, forecasts)
