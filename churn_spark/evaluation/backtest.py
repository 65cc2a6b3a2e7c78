"""What a backtest measures: every model on users, on dates, or on both that no fit has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_spark.arrays import Bools, Floats
from churn_spark.contracts.features.segments import SEGMENTS
from churn_spark.evaluation.bootstrap import (
    Bootstrap,
    bootstrap_by_segment,
    bootstrap_by_user,
)
from churn_spark.evaluation.intervals import Interval
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import count_positive_rows

PRIMARY: Final = "lightgbm"
LADDER: Final = (
    "base_rate", "rule", "logistic_regression", "hazard", "behaviour", "fading", "unweighted",
    PRIMARY, "oracle",
)  # fmt: skip
CELLS: Final = ("new users", "future", "both")
TEST: Final = "test"
MIN_HEADLINE_POSITIVES: Final = 50
BACKTEST_SEGMENTS: Final = (*SEGMENTS, "gender")
_REFERENCES: Final = ("rule", "logistic_regression", "behaviour", "unweighted")


def cell_of(is_held_out: Bools, is_test_date: Bools) -> NDArray[np.object_]:
    """The cell of each row: `new users`, `future` (later dates), `both`, or `training`."""
    return np.select(
        [is_held_out & is_test_date, is_test_date, is_held_out],
        ["both", "future", "new users"],
        "training",
    ).astype(object)


def headline_cell(
    cells: NDArray[np.object_], labels: Floats, weights: Floats | None = None
) -> Literal["both", "test"]:
    """The cell that a report is about: `both`, new users on later dates, where enough cancel.

    Otherwise `test`, all users on later dates: figures of a few cancels would be mostly chance.
    """
    is_both = cells == "both"
    n_positive = count_positive_rows(labels[is_both], None if weights is None else weights[is_both])
    return "both" if n_positive >= MIN_HEADLINE_POSITIVES else "test"


def measure(
    predictions: pd.DataFrame,
    models: Sequence[str],
    thresholds: Mapping[str, float],
    *,
    n_replicas: int,
    seed: int,
) -> pd.DataFrame:
    """All metrics of all models with their intervals, by cell, and by segment of the headline cell.

    Args:
        predictions: a row for each as-of date and user: `user_id`, `label`, `cell`, the columns
            of `BACKTEST_SEGMENTS` and a column of probabilities for each model; with `weight`
            where rows don't count once each.
        models: names of these columns.
        thresholds: model -> where its F1 is taken.
        n_replicas: draws of the users.
        seed: of the draws.

    Returns:
        Columns cell, segment, model, versus, metric, value, low, high, n, n_positive.
    """
    draw = partial(bootstrap_by_user, thresholds=thresholds, n_replicas=n_replicas, seed=seed)
    rows: list[dict[str, object]] = []
    is_test = predictions["cell"].isin(["future", "both"])
    parts = {cell: predictions[predictions["cell"] == cell] for cell in CELLS}
    parts[TEST] = predictions[is_test]
    for cell, part in parts.items():
        if len(part):
            found = draw(*_columns(part, models), weights=weights_in(part))
            rows += _metric_rows(cell, "all", found, part["label"].sum())
    headline = headline_cell(
        predictions["cell"].to_numpy(), predictions["label"].to_numpy(), weights_in(predictions)
    )
    unseen = parts[headline].fillna(dict.fromkeys(BACKTEST_SEGMENTS, "unknown"))
    for segment in BACKTEST_SEGMENTS if len(unseen) else ():
        by_segment = bootstrap_by_segment(
            *_columns(unseen, models),
            unseen[segment].to_numpy(),
            thresholds=thresholds,
            n_replicas=n_replicas,
            seed=seed,
            weights=weights_in(unseen),
        )
        for value, found in by_segment.items():
            n_positive = unseen.loc[unseen[segment] == value, "label"].sum()
            rows += _metric_rows(headline, f"{segment}={value}", found, n_positive)
    return pd.DataFrame(rows)


def _columns(
    rows: pd.DataFrame, models: Sequence[str]
) -> tuple[Floats, dict[str, Floats], NDArray[np.object_]]:
    probabilities = {model: rows[model].to_numpy(dtype=np.float64) for model in models}
    return rows["label"].to_numpy(dtype=np.float64), probabilities, rows["user_id"].to_numpy()


def _metric_rows(
    cell: str, segment: str, found: Bootstrap, n_positive: int
) -> list[dict[str, object]]:
    where = {"cell": cell, "segment": segment, "n": found.n, "n_positive": int(n_positive)}

    def rows(
        versus: str, intervals: Mapping[str, Mapping[str, Interval]]
    ) -> list[dict[str, object]]:
        return [
            {
                **where,
                "model": model,
                "versus": versus,
                "metric": metric,
                "value": interval.value,
                "low": interval.low,
                "high": interval.high,
            }
            for model, by_metric in intervals.items()
            for metric, interval in by_metric.items()
        ]

    differences = {
        reference: {PRIMARY: found.differences(reference)[PRIMARY]}
        for reference in _REFERENCES
        if reference in found.values
    }
    paired = [row for name, pairs in differences.items() for row in rows(name, pairs)]
    return rows("", found.intervals()) + paired
