"""The row of `drift` about all features at once, and which features it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.segments import ALL
from churn_spark.contracts.features.spec import SNAPSHOT_FEATURES
from churn_spark.contracts.tables import DRIFT
from churn_spark.lakehouse.frames import Rows, rows_beside, stack
from churn_spark.monitoring.drift.comparisons import TRAINING
from churn_spark.monitoring.drift.joint import JOINT, JointDrift, tell_apart
from churn_spark.monitoring.frames.sides import Sides
from churn_spark.monitoring.policy.evidence import JointFact

N_NAMED: Final = 3
_LONGEST_DAYS: Final = 28
_OF_FIXED_DAYS: Final = frozenset(
    feature.name
    for feature in SNAPSHOT_FEATURES
    if 0 < feature.formula.window <= _LONGEST_DAYS and not feature.moves_by_construction
)


def with_joint_drift(drift: Rows, sides: Sides, min_rows: int, config: PolicyConfig) -> Rows:
    """The night's drift rows, and one about all features at once.

    Grain: that of `drift`.

    Args:
        drift: of the night; read twice.
        sides: samples of the training rows and of tonight's users.
        min_rows: a side with fewer can't tell.
        config: says how far a feature must have moved to be looked at by itself only.
    """
    tests = _of_all_users(drift)
    if tests.empty:
        return drift
    names = choose_features(tests, config)
    joint = tell_apart(*sides.pair(names), names, min_rows)
    return stack([drift, rows_beside(drift, [_row_of(joint, tests)], DRIFT)])


def choose_features(tests: pd.DataFrame, config: PolicyConfig) -> list[str]:
    """The features that may tell tonight's users from the training rows, sorted.

    Left out is what can't be compared; what moves by construction, and what is counted since
    registration, for a rate gets finer with each day that goes into it, and trees see that; and
    what has surely moved by itself, as far as would keep it so: that is told by its own row, and
    would hide all else.

    Args:
        tests: rows of `drift` of all users against the training rows.
        config: has the distance below which a feature is as before.
    """
    statistic = tests["ks_statistic"].fillna(tests["total_variation"])
    has_moved = (statistic >= config.exit_statistic) & (tests["lower_bound"] > 0)
    names = tests.loc[(tests["status"] == "ok") & ~has_moved, "feature"]
    return sorted(set(names) & _OF_FIXED_DAYS)


def joint_fact(row: Row | None, version: str) -> JointFact | None:
    """What the policy may know of the joint drift; none where it was not tested.

    Args:
        row: of `drift`, about all features at once; none on nights of older releases.
        version: of the champion that it must be about.
    """
    if row is None or (row.model_version, row.status) != (version, "ok"):
        return None
    told_by = tuple(row.told_by)
    return JointFact(row.auc, row.auc_low, row.auc_high, told_by, row.importance)


def _of_all_users(drift: Rows) -> pd.DataFrame:
    """The tests of all users against the training rows."""
    if isinstance(drift, DataFrame):
        of_training = F.col("comparison") == TRAINING
        return drift.filter(of_training & (F.col("slice") == ALL)).toPandas()
    return drift[(drift["comparison"] == TRAINING) & (drift["slice"] == ALL)]


def _row_of(joint: JointDrift, tests: pd.DataFrame) -> dict[str, Any]:
    """As it is stored; figures of a night that can't tell are null."""
    told_by = [*joint.shares][:N_NAMED]
    found = {
        **{name: tests[name].iloc[0] for name in ("run_date", "model_version")},
        **dict.fromkeys(("comparison", "feature", "kind"), JOINT),
        "slice": ALL,
        "status": joint.status,
        "n_baseline": joint.n_baseline,
        "n_current": joint.n_current,
        "is_trending": False,
        "is_breached": False,
    }
    if joint.status != "ok":
        return found
    figures = {"auc": joint.auc, "auc_low": joint.low, "auc_high": joint.high}
    return found | figures | {"told_by": told_by, "importance": _importance(told_by, tests)}


def _importance(names: Sequence[str], tests: pd.DataFrame) -> float:
    return float(tests.loc[tests["feature"].isin(names), "importance"].sum())
