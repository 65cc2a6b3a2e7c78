"""A night's rows in real tables: all features at once, and what moves the scores, without Spark."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from local_lakehouse import open_local
from serving_builders import LEVELS, make_rows

from churn_spark.config import load_config
from churn_spark.contracts.features.history import History
from churn_spark.contracts.tables import DRIFT, SCORES, SNAPSHOTS, TableSpec
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import replace_users
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding
from churn_spark.models.reference_folds import FOLD, N_FOLDS
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.frames.drift import Judgement, build_drift
from churn_spark.monitoring.frames.joint import joint_fact, with_joint_drift
from churn_spark.monitoring.frames.reference import Reference
from churn_spark.monitoring.frames.sides import Sides
from churn_spark.pipeline.bin_counts import count_night, read_cells
from churn_spark.pipeline.monitor import Drift, read_drift

NAMES = ("tenure_days", "songs_7d", "songs_28d", "sessions_14d", "adverts_28d", "os")
TONIGHT, N_USERS = date(2018, 11, 30), 1200
POLICY = load_config().policy
OLD_LOG = History(500, 500)
LATER = {"contribution_baseline", "contribution_current", "contribution_error", "auc", "auc_low",
         "auc_high", "told_by"}  # fmt: skip


def draw_rows(seed: int) -> pd.DataFrame:
    """Users who have heard in a week what they have in four."""
    rows = make_rows(N_USERS, seed)
    return rows.assign(songs_28d=rows["songs_7d"])


def make_champion() -> ModelBundle:
    """A model of some features, with the rows that it was fitted to, one row a user."""
    encoding = Encoding(NAMES, {"os": LEVELS["os"]}, {}, "test")
    matrix = encoding.encode(draw_rows(5))
    labels = np.nan_to_num(matrix[:, 0]) > np.random.default_rng(99).gamma(1.5, 12.0, N_USERS)
    trees = lightgbm.train(
        {"objective": "binary", "num_leaves": 4, "verbosity": -1, "num_threads": 1},
        lightgbm.Dataset(matrix, labels.astype(float)),
        num_boost_round=10,
    )
    bundle = ModelBundle(
        trees.model_to_string(), encoding, Calibration("shift", (0.0,)), 0.5,
        {"kind": "horizon", "horizon_days": 14, "gap_days": 1},
        pd.DataFrame(matrix, columns=list(NAMES)), version="1",
    )  # fmt: skip
    scores = bundle.calibration.probabilities(bundle.margins(matrix))
    parts = {FOLD: np.arange(N_USERS) % N_FOLDS}
    return replace(bundle, baseline=bundle.baseline.assign(churn_probability=scores, **parts))


CHAMPION = make_champion()


def write(lakehouse: Lakehouse, spec: TableSpec, rows: pd.DataFrame) -> None:
    frame = rows.reindex(columns=spec.column_names).astype(object)
    lakehouse.replace_rows(frame.where(frame.notna(), None), spec, {})


def monitor(lakehouse: Lakehouse, users: pd.DataFrame, bundle: ModelBundle) -> Drift:
    """Count, compare and store the night of some users; returns its drift, read again."""
    ids = [f"u{number}" for number in range(N_USERS)]
    users = users.assign(as_of=TONIGHT, user_id=ids)
    write(lakehouse, SNAPSHOTS, users)
    scores = users[["as_of", "user_id"]].assign(churn_probability=bundle.probabilities(users))
    write(lakehouse, SCORES, scores)
    reference = Reference.of(bundle, 500, OLD_LOG)
    users = count_night(lakehouse, TONIGHT, bundle, reference)
    sides = Sides.of(users, bundle, 1000, OLD_LOG)
    cells = read_cells(lakehouse, TONIGHT, reference)
    tests = build_drift(cells, reference, TONIGHT, 200, Judgement(POLICY), sides.attributions(500))
    drift = with_joint_drift(tests, sides, 200, POLICY)
    replace_users(lakehouse, drift, DRIFT, {"run_date": [TONIGHT]})
    return read_drift(lakehouse, TONIGHT)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """One whose table of drift was made by a release that knew nothing of all features at once."""
    older = [field for field in arrow_schema(DRIFT) if field.name not in LATER]
    night = {"run_date": TONIGHT - timedelta(days=1), "comparison": "training", "slice": "all"}
    rows = pa.Table.from_pylist([night | {"feature": "songs_7d"}], pa.schema(older))
    write_deltalake(tmp_path / DRIFT.path, rows, partition_by=["run_date"])
    return open_local(tmp_path)


def test_what_goes_together_otherwise_is_stored_and_known_to_the_policy(
    lakehouse: Lakehouse,
) -> None:
    users = draw_rows(6)
    heard = users["songs_28d"].sample(frac=1, random_state=1, ignore_index=True)
    found = monitor(lakehouse, users.assign(songs_28d=heard), CHAMPION)
    features, _ = drift_facts(found.rows)
    assert max(feature.lower_bound for feature in features) < 0.02
    fact = joint_fact(found.joint, "1")
    assert fact is not None
    assert fact.low > POLICY.enter_auc_low
    assert set(fact.told_by[:2]) == {"songs_7d", "songs_28d"}
    assert joint_fact(found.joint, "2") is None
    [before] = read_drift(lakehouse, TONIGHT - timedelta(days=1)).rows
    assert before.contribution_current is None


def test_same_kind_of_users_is_not_told_apart_and_their_scores_move_by_the_same(
    lakehouse: Lakehouse,
) -> None:
    found = monitor(lakehouse, draw_rows(7), CHAMPION)
    assert found.joint is not None
    assert found.joint.auc_low < 0.5 < found.joint.auc_high
    assert "joint" not in {row.feature for row in found.rows}
    parts = {row.feature: row for row in found.rows if row.contribution_baseline}
    assert "tenure_days" in parts
    for row in parts.values():
        gap = abs(row.contribution_current - row.contribution_baseline)
        assert gap < 5 * row.contribution_error


def test_champion_of_an_older_release_is_not_tested_at_once(lakehouse: Lakehouse) -> None:
    older = replace(CHAMPION, baseline=CHAMPION.baseline.drop(columns=FOLD))
    found = monitor(lakehouse, draw_rows(8), older)
    assert found.joint is not None
    assert (found.joint.status, found.joint.n_baseline) == ("skipped", 0)
    assert (found.joint.auc, found.joint.told_by) == (None, None)
    assert joint_fact(found.joint, "1") is None
