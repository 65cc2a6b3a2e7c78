"""Encoded rows -> folds to try parameters on: other users, later dates, no validation user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.arrays import Ints, Values
from churn_spark.config import LightGBMConfig, TrainingConfig
from churn_spark.errors import TooFewCancelsError
from churn_spark.evaluation.date_split import DateSplit
from churn_spark.evaluation.metrics import weighted_tally
from churn_spark.evaluation.treated import weights_in
from churn_spark.models.class_weights import class_weight_of
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import MAX_COLLECTED_ROWS, LearntRows
from churn_spark.models.margins import margin_losses, staged_margins
from churn_spark.models.offset import fit_offset
from churn_spark.models.search.tuning import FoldResult
from churn_spark.models.splits import bucket_column, fold_column
from churn_spark.models.training import MAX_SCORED_ROWS

GROUPS = 25
"""Groups of users in a fold: enough for a standard error, too few for one to reveal a user."""


@dataclass(frozen=True)
class Fold:
    """Rows of some users to test on, and of the others to train on.

    Attributes:
        train: rows of the other users, on earlier dates.
        test: rows of the fold's users, on the newest dates.
        groups: of each test row, by user, shape (rows,).
    """

    train: LearntRows
    test: pd.DataFrame
    groups: Ints

    @property
    def n_rows(self) -> Values:
        """Test rows of each group, each as often as it counts, shape (GROUPS,)."""
        return np.bincount(self.groups, weights_in(self.test), minlength=GROUPS)


def build_folds(
    rows: DataFrame, dates: DateSplit, n_folds: int, training: TrainingConfig
) -> list[Fold]:
    """Split encoded rows by user and by date.

    Raises:
        TooFewCancelsError: if a fold has too few cancellations to train on, or none to test on.
    """
    bucket = bucket_column(F.col("user_id"), training.seed)
    numbered = rows.withColumn("fold", fold_column(bucket, training.validation_share, n_folds))
    known = LearntRows.of(numbered.filter(F.col("fold").isNotNull()))
    newest = known.where("as_of", dates.test).take(MAX_SCORED_ROWS)
    folds = []
    for number in range(n_folds):
        test = newest[newest["fold"] == number]
        others = [fold for fold in range(n_folds) if fold != number]
        train = known.where("as_of", dates.train).where("fold", others)
        n_train, n_test = train.n_positive, int(test["label"].sum())
        if n_train < training.min_cancels or not n_test:
            raise TooFewCancelsError(
                f"found {n_train} cancellations to train on and {n_test} to test on in part "
                f"{number + 1} of {n_folds} of the users, expected {training.min_cancels} and 1: "
                "load more of the log, or lower tuning.n_folds"
            )
        _, user = np.unique(test["user_id"].astype(str), return_inverse=True)
        folds.append(Fold(train, test, user % GROUPS))
    return folds


def evaluate_fold(
    fold: Fold,
    encoding: Encoding,
    config: LightGBMConfig,
    offset_features: Sequence[str],
    grid: Sequence[int],
    seed: int,
) -> FoldResult:
    """Grow one ensemble on the fold's training rows and measure it after some numbers of trees.

    Args:
        fold: rows.
        encoding: of their features.
        config: the parameters to try.
        offset_features: that are probabilities, to whose log-odds the trees add; none: to those of
            the base rate.
        grid: the numbers of trees, ascending.
        seed: of every random choice.
    """
    learnt = fold.train.take(MAX_COLLECTED_ROWS)
    offset = fit_offset(learnt, offset_features, fold.train.base_rate)
    weight = class_weight_of(fold.train, config)
    plan = TreePlan(grid[-1], weight, seed, offset)
    text = fit_trees(fold.train, encoding, config, plan, config.engine)
    labels = fold.test["label"].to_numpy()
    margins = staged_margins(fold.test, encoding, text, offset, grid)
    weights = weights_in(fold.test)
    losses = margin_losses(margins, labels)
    if weights is not None:
        losses = losses * weights
    by_group = [np.bincount(fold.groups, weights=row, minlength=GROUPS) for row in losses]
    aucs = [weighted_tally(labels, row, weights).roc_auc() for row in margins]
    return FoldResult(np.stack(by_group), fold.n_rows, np.array(aucs))


def hash_rows(rows: DataFrame) -> str:
    """Hash of the rows in any order; the same rows give the same on every machine."""
    summed = rows.agg(F.count(F.lit(1)).alias("n"), F.bit_xor(F.xxhash64("*")).alias("hash"))
    found = summed.collect()[0]
    return f"{found.n}-{found['hash']}"
