"""The leak job on a small simulated log: silent as it is, loud when the table knows the label."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench import flow
from churn_spark.config import load_config
from churn_spark.contracts.features.spec import SNAPSHOT_FEATURES
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.errors import LeakFoundError, MissingTableError
from churn_spark.features.snapshots import build_snapshots as build_features
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.leakage.inputs import poison_session_days
from churn_spark.leakage.table import FeatureTable
from churn_spark.pipeline import check_leaks, leak_table
from churn_spark.pipeline.built_dates import BuiltDates
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from tests.builders import read_events
from tests.rollup_builders import build_session_days

DATES = [date(2018, 10, 15), date(2018, 10, 22)]
NIGHT = date(2018, 11, 6)
SETTINGS = SimulationSettings(users=160, start=date(2018, 10, 1), days=36, seed=3, files_a_day=1)


@pytest.fixture(scope="module")
def context(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> JobContext:
    """A lakehouse with session days, snapshots and labels of two dates."""
    folder = tmp_path_factory.mktemp("leaks")
    simulate_log(SETTINGS, folder / "log")
    config = load_config(overrides=[f"lakehouse={folder / 'lakehouse'}"])
    made = JobContext(config, Lakehouse(spark, config.lakehouse))
    files = sorted(Path(folder, "log", "events").glob("*/*.json"))
    made.lakehouse.replace(build_session_days(read_events(spark, files, config)), SESSION_DAYS, {})
    flow.build_snapshots(made, DATES)
    return made


@pytest.fixture(scope="module")
def table(context: JobContext) -> FeatureTable:
    """What the job collects from it."""
    config, log = context.config, read_log_dates(context.lakehouse)
    return leak_table.collect_table(context.lakehouse, log, NIGHT, config.learning, config.leakage)


def test_nothing_is_found_in_the_tables_as_built(
    context: JobContext,
    table: FeatureTable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert table.rows["label"].sum() > 10
    assert table.rebuilds is not None
    assert len(table.rebuilds.after) >= len(table.rows) > 200
    monkeypatch.setattr(check_leaks, "collect_table", lambda *_: table)
    flow.run_check_leaks(context, NIGHT)
    assert "no leaks found in" in capsys.readouterr().out


def test_a_feature_that_knows_the_label_is_named_and_ends_with_30(
    context: JobContext,
    table: FeatureTable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = table.rows["songs_7d"] + table.rows["label"].fillna(0) * 10_000
    leaky = replace(table, rows=table.rows.assign(songs_7d=told))
    monkeypatch.setattr(check_leaks, "collect_table", lambda *_: leaky)
    with pytest.raises(LeakFoundError, match="expected none") as error:
        flow.run_check_leaks(context, NIGHT)
    assert error.value.exit_code == 30
    assert "songs_7d" in capsys.readouterr().out


def test_only_dates_whose_label_is_known_by_the_date_are_looked_at(context: JobContext) -> None:
    log, horizon = read_log_dates(context.lakehouse), context.config.labels.horizon

    def dates_by(day: date) -> list[date]:
        return leak_table.newest_labelled_dates(context.lakehouse, log, day, horizon, 2)

    assert dates_by(NIGHT) == DATES
    assert dates_by(date(2018, 11, 5)) == DATES[:1]
    with pytest.raises(MissingTableError, match="known by 2018-10-29"):
        dates_by(date(2018, 10, 29))


def test_dates_of_the_log_as_it_is_are_looked_at_before_those_that_late_events_touch(
    context: JobContext,
) -> None:
    log, config = read_log_dates(context.lakehouse), context.config.learning
    built = BuiltDates.read(context.lakehouse, log, config)

    def dates_when(stale: set[date]) -> list[date]:
        noted = {day: of for day, of in built.noted.items() if day not in stale}
        known = replace(built, noted=noted)
        horizon = config.labels.horizon
        return leak_table.newest_labelled_dates(context.lakehouse, log, NIGHT, horizon, 2, known)

    assert dates_when(set()) == DATES
    assert dates_when({DATES[1]}) == DATES[:1]
    assert dates_when({*DATES}) == DATES


def features_of(session_days: DataFrame, day: date) -> pd.DataFrame:
    return build_features(session_days, [day], 60).toPandas().set_index("user_id").sort_index()


def test_poison_changes_every_feature_after_the_date_and_none_before(context: JobContext) -> None:
    days = context.lakehouse.read(SESSION_DAYS)
    # Early enough that each feature as of the night looks behind it.
    cut = date(2018, 10, 10)
    poisoned = poison_session_days(days, cut)
    before = F.col("event_date") < F.lit(cut)
    assert_df_equality(
        poisoned.filter(before), days.filter(before), ignore_row_order=True, ignore_nullable=True
    )
    # In the poisoned future everybody cancels; what else they do is looked at here.
    nobody_left = F.lit(None).cast("timestamp")
    old = features_of(days.withColumn("cancel_ts", nobody_left), NIGHT)
    new = features_of(poisoned.withColumn("cancel_ts", nobody_left), NIGHT)
    shared = old.index.intersection(new.index)
    same = [
        feature.name
        for feature in SNAPSHOT_FEATURES
        if old.loc[shared, feature.name].equals(new.loc[shared, feature.name])
    ]
    assert len(shared) > 100
    assert same == []
