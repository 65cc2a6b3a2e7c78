"""A calibration is chosen by what trees say of users that they were not grown on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import cast

import numpy as np
import pandas as pd
import pytest
from model_builders import ENCODING
from pyspark.sql import SparkSession
from scipy.special import expit

from churn_spark.config import LightGBMConfig, load_config
from churn_spark.evaluation.reliability import calibration_line
from churn_spark.models import crossed_margins as module
from churn_spark.models.crossed_margins import crossed_margins
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.margins import tree_margins
from churn_spark.models.offset import Offset
from churn_spark.models.splits import STOPPING, TRAIN, bucket_of
from churn_spark.models.training import train_trees

FIRST = date(2018, 11, 5)
N_USERS, N_DATES = 3000, 4
EAGER = (
    "lightgbm.engine=lightgbm",
    *("lightgbm.num_leaves=31", "lightgbm.min_data_in_leaf=10", "lightgbm.learning_rate=0.1"),
    *("lightgbm.lambda_l2=1.0", "lightgbm.min_rounds=100", "lightgbm.max_rounds=100"),
)
"""Parameters under which trees know their rows by heart."""


def eager() -> LightGBMConfig:
    return load_config(overrides=EAGER).lightgbm


def weekly_rows(seed: int, n_users: int = N_USERS) -> pd.DataFrame:
    """Users who wait for one moment, seen on weekly dates in windows of 28 days that overlap."""
    rng = np.random.default_rng(seed)
    signal, noise = rng.normal(size=n_users), rng.normal(size=n_users)
    place = rng.integers(0, 40, n_users).astype(float)
    hazard = -np.log1p(-expit(-2.0 + 0.8 * signal)) / 28.0
    moment = rng.exponential(1.0 / hazard)
    split = rng.choice([TRAIN, STOPPING], n_users, p=[0.8, 0.2])
    found = []
    for week in range(N_DATES):
        start = 7.0 * week
        rows = {
            "as_of": FIRST + timedelta(weeks=week),
            "user_id": [f"{seed}-{n}" for n in range(n_users)],
            "label": (moment < start + 28.0).astype("int32"),
            "split": split,
            "signal": signal + rng.normal(scale=0.05, size=n_users),
            "noise": noise + rng.normal(scale=0.05, size=n_users),
            "place": place,
            "stated": np.nan,
        }
        found.append(pd.DataFrame(rows)[moment >= start])
    return pd.concat(found, ignore_index=True)


def learnt(rows: pd.DataFrame) -> LearntRows:
    return LearntRows.of_frame(rows, cast(SparkSession, None))


def newest_of(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["as_of"] == rows["as_of"].max()].reset_index(drop=True)


def plan_of(config: LightGBMConfig) -> TreePlan:
    return TreePlan(config.max_rounds, 1.0, 7, Offset.at(None, 0.1))


def slope(rows: pd.DataFrame, margins: np.ndarray) -> float:
    return calibration_line(rows["label"].to_numpy(), margins)[1]


def test_margins_are_as_true_as_of_users_that_nobody_has_seen() -> None:
    rows, config = weekly_rows(1), eager()
    later = newest_of(rows)
    is_first = (rows["split"] == TRAIN) & (rows["as_of"] < rows["as_of"].max())
    first, plan = learnt(rows[is_first]), plan_of(config)
    text = fit_trees(first, ENCODING, config, plan, "lightgbm")
    flattering = tree_margins(later, ENCODING, text, plan.offset)
    crossed = crossed_margins(later, flattering, first, ENCODING, config, plan)
    others = newest_of(weekly_rows(2, 20_000))
    truth = slope(others, tree_margins(others, ENCODING, text, plan.offset))
    assert truth < 0.6
    assert slope(later, flattering) > truth + 0.3
    assert slope(later, crossed) == pytest.approx(truth, abs=0.12)


@pytest.mark.parametrize("most_rows", [10**6, 2_000])
def test_no_row_is_told_by_trees_that_were_grown_on_its_user(
    most_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, config = weekly_rows(3), eager()
    later = newest_of(rows)
    first = learnt(rows[rows["split"] == TRAIN])
    grown: list[set[str]] = []
    told: list[set[str]] = []

    def fit(part: LearntRows, *_: object) -> str:
        grown.append({*part.take(10**6)["user_id"]})
        return str(len(grown) - 1)

    def margins(asked: pd.DataFrame, _: object, text: str, __: object) -> np.ndarray:
        assert not {*asked["user_id"]} & grown[int(text)]
        told.append({*asked["user_id"]})
        return np.full(len(asked), 1.0)

    # The candidate has learnt from all of them; the trees of the parts from no more than this.
    monkeypatch.setattr(module, "MAX_COLLECTED_ROWS", most_rows)
    monkeypatch.setattr(module, "fit_trees", fit)
    monkeypatch.setattr(module, "tree_margins", margins)
    found = crossed_margins(later, np.zeros(len(later)), first, ENCODING, config, plan_of(config))
    is_learnt = later["user_id"].isin({*first.take(10**6)["user_id"]}).to_numpy()
    assert (found == is_learnt).all()
    assert 0 < is_learnt.sum() < len(later)
    assert len(grown) == 5
    assert sum(map(len, told)) == is_learnt.sum()
    fifths = [{int(5 * bucket_of(user, 68)) for user in users} for users in told]
    assert fifths == [{0}, {1}, {2}, {3}, {4}]


def test_few_cancellations_leave_the_candidates_margins() -> None:
    rows, config = weekly_rows(4, 60), eager()
    first, later = learnt(rows[rows["split"] == TRAIN]), newest_of(rows)
    assert 0 < first.n_positive < 50
    margins = np.arange(float(len(later)))
    found = crossed_margins(later, margins, first, ENCODING, config, plan_of(config))
    assert found is margins


def test_probabilities_of_eager_trees_are_calibrated_for_others() -> None:
    rows = weekly_rows(5)
    fitted = train_trees(learnt(with_validation(rows)), ENCODING, eager(), [], 7)
    assert fitted.calibration.calibration.kind == "beta"
    others = newest_of(weekly_rows(6, 20_000))
    chances = fitted.probabilities(others, ENCODING)
    # Uncrossed .80: trees grown on all rows are somewhat better than those of the parts.
    assert 0.9 < slope(others, np.log(chances / (1 - chances))) < 1.45


def with_validation(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows, and a few of users whom no fit has."""
    held_out = weekly_rows(99, 300).assign(split="validation")
    return pd.concat([rows, held_out], ignore_index=True)
