"""A window that a training has seen begin is judged on the users that no model was fitted on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import cast

import lightgbm
import numpy as np
import pandas as pd
import pytest
from builders import write_rows
from serving_builders import make_bundle, make_encoding, make_rows

from churn_spark.config import load_config
from churn_spark.contracts.features.history import FILLED_DAYS, LOG_DAYS
from churn_spark.contracts.features.spec import fingerprint, model_features
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import LABELS, SCORES, SNAPSHOTS
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.splits import VALIDATION, split_of
from churn_spark.monitoring.policy.policy_state import PolicyState
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import LogDates, partly_known_dates
from churn_spark.pipeline.evidence import (
    compare_on_probation,
    compare_with_champion,
    probation_dates,
)
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.performance import measure_performance, read_labelled
from churn_spark.timeline import LogSpan

N_USERS = 600
PROMOTED = date(2019, 6, 12)
NIGHT = PROMOTED + timedelta(days=7)
BEGUN = date(2019, 6, 3)
UNBEGUN = date(2019, 6, 17)
FEATURES = model_features(["report", "activity"], use_gender=False)
ENCODING = replace(
    make_encoding().only([feature.name for feature in FEATURES]), fingerprint=fingerprint(FEATURES)
)
TELLING = ("num_downgrades", ENCODING.features[0])
"""What the outcomes follow from."""


class Models:
    """A registry of two versions, both trained on the day of the promotion."""

    def __init__(self, old: ModelBundle, new: ModelBundle) -> None:
        self.bundles = {"1": replace(old, version="1"), "2": replace(new, version="2")}

    def load(self, version: str) -> ModelBundle:
        return self.bundles[version]

    def run_of(self, version: str) -> str:
        return f"run {version}"

    def trained_as_of(self, version: str) -> date:
        assert version in self.bundles
        return PROMOTED


def registry_of(old: ModelBundle, new: ModelBundle) -> ModelRegistry:
    return cast(ModelRegistry, Models(old, new))


@pytest.fixture
def labelled(context: JobContext) -> pd.DataFrame:
    """Users of two dates and their outcomes, which follow from what all honest models know."""
    users = pd.concat(
        make_rows(N_USERS, seed).assign(as_of=day, user_id=[f"u{n}" for n in range(N_USERS)])
        for seed, day in enumerate([BEGUN, UNBEGUN], start=10)
    )
    known = np.nan_to_num(ENCODING.encode(users))
    downgrades, other = (known[:, ENCODING.features.index(name)] for name in TELLING)
    odds = downgrades / 10 - 3 - other / 40
    chances = 1 / (1 + np.exp(-odds))
    users["label"] = (np.random.default_rng(5).random(len(users)) < chances).astype(int)
    write_rows(context, SNAPSHOTS, users)
    labels = users[["as_of", "user_id", "label"]].assign(horizon_days=14, gap_days=1)
    write_rows(context, LABELS, labels)
    scores = users.loc[users["as_of"] == BEGUN, ["user_id"]].assign(as_of=NIGHT)
    write_rows(context, SCORES, scores.assign(churn_probability=chances[:N_USERS]))
    return users


def learn(rows: pd.DataFrame, hidden: tuple[str, ...] = (), **parameters: float) -> ModelBundle:
    """Trees of the outcomes of some rows, which see nothing of the hidden features."""
    matrix = ENCODING.encode(rows)
    matrix[:, [ENCODING.features.index(name) for name in hidden]] = 0.0
    data = lightgbm.Dataset(matrix, rows["label"].to_numpy(dtype=float))
    always = {"objective": "binary", "num_threads": 1, "verbosity": -1}
    trees = lightgbm.train({**always, **parameters}, data, 50)
    return replace(
        make_bundle(rounds=1),
        native_text=trees.model_to_string(),
        encoding=ENCODING,
        metrics={"threshold": 0.3},
    )


def learn_by_heart(rows: pd.DataFrame) -> ModelBundle:
    """A model that knows the outcomes of its rows, and of other users nothing."""
    leaves = {"num_leaves": 200, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0.0}
    return learn(rows, TELLING, **leaves)


@pytest.mark.parametrize(
    ("label", "begun", "unbegun"),
    [
        ("labels.horizon_days=14", date(2019, 6, 3), date(2019, 6, 17)),
        ("labels.horizon_days=30", date(2019, 5, 20), date(2019, 6, 11)),
        ("labels.gap_days=3", date(2019, 6, 8), date(2019, 6, 9)),
    ],
)
def test_window_is_known_in_part_until_it_begins_with_the_training(
    label: str, begun: date, unbegun: date
) -> None:
    labels = load_config(overrides=[label]).labels
    assert partly_known_dates([begun, unbegun], labels, PROMOTED) == [begun]


def test_only_held_out_users_count_on_the_dates_that_are_named(
    context: JobContext, labelled: pd.DataFrame
) -> None:
    learning, limits = context.config.learning, context.config.monitoring
    found = read_labelled(
        context.lakehouse,
        {"p": learn(labelled)},
        [BEGUN, UNBEGUN],
        learning,
        limits,
        held_out=[BEGUN],
    )
    users = found.groupby("as_of")["user_id"].agg(set)
    everybody = {*labelled["user_id"]}
    assert users[UNBEGUN] == everybody
    held_out = {user for user in everybody if split_of(user, learning.training) == VALIDATION}
    assert users[BEGUN] == held_out
    assert 0.1 * N_USERS < len(held_out) < 0.3 * N_USERS


def test_champion_that_knows_its_users_by_heart_does_not_hold_its_place_by_that(
    context: JobContext, labelled: pd.DataFrame
) -> None:
    config = context.config
    is_fitted = labelled["user_id"].map(lambda user: split_of(user, config.training) != VALIDATION)
    learnt = labelled[is_fitted & (labelled["as_of"] == BEGUN)]
    honest = learn(labelled[is_fitted & (labelled["as_of"] == UNBEGUN)], min_data_in_leaf=50)
    models = registry_of(honest, learn_by_heart(learnt))
    log = LogDates(LogSpan(date(2019, 1, 1), NIGHT), NIGHT)
    night = Night(NIGHT, log, (), RegistryState("2", "", PROMOTED))
    state = PolicyState(
        "2", PROMOTED, 14, previous="1", probation_end=PROMOTED + timedelta(days=14)
    )
    assert probation_dates(night, state, config.night) == [BEGUN]
    found = compare_on_probation(context.lakehouse, models, night, state, config.night)
    assert found is not None
    assert found.auc_difference < -0.1
    assert found.auc_high < 0.0


def test_performance_of_a_window_that_the_training_knew_in_part_is_of_held_out_users(
    context: JobContext, labelled: pd.DataFrame
) -> None:
    config, bundle = context.config, learn(labelled)
    models = registry_of(bundle, bundle)
    seen = {}
    for window in (BEGUN, UNBEGUN):
        rows = measure_performance(
            context.lakehouse,
            models,
            NIGHT,
            models.load("2"),
            window,
            config.learning,
            config.monitoring,
        )
        seen[window] = max(row["n_rows"] for row in rows if row["basis"] == "labels")
        limited = {row["basis"]: row["limited_to"] for row in rows}
        assert limited == {"expected": [], "labels": ["held_out"] if window == BEGUN else []}
    assert seen[UNBEGUN] == N_USERS
    assert seen[BEGUN] < 0.3 * N_USERS


@pytest.mark.parametrize(
    ("days", "restores"),
    [((142, 153), True), ((143, 153), False), ((142, 152), False), ((143, 152), False)],
)
def test_challenger_is_told_to_restore_what_the_champion_is_too_old_for(
    context: JobContext, labelled: pd.DataFrame, days: tuple[int, int], restores: bool
) -> None:
    """Three quarters of the log of 190 days are 142.5, and 153 when a probation would be over."""
    config = context.config
    bundle = learn(labelled, min_data_in_leaf=50)
    others = [known % 70 for known in range(1, len(bundle.baseline))]
    models = [
        replace(
            bundle, baseline=bundle.baseline.assign(**{LOG_DAYS: [known, *others], FILLED_DAYS: 40})
        )
        for known in days
    ]
    late = date(2019, 1, 1) + timedelta(days=190)
    log = LogDates(LogSpan(date(2019, 1, 1), late), late)
    night = Night(late, log, (), RegistryState("1", "", PROMOTED))
    found = compare_with_champion(
        context.lakehouse, registry_of(*models), night, ("2", "1"), config.night
    )
    assert (found.version, found.champion, found.restores_drift) == ("2", "1", restores)
    # Few cancel: what is known of the rate is of all dates.
    assert found.level_from == min(labelled["as_of"])
