"""Nights that were counted for one champion are counted anew for the next one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import lightgbm
import numpy as np
import pandas as pd
import pytest
from builders import write_rows
from serving_builders import LEVELS, make_rows

from churn_spark.contracts.features.history import History
from churn_spark.contracts.tables import DRIFT_CELLS, SCORES, SNAPSHOTS
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding
from churn_spark.monitoring.drift.comparisons import ROLLING_DAYS
from churn_spark.monitoring.frames.reference import Reference
from churn_spark.pipeline.bin_counts import count_night, count_past_nights
from churn_spark.pipeline.context import JobContext

TONIGHT = date(2018, 11, 30)
NIGHTS = [TONIGHT - timedelta(days=days) for days in (0, 1, 3, ROLLING_DAYS + 1)]
NAMES = ("songs_7d", "tenure_days", "os")
Cells = dict[tuple[date, str, str], tuple[list[int], list[int]]]


def make_champion(version: str, seed: int) -> ModelBundle:
    """A model of two numbers and a category, with the rows it was fitted to."""
    encoding = Encoding(NAMES, {"os": LEVELS["os"]}, {}, "test")
    matrix = encoding.encode(make_rows(300, seed))
    labels = np.random.default_rng(seed).random(300).round()
    trees = lightgbm.train(
        {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(matrix, labels),
        num_boost_round=5,
    )
    bundle = ModelBundle(
        trees.model_to_string(), encoding, Calibration("shift", (0.0,)), 0.5,
        {"kind": "horizon", "horizon_days": 14, "gap_days": 1},
        pd.DataFrame(matrix, columns=list(NAMES)), version=version,
    )  # fmt: skip
    scores = bundle.calibration.probabilities(bundle.margins(matrix))
    return replace(bundle, baseline=bundle.baseline.assign(churn_probability=scores))


OLD, NEW = make_champion("1", 1), make_champion("2", 2)


def write_scores(context: JobContext, users: pd.DataFrame, bundle: ModelBundle) -> None:
    scores = users.assign(churn_probability=bundle.probabilities(users))
    write_rows(context, SCORES, scores.assign(model_version=bundle.version, risk_rank=1))


def count(context: JobContext, night: date, bundle: ModelBundle) -> None:
    count_night(context.lakehouse, night, bundle, Reference.of(bundle, 100, History(90, 90)))


def read_cells(context: JobContext, version: str) -> Cells:
    rows = context.lakehouse.read(DRIFT_CELLS).filter(f"model_version = '{version}'").collect()
    return {(r.run_date, r.slice, r.feature): (r.cells, r.counts) for r in rows}


@pytest.fixture
def users(context: JobContext) -> pd.DataFrame:
    """Other users every night, all of them counted for the old champion."""
    frames = [
        make_rows(40, seed).assign(as_of=night, user_id=[f"{seed}/{n}" for n in range(40)])
        for seed, night in enumerate(NIGHTS, start=10)
    ]
    users = pd.concat(frames, ignore_index=True)
    write_rows(context, SNAPSHOTS, users)
    write_scores(context, users, OLD)
    for night in NIGHTS:
        count(context, night, OLD)
    return users


def test_new_champion_counts_the_nights_before_as_it_would_have(
    context: JobContext, users: pd.DataFrame
) -> None:
    before = read_cells(context, "1")
    assert (
        count_past_nights(context.lakehouse, TONIGHT, NEW, Reference.of(NEW, 100, History(90, 90)))
        == 2
    )
    found = read_cells(context, "2")
    assert {night for night, _, _ in found} == set(NIGHTS[1:3])
    assert read_cells(context, "1") == before
    # Once is enough.
    assert (
        count_past_nights(context.lakehouse, TONIGHT, NEW, Reference.of(NEW, 100, History(90, 90)))
        == 0
    )
    write_scores(context, users, NEW)
    for night in NIGHTS[1:3]:
        count(context, night, NEW)
    assert read_cells(context, "2") == found
