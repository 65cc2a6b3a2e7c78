"""From a model's sample to baselines, and from counted cells to one test per feature."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from churn_spark.models.encoding import Encoding
from churn_spark.monitoring.drift import build_baselines, compare_all
from churn_spark.monitoring.ks import MISSING_CELL, Baseline, locate_cells

ENCODING = Encoding(("songs", "os"), {"os": ("Windows",)}, {"songs": 1.0, "os": "Windows"}, "")
SAMPLE = pd.DataFrame(
    {
        "songs": [1.0, 1.0, 3.0, math.nan],
        "os": ["Windows", None, "Windows", "Linux"],
        "churn_probability": [0.1, 0.2, 0.3, 0.4],
    }
)


def count(feature: str, baseline: Baseline, values: list[float]) -> pd.DataFrame:
    cells, n = np.unique(locate_cells(baseline.edges, values), return_counts=True)
    return pd.DataFrame({"feature": feature, "cell": cells, "n": n})


def test_numbers_and_the_prediction_have_a_baseline_and_categories_have_none() -> None:
    assert list(build_baselines(SAMPLE, ENCODING)) == ["songs", "churn_probability"]


def test_baseline_counts_values_and_missing_rows() -> None:
    songs = build_baselines(SAMPLE, ENCODING)["songs"]
    assert (songs.edges.tolist(), songs.counts.tolist()) == ([1.0, 3.0], [2, 1])
    assert (songs.n, songs.n_missing) == (3, 1)


def test_baseline_is_the_same_when_the_column_holds_integers_or_objects() -> None:
    mixed = pd.DataFrame(
        {"songs": pd.Series([1, 1, 3, None], dtype=object), "months": [1, 2, 3, 4]}
    )
    found = build_baselines(mixed, ENCODING)
    assert (found["songs"].n, found["songs"].n_missing) == (3, 1)
    assert found["months"].edges.tolist() == [1.0, 2.0, 3.0, 4.0]


def test_each_feature_is_tested_on_its_own_cells() -> None:
    baselines = build_baselines(SAMPLE, ENCODING)
    current = {"songs": [1.0, 2.0, 9.0], "churn_probability": [0.5, 0.6]}
    cells = pd.concat([count(name, baselines[name], current[name]) for name in current])
    found = compare_all(baselines, cells)
    for name, values in current.items():
        expected = stats.ks_2samp(SAMPLE[name].dropna(), values)
        assert found[name].statistic == pytest.approx(expected.statistic)
        assert found[name].p_value == pytest.approx(expected.pvalue)


def test_nothing_has_moved_when_the_sample_comes_again() -> None:
    baselines = build_baselines(SAMPLE, ENCODING)
    cells = pd.concat([count(name, baselines[name], SAMPLE[name].tolist()) for name in baselines])
    found = compare_all(baselines, cells)
    assert [test.statistic for test in found.values()] == [0.0, 0.0]
    assert found["songs"].missing_rate_current == found["songs"].missing_rate_baseline == 0.25


def test_feature_is_skipped_when_no_cell_was_counted() -> None:
    baselines = build_baselines(SAMPLE, ENCODING)
    found = compare_all(baselines, count("songs", baselines["songs"], [1.0]))
    assert (found["songs"].status, found["churn_probability"].status) == ("ok", "skipped")
    assert found["churn_probability"].n_current == 0


def test_feature_is_skipped_when_all_current_values_are_missing() -> None:
    baselines = build_baselines(SAMPLE[["songs"]], ENCODING)
    cells = pd.DataFrame({"feature": ["songs"], "cell": [MISSING_CELL], "n": [5]})
    found = compare_all(baselines, cells)["songs"]
    assert (found.status, found.missing_rate_current) == ("skipped", 1.0)


def test_cells_of_a_feature_without_baseline_are_left_out() -> None:
    baselines = build_baselines(SAMPLE[["songs"]], ENCODING)
    cells = pd.DataFrame({"feature": ["songs", "os"], "cell": [1, 7], "n": [2, 9]})
    assert list(compare_all(baselines, cells)) == ["songs"]


def test_cells_are_refused_when_they_were_counted_against_another_baseline() -> None:
    baselines = build_baselines(SAMPLE[["songs"]], ENCODING)
    cells = pd.DataFrame({"feature": ["songs"], "cell": [9], "n": [1]})
    with pytest.raises(ValueError, match="counted against another baseline"):
        compare_all(baselines, cells)


def test_order_and_division_of_the_cells_change_nothing() -> None:
    baselines = build_baselines(SAMPLE[["churn_probability"]], ENCODING)
    whole = count("churn_probability", baselines["churn_probability"], [0.1, 0.1, 0.35, 0.9])
    halves = pd.concat([whole, whole]).sample(frac=1, random_state=1)
    doubled = whole.assign(n=whole["n"] * 2)
    assert compare_all(baselines, halves) == compare_all(baselines, doubled)
