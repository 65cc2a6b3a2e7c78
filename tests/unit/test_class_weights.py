"""Cancellations weighted up: the same probabilities, the same ranking, the same shrinkage."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_builders import ENCODING, planted_rows
from pyspark.sql import SparkSession
from scipy.special import expit, logit

from churn_spark.config import LightGBMConfig, load_config
from churn_spark.evaluation.metrics import roc_auc
from churn_spark.models.class_weights import class_weight_of, weigh_shrinkage
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.margins import tree_margins
from churn_spark.models.offset import Offset
from churn_spark.models.training import FittedTrees, train_trees

RATE = 0.05


def configured(class_weight: str) -> LightGBMConfig:
    overrides = ["lightgbm.engine=lightgbm", f"lightgbm.class_weight={class_weight}"]
    return load_config(overrides=overrides).lightgbm


def learnt(frame: pd.DataFrame) -> LearntRows:
    """Rows that LightGBM's own library fits: nothing asks Spark for them."""
    return LearntRows.of_frame(frame, cast(SparkSession, None))


def rare_rows(n: int = 20_000) -> pd.DataFrame:
    """Rows of which few cancel, with the true chance as `stated`."""
    rows, rng = planted_rows(n=n), np.random.default_rng(5)
    chance = expit(logit(RATE) - 0.7 + 1.5 * rows["signal"].to_numpy())
    return rows.assign(label=(rng.random(n) < chance).astype("int32"), stated=chance)


def train(frame: pd.DataFrame, class_weight: str, offset: str | None) -> FittedTrees:
    features = [] if offset is None else [offset]
    return train_trees(learnt(frame), ENCODING, configured(class_weight), features, 7)


def test_balanced_weight_lets_both_classes_count_the_same() -> None:
    rows = rare_rows()
    weight = class_weight_of(learnt(rows), configured("balanced"))
    assert weight * rows["label"].sum() == pytest.approx((1 - rows["label"]).sum())
    assert class_weight_of(learnt(rows), configured("none")) == 1.0


@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_class_are_not_weighted(label: int) -> None:
    rows = rare_rows(n=100).assign(label=label)
    assert class_weight_of(learnt(rows), configured("balanced")) == 1.0


def test_trees_that_begin_at_the_truth_stay_there_whatever_the_weight() -> None:
    """Before any calibration: the weight moves no probability."""
    rows, offset = rare_rows(), Offset.at("stated", RATE)
    for weight in (1.0, 5.0, 25.0):
        plan = TreePlan(10, weight, 7, offset)
        text = fit_trees(learnt(rows), ENCODING, configured("balanced"), plan, "lightgbm")
        margins = tree_margins(rows, ENCODING, text, offset)
        assert np.abs(margins - logit(rows["stated"].to_numpy())).mean() < 0.1
        assert expit(margins).mean() == pytest.approx(rows["label"].mean(), rel=0.1)


@pytest.mark.parametrize("offset", [None, "stated"])
def test_weighted_trees_rank_as_well_and_are_as_few_as_unweighted_ones(offset: str | None) -> None:
    rows, unseen = rare_rows(), rare_rows(n=60_000).iloc[20_000:]
    found = {}
    for class_weight in ("none", "balanced"):
        trees = train(rows, class_weight, offset)
        chances = trees.probabilities(unseen, ENCODING)
        assert chances.mean() == pytest.approx(unseen["label"].mean(), rel=0.15)
        found[class_weight] = roc_auc(unseen["label"].to_numpy(), chances), trees.rounds.rounds
    assert found["balanced"][0] > found["none"][0] - 0.004
    assert found["balanced"][1] <= 3 * found["none"][1]


@given(st.floats(0.001, 1.0))
def test_leaves_are_shrunk_by_the_same_share_at_every_base_rate(rate: float) -> None:
    """Of n rows without any signal, a leaf's curvature beside what is added to it."""
    config = configured("balanced")
    weight = (1.0 - rate / 2) / (rate / 2)
    share = rate / 2
    unweighted = share * (1 - share)
    chance = weight * share / (1 - share + weight * share)
    weighted = (weight * share + 1 - share) * chance * (1 - chance)
    shrunk = weigh_shrinkage(config, weight)
    for name in ("lambda_l2", "cat_l2", "cat_smooth"):
        before, after = getattr(config, name) / unweighted, getattr(shrunk, name) / weighted
        assert after == pytest.approx(before)


def test_no_weight_changes_no_parameter() -> None:
    config = configured("none")
    assert weigh_shrinkage(config, 1.0) == config
