"""Labels of inactivity, the features beside them, and who is in their population."""

from __future__ import annotations

from datetime import date, timedelta
from typing import cast

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import load_config
from churn_spark.contracts.features.spec import FEATURE_SETS, FEATURES, measures_silence
from churn_spark.errors import ConfigError
from churn_spark.evaluation.date_split import DateSplit
from churn_spark.features.labels import build_silence_labels
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.baselines import SilenceRule
from churn_spark.pipeline.backtest_models import predict_simply
from churn_spark.pipeline.training_data import chosen_features, used_sets
from churn_spark.timeline import Horizon, days_after

START = date(2018, 10, 1)
SILENT = ["labels.churn=inactivity", "labels.horizon_days=60"]
SILENCES = ["hours_since_last_event", "relative_gap", "missed_sessions", "pause_log_survival"]
_DAYS = st.dictionaries(st.sampled_from("abc"), st.sets(st.integers(0, 60), max_size=8))


@given(_DAYS, st.integers(1, 20), st.integers(0, 3), st.integers(0, 70))
def test_who_has_no_event_in_the_window_is_silent(
    days: dict[str, set[int]], n_days: int, gap: int, known: int
) -> None:
    dates = [days_after(START, back) for back in (0, 10, 30)]
    keys = [(as_of, user) for as_of in dates for user in "abc"]
    population = pl.DataFrame(keys, {"as_of": pl.Date(), "user_id": pl.String()}, orient="row")
    visits = [(user, days_after(START, day)) for user, some in days.items() for day in some]
    active = pl.DataFrame(visits, {"user_id": pl.String(), "event_date": pl.Date()}, orient="row")
    known_by = days_after(START, known)
    labels = build_silence_labels(population, active, Horizon(n_days, gap), known_by)
    found = {(row["as_of"], row["user_id"]): row for row in labels.to_dicts()}
    assert list(found) == sorted(keys)
    for (as_of, user), row in found.items():
        window = {as_of + timedelta(days=gap + n) for n in range(n_days)}
        is_known = max(window) < known_by
        is_silent = not window & {day for who, day in visits if who == user}
        assert row["is_known"] is is_known
        assert row["label"] == (int(is_silent) if is_known else None)
        assert row["is_gap_cancel"] is False


def test_features_that_measure_the_present_silence_are_those_since_the_newest_event() -> None:
    found = [feature.name for feature in FEATURES if measures_silence(feature)]
    assert found == SILENCES


def test_models_of_inactivity_see_no_silence_and_no_forecast_of_cancels() -> None:
    silent, cancels = (load_config(overrides=some).learning for some in (SILENT, []))
    assert used_sets(silent) == ("report", "activity")
    names = {feature.name for feature in chosen_features(["report", "activity"], silent)}
    assert {"sessions_7d", "mean_gap_days"} <= names
    assert not names & set(SILENCES)
    assert used_sets(cancels) == tuple(FEATURE_SETS)
    every = {feature.name for feature in chosen_features(["report", "activity"], cancels)}
    assert every - names == set(SILENCES)


def test_simple_rule_of_inactivity_is_how_long_ago_the_newest_event_is() -> None:
    hours = np.arange(100.0)
    rows = pd.DataFrame({"hours_since_last_event": hours, "label": hours >= 50})
    found = SilenceRule.fit(rows).probabilities(rows)
    assert found[[0, 49, 50, 99]].tolist() == pytest.approx([1 / 12, 1 / 12, 11 / 12, 11 / 12])
    same = pd.DataFrame({"hours_since_last_event": [5.0] * 8, "label": [0, 1] * 4})
    assert set(SilenceRule.fit(same).probabilities(same)) == {0.5}


@pytest.mark.parametrize("overrides", [SILENT, ["labels.churn=lapse"]])
def test_backtest_has_no_forecast_of_cancels_where_churn_is_another(overrides: list[str]) -> None:
    """Where no page leads to a cancellation, such a forecast would be 0 for everybody."""
    plan = DateSplit((START,), (days_after(START, 90),))
    rows = pd.DataFrame(
        {
            "as_of": [START] * 10,
            "split": "train",
            "label": [0, 1] * 5,
            "hours_since_last_event": np.arange(10.0),
            "last_subscription_level": "paid",
        }
    )
    config = load_config(overrides=overrides).night.learning
    assert set(predict_simply(cast(Lakehouse, None), plan, rows, config)) == {"base_rate", "rule"}


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["labels.churn=inactivity"], r"active_days 60 above labels\.horizon_days 14"),
        ([*SILENT, "labels.kind=lifetime"], "kind lifetime is for cancels"),
    ],
)
def test_a_definition_that_counts_who_has_left_already_is_refused(
    overrides: list[str], told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        load_config(overrides=overrides)


def test_a_label_of_cancels_is_defined_as_before_there_was_a_choice() -> None:
    definition = {"kind": "horizon", "horizon_days": 14, "gap_days": 1}
    assert load_config().labels.definition == definition
    silent = load_config(overrides=SILENT).labels.definition
    assert silent == {**definition, "horizon_days": 60, "churn": "inactivity"}
