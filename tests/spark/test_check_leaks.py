"""The leak job on the tables of a small simulated log: silent as they are, loud when changed."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import cast

import pandas as pd
import pytest
from chispa import assert_df_equality
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from serving_builders import add_behaviour, make_behaviour, make_bundle

from bench import flow
from churn_spark.config import load_config
from churn_spark.contracts.features.spec import BEHAVIOUR_FEATURES, SNAPSHOT_FEATURES
from churn_spark.contracts.tables import (
    BEHAVIOUR,
    SESSION_DAYS,
    SNAPSHOTS,
    TRAINING_ROWS,
    TRANSITIONS,
)
from churn_spark.errors import LeakFoundError, MissingTableError
from churn_spark.features.snapshots import build_snapshots as build_features
from churn_spark.lakehouse.commits import Once
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.leakage.checks import find_leaks
from churn_spark.leakage.inputs import poison_session_days, poison_transitions
from churn_spark.leakage.table import FeatureTable, are_equal
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import check_leaks, leak_behaviour, leak_table
from churn_spark.pipeline.built_dates import BuiltDates
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.score import written_forecasts
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from churn_spark.timeline import Horizon
from tests.rollup_tables import load_silver

DATES = [date(2018, 10, 15), date(2018, 10, 22)]
NIGHT = date(2018, 11, 6)
SETTINGS = SimulationSettings(users=160, start=date(2018, 10, 1), days=36, seed=3, files_a_day=1)


BUNDLE = add_behaviour(make_bundle(rounds=5))


class Models:
    """A registry whose only version has a behaviour model."""

    def champion_version(self) -> str:
        return "1"

    def load(self, version: str) -> ModelBundle:
        assert version == "1"
        return replace(BUNDLE, version=version)


MODELS = cast(ModelRegistry, Models())


@pytest.fixture(scope="module")
def context(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> JobContext:
    """A lakehouse with snapshots and labels of two dates; as of the later one all were scored."""
    folder = tmp_path_factory.mktemp("leaks")
    simulate_log(SETTINGS, folder / "log")
    config = load_config(overrides=[f"lakehouse={folder / 'lakehouse'}"])
    made = JobContext(config, Lakehouse(spark, config.lakehouse))
    load_silver(made, folder / "log" / "events")
    flow.build_snapshots(made, DATES)
    made.lakehouse.create(TRAINING_ROWS)
    with written_forecasts(made.lakehouse, DATES[1], MODELS.load("1")):
        pass
    vars(made)["registry"] = MODELS
    return made


def collect_table(context: JobContext) -> FeatureTable:
    """What the job collects from the lakehouse."""
    config, log = context.config, read_log_dates(context.lakehouse)
    return leak_table.collect_table(
        context.lakehouse, lambda: MODELS, log, NIGHT, config.learning, config.leakage
    )


@pytest.fixture(scope="module")
def table(context: JobContext) -> FeatureTable:
    """What the job collects from it."""
    return collect_table(context)


def test_nothing_is_found_in_the_tables_as_built(
    context: JobContext,
    table: FeatureTable,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert table.rows["label"].sum() > 10
    assert table.rebuilds is not None
    assert len(table.rebuilds.after) >= len(table.rows) > 200
    assert {feature.name for feature in BEHAVIOUR_FEATURES} < {*table.features}
    assert table.rows["behaviour_probability"].notna().all()
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
    with pytest.raises(LeakFoundError, match="found 4 leaks in gold/snapshots") as error:
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


@pytest.mark.slow
def test_rows_that_are_not_of_the_log_and_a_forecast_that_sees_the_future_are_named(
    context: JobContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = replace(context, opened=copy_lakehouse(context, tmp_path / "changed"))
    lakehouse = changed.lakehouse
    change_stored_rows(lakehouse)
    late = lakehouse.read(SESSION_DAYS).filter("event_date = '2018-10-12'").limit(1)
    more = {"session_id": 987654, "n_thumbs_up": 50}
    late = late.withColumns({name: F.lit(n).cast("long") for name, n in more.items()})
    lakehouse.append(late, SESSION_DAYS, Once("late events", 0))
    lakehouse.delete(TRANSITIONS, {"event_date": [date(2018, 10, 9)]})
    monkeypatch.setattr(leak_behaviour, "build_behaviour", see_three_more_days)
    found = find_leaks(collect_table(changed), context.config.leakage)
    of_stored = {one.feature for one in found if one.check == "stored"}
    assert {"rows", "songs_7d", "os", "behaviour_probability"} <= of_stored
    # Session days and transitions are not what the events give.
    beneath = {one.feature: one for one in found if one.feature.startswith("silver/")}
    assert {*beneath} == {SESSION_DAYS.path, TRANSITIONS.path}
    assert beneath[SESSION_DAYS.path].sentence.startswith("1 rows of silver/session_days")
    assert beneath[TRANSITIONS.path].sentence.startswith("0 rows of silver/transitions")
    assert beneath[TRANSITIONS.path].value > 10
    # What came late is in all that is made of it, and nothing else is.
    assert {"num_thumbs_up", "num_sessions"} <= of_stored
    assert not {"tenure_days", "gender"} & of_stored
    assert {one.feature for one in found if one.check == "future"} == {"visits_a_week"}


def copy_lakehouse(context: JobContext, folder: Path) -> Lakehouse:
    shutil.copytree(context.lakehouse.root, folder)
    return Lakehouse(context.spark, str(folder))


def change_stored_rows(lakehouse: Lakehouse) -> None:
    """One user's row is gone, one has another value of each kind, one another forecast."""
    where: Where = {"as_of": DATES}
    rows = lakehouse.read_rows(SNAPSHOTS, where).sort_values(["as_of", "user_id"])
    rows = rows.iloc[1:].reset_index(drop=True)
    rows.loc[7, "songs_7d"] += 1
    rows.loc[7, "os"] = "BeOS"
    lakehouse.replace_rows(rows, SNAPSHOTS, where)
    scored: Where = {"as_of": DATES[1:]}
    forecasts = lakehouse.read_rows(BEHAVIOUR, scored)
    forecasts.loc[3, "behaviour_probability"] += 1e-6
    lakehouse.replace_rows(forecasts, BEHAVIOUR, scored)


def see_three_more_days(
    snapshots: DataFrame, transitions: DataFrame, model: BehaviourModel, horizon: Horizon
) -> DataFrame:
    """Forecasts whose visits are counted to three days after the date."""
    honest = build_behaviour(snapshots, transitions, model, horizon)
    sooner = transitions.withColumn("event_date", F.date_sub("event_date", 3))
    seen = build_behaviour(snapshots, sooner, model, horizon)
    return honest.drop("visits_a_week").join(
        seen.select("as_of", "user_id", "visits_a_week"), ["as_of", "user_id"]
    )


def test_poisoned_transitions_change_every_forecast_after_the_date_and_none_before(
    context: JobContext,
) -> None:
    transitions = context.lakehouse.read(TRANSITIONS)
    poisoned = poison_transitions(transitions, DATES[0])
    users = context.lakehouse.read(SNAPSHOTS)
    old, new = (
        build_behaviour(users, rows, make_behaviour(), Horizon(14, 1)).toPandas()
        for rows in (transitions, poisoned)
    )
    both = old.merge(new, on=["as_of", "user_id"], suffixes=("", "_poisoned"))
    differs = {
        name: pd.Series(~are_equal(both[name], both[f"{name}_poisoned"]))
        .groupby(both["as_of"])
        .mean()
        for name in (feature.name for feature in BEHAVIOUR_FEATURES)
    }
    assert all(shares[DATES[0]] == 0 for shares in differs.values())
    assert all(shares[DATES[1]] > 0.3 for shares in differs.values())


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
