"""From a model and counted nights to drift rows and to what the policy may know of them."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date, timedelta
from functools import partial

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from scipy import stats

from churn_spark.config import load_config
from churn_spark.lakehouse.frames import Rows, collect, stack, with_constants
from churn_spark.models.encoding import Encoding
from churn_spark.monitoring.drift.comparisons import code_reference
from churn_spark.monitoring.drift.distances import compare_rates
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.drift.ks import build_reference
from churn_spark.monitoring.frames.bin_counts import count_bins_by_feature, share_edges
from churn_spark.monitoring.frames.drift import Judgement, build_drift
from churn_spark.monitoring.frames.reference import Reference, count_slices, encode_users
from churn_spark.monitoring.performance.performance import measure

pytestmark = pytest.mark.spark

POLICY = load_config(overrides=["policy.self_calibrate=false"]).policy
TONIGHT = date(2024, 3, 31)
LEVELS = ("Windows", "Mac")
ENCODING = Encoding(("songs", "tenure_days", "os"), {"os": LEVELS}, {}, "")


def draw_users(seed: int, shift: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 600
    return pd.DataFrame(
        {
            "songs": np.where(rng.random(n) < 0.1, math.nan, rng.poisson(20 + shift, n)),
            "tenure_days": rng.normal(90 + 40 * shift, 20, n),
            "churn_probability": rng.random(n),
            "os": rng.choice([*LEVELS, "Linux"], n, p=[0.6, 0.3, 0.1]),
            "last_subscription_level": rng.choice(["free", "paid"], n, p=[0.1, 0.9]),
        }
    )


def encode(users: pd.DataFrame) -> pd.DataFrame:
    codes = users["os"].map({"Windows": 0.0, "Mac": 1.0}).fillna(2.0)
    return users.assign(os=codes, segment_level=users["last_subscription_level"])


TRAINING = draw_users(1)
REFERENCE = Reference(
    "7",
    {
        "songs": build_reference(TRAINING["songs"].to_numpy()),
        "tenure_days": build_reference(TRAINING["tenure_days"].to_numpy()),
        "churn_probability": build_reference(TRAINING["churn_probability"].to_numpy()),
        "os": code_reference(encode(TRAINING)["os"].to_numpy(), 2),
    },
    {"os": 2},
    {"songs": 0.6, "os": 0.3, "tenure_days": 0.1},
)
FULL = {name: np.ones(len(TRAINING), dtype=np.bool_) for name in REFERENCE.samples}
REFERENCE = replace(REFERENCE, slices=count_slices(encode(TRAINING), REFERENCE.samples, FULL))
NIGHTS = {0: draw_users(2, shift=3.0), 1: draw_users(3), 7: draw_users(4), 30: draw_users(5)}


def count_users(users: Rows) -> Rows:
    edges = share_edges(users, REFERENCE.samples)
    return count_bins_by_feature(users, edges, ["level"], partial(encode_users, encoding=ENCODING))


@pytest.fixture(scope="module")
def cells(spark: SparkSession) -> DataFrame:
    frames = []
    for days, users in NIGHTS.items():
        counted = count_users(spark.createDataFrame(users))
        night = TONIGHT - timedelta(days=days)
        frames.append(with_constants(counted, run_date=night))
    return stack(frames).cache()


@pytest.fixture(scope="module")
def drift(cells: DataFrame) -> pd.DataFrame:
    return collect(build_drift(cells, REFERENCE, TONIGHT, 200, Judgement(POLICY)))


def test_drift_is_the_same_on_the_driver(cells: DataFrame, drift: pd.DataFrame) -> None:
    here = pd.concat(
        with_constants(count_users(users), run_date=TONIGHT - timedelta(days=days))
        for days, users in NIGHTS.items()
    )
    found = build_drift(here, REFERENCE, TONIGHT, 200, Judgement(POLICY))
    key = ["comparison", "slice", "feature"]
    pd.testing.assert_frame_equal(
        collect(found).sort_values(key, ignore_index=True),
        drift.sort_values(key, ignore_index=True),
        check_exact=True,
    )
    missing = found[["psi", "chi_square"]].isna().sum()
    assert (missing > 0).all()


def row_of(drift: pd.DataFrame, feature: str, comparison: str, place: str = "all") -> pd.Series:
    rows = drift[
        (drift["feature"] == feature)
        & (drift["comparison"] == comparison)
        & (drift["slice"] == place)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_each_comparison_has_a_row_for_each_feature(drift: pd.DataFrame) -> None:
    keys = drift[["comparison", "slice", "feature"]]
    assert not keys.duplicated().any()
    comparisons = ["previous_night", "rolling_28", "same_weekday", "training"]
    for place in ("all", "level=paid"):
        found = keys[keys["slice"] == place]
        assert sorted(found["comparison"].unique()) == comparisons
        assert len(found) == 4 * len(REFERENCE.samples)
    # Some sixty users are too few to show anything of.
    assert "level=free" not in set(keys["slice"])


@pytest.mark.parametrize(
    ("comparison", "days"),
    [("training", None), ("previous_night", [1]), ("rolling_28", [1, 7]), ("same_weekday", [7])],
)
def test_tests_are_those_of_scipy_on_the_values(
    drift: pd.DataFrame, comparison: str, days: list[int] | None
) -> None:
    before = TRAINING if days is None else pd.concat([NIGHTS[day] for day in days])
    found = row_of(drift, "songs", comparison)
    expected = stats.ks_2samp(before["songs"].dropna(), NIGHTS[0]["songs"].dropna())
    assert found["ks_statistic"] == pytest.approx(expected.statistic, abs=1e-12)
    assert found["p_value"] == pytest.approx(expected.pvalue, rel=1e-9)
    assert found["direction"] == "higher"
    assert found["missing_rate_current"] == NIGHTS[0]["songs"].isna().mean()
    table = [side["os"].map({"Windows": 0, "Mac": 1}).fillna(2).value_counts().sort_index()
             for side in (before, NIGHTS[0])]  # fmt: skip
    category = row_of(drift, "os", comparison)
    chi = stats.chi2_contingency(np.array(table), correction=False)
    assert category["chi_square"] == pytest.approx(chi.statistic)
    assert category["unseen_rate_current"] == (NIGHTS[0]["os"] == "Linux").mean()


def test_slice_is_compared_with_its_own_training_rows(drift: pd.DataFrame) -> None:
    before, now = (
        users[users["last_subscription_level"] == "paid"] for users in (TRAINING, NIGHTS[0])
    )
    found = row_of(drift, "songs", "training", "level=paid")
    expected = stats.ks_2samp(before["songs"].dropna(), now["songs"].dropna())
    assert found["ks_statistic"] == pytest.approx(expected.statistic, abs=1e-12)
    category = row_of(drift, "os", "training", "level=paid")
    assert category["n_baseline"] == len(before)
    rates = compare_rates(
        (int(before["songs"].isna().sum()), int(now["songs"].isna().sum())),
        (len(before), len(now)),
    )
    assert found["missing_p_value"] == pytest.approx(rates.p_value)


def test_p_values_are_adjusted_within_comparison_and_slice(drift: pd.DataFrame) -> None:
    for _, rows in drift.groupby(["comparison", "slice"]):
        expected = stats.false_discovery_control(rows["p_value"], method="bh")
        np.testing.assert_allclose(rows["adjusted_p_value"], expected)


def test_breach_trend_and_importance_stand_in_the_row(drift: pd.DataFrame) -> None:
    songs, tenure = (row_of(drift, name, "training") for name in ("songs", "tenure_days"))
    assert (songs["is_breached"], songs["is_trending"]) == (True, False)
    assert (tenure["is_breached"], tenure["is_trending"]) == (True, True)
    assert (songs["importance"], songs["model_version"]) == (0.6, "7")
    assert not row_of(drift, "os", "training")["is_breached"]


def test_policy_knows_all_users_against_the_training_rows(
    cells: DataFrame, drift: pd.DataFrame
) -> None:
    features, prediction = drift_facts(
        build_drift(cells, REFERENCE, TONIGHT, 200, Judgement(POLICY)).collect()
    )
    assert [fact.feature for fact in features] == ["os", "songs", "tenure_days"]
    assert features[0].statistic == row_of(drift, "os", "training")["total_variation"]
    assert features[1].statistic == row_of(drift, "songs", "training")["ks_statistic"]
    assert features[2].is_trending
    assert prediction is not None
    assert prediction.adjusted_p > 0.01


def test_night_without_counts_has_no_rows(cells: DataFrame) -> None:
    empty = build_drift(cells, REFERENCE, TONIGHT + timedelta(days=1), 200, Judgement(POLICY))
    assert empty.collect() == []


def test_the_training_rows_again_have_not_moved_at_all(spark: SparkSession) -> None:
    counted = count_users(spark.createDataFrame(TRAINING))
    night = with_constants(counted, run_date=TONIGHT)
    rows = build_drift(night, REFERENCE, TONIGHT, 200, Judgement(POLICY)).collect()
    assert {row.slice for row in rows} == {"all", "level=paid"}
    for row in rows:
        moved = row.total_variation if row.kind == "category" else row.ks_statistic
        assert (moved, row.p_value, row.adjusted_p_value) == (0.0, 1.0, 1.0)
        assert not row.is_breached
        if row.kind == "number":
            assert (row.psi, row.jensen_shannon, row.wasserstein) == (0.0, 0.0, 0.0)
    labels = np.repeat([0.0, 1.0], 50)
    found = measure(labels, labels, np.arange(100), threshold=0.5, n_replicas=100, seed=1)
    assert found["log_loss"].value == pytest.approx(0.0, abs=1e-12)
