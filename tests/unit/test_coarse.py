"""Numbers that leave the tables are shared by many users, and mean the same to what reads them."""

from __future__ import annotations

import math
import re

import lightgbm
import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.contracts.features.spec import FEATURES, named
from churn_spark.evaluation.coarse import coarse_values, coarsen
from churn_spark.models.estimators import widen_ranges

TENURE, RATE, SONGS = named(["tenure_days", "visit_rate", "total_songs_played"])
INSTANTS = {"tenure_days", "exposure_days", "hours_since_last_event", "billing_day"}


def test_instants_are_whole_days_and_hours() -> None:
    assert {f.name for f in FEATURES if f.tells_instant} == INSTANTS | {"days_since_level_change"}
    days = np.array([0.0, 1e-6, 11.000001, 12.0, np.nan])
    assert coarse_values(days, TENURE)[:4].tolist() == [0, 1, 12, 12]
    assert math.isnan(coarse_values(days, TENURE)[4])


def test_other_fractions_have_two_digits_and_counts_stay() -> None:
    rates = np.array([0.0, 0.012345, -3.1415, 99.6, 1234.5])
    assert coarse_values(rates, RATE).tolist() == [0, 0.012, -3.1, 100, 1200]
    assert coarse_values(np.array([1234.0]), SONGS).tolist() == [1234]
    rows = pd.DataFrame({"tenure_days": [3.2], "visit_rate": [0.567], "os": ["iOS"], "label": [1]})
    assert coarsen(rows, FEATURES).to_dict("list") == {
        "tenure_days": [4],
        "visit_rate": [0.57],
        "os": ["iOS"],
        "label": [1],
    }


_VALUES = st.floats(-1e9, 1e9).filter(lambda value: value == 0 or abs(value) > 1e-200)


@given(st.lists(_VALUES, min_size=1), st.sampled_from([TENURE, RATE]))
def test_zeros_order_and_coarse_numbers_stay(values: list[float], feature: object) -> None:
    exact = np.sort(np.array(values))
    found = coarse_values(exact, feature)  # type: ignore[arg-type]
    positive = exact >= 0
    assert ((found == 0) == (exact == 0))[positive].all()
    assert (np.diff(found) >= -1e-9 * np.abs(found[1:])).all()
    assert np.allclose(coarse_values(found, feature), found, rtol=1e-12)  # type: ignore[arg-type]


def test_ranges_of_trees_are_whole_and_the_predictions_the_same() -> None:
    generator = np.random.default_rng(3)
    rows = np.column_stack([generator.exponential(40, 900), generator.integers(0, 4, 900)])
    data = lightgbm.Dataset(rows, rows[:, 0] > 50, categorical_feature=[1])
    options = {"objective": "binary", "verbose": -1, "num_threads": 1}
    text = lightgbm.train(options, data, 5).model_to_string()
    widened = widen_ranges(text)
    assert re.findall(r"feature_infos=.*", widened) == [
        f"feature_infos=[{math.floor(rows[:, 0].min())}:{math.ceil(rows[:, 0].max())}] "
        + text.partition("feature_infos=")[2].partition("\n")[0].split(" ")[1]
    ]
    before, after = (lightgbm.Booster(model_str=one) for one in (text, widened))
    assert (before.predict(rows) == after.predict(rows)).all()
