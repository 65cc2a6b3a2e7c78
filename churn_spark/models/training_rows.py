"""Snapshots and labels -> the rows a training uses, encoded and split by user."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.config import TrainingConfig
from churn_spark.contracts.features.segments import SEGMENT_PREFIX, SEGMENT_SOURCES
from churn_spark.contracts.features.spec import Feature, fingerprint
from churn_spark.contracts.tables import TRAINING_ROWS
from churn_spark.errors import TooFewCancelsError
from churn_spark.evaluation.coarse import coarse_values
from churn_spark.evaluation.segments import segments_of
from churn_spark.lakehouse.frames import Rows, apply, join
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.encoding import Encoding
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.splits import STOPPING, TRAIN, VALIDATION, split_of, split_of_users

_KEYS: Final = ("as_of", "user_id")


def join_labels(snapshots: Rows, labels: Rows, config: TrainingConfig) -> Rows:
    """The snapshot rows whose label is known, each with `label` and `split`.

    Grain: (as_of, user_id).
    """
    columns = [*_KEYS, "label"]
    if isinstance(labels, DataFrame):
        known: Rows = labels.filter(F.col("label").isNotNull()).select(columns)
    else:
        known = labels.loc[labels["label"].notna(), columns].astype({"label": "int32"})
    labelled = join(snapshots, known, _KEYS, "inner")
    if isinstance(labelled, DataFrame):
        return labelled.withColumn("split", split_of_users(F.col("user_id"), config))
    splits = {user: split_of(user, config) for user in labelled["user_id"].unique()}
    return labelled.assign(split=labelled["user_id"].map(splits))


def check_enough_cancels(
    positives: Mapping[str, int], n_rows: Mapping[str, int], config: TrainingConfig
) -> None:
    """Refuse to learn from a handful of cancellations.

    Args:
        positives: split -> rows with label 1.
        n_rows: split -> rows.
        config: the least numbers.

    Raises:
        TooFewCancelsError: if the fitted parts or the validation part have too few; if all are of
            stopping users, as the first trees are grown without them; or if no row is of these.
    """
    n_known = f"{sum(n_rows.values()):,}"
    fitted = positives.get(TRAIN, 0) + positives.get(STOPPING, 0)
    validation = positives.get(VALIDATION, 0)
    if fitted < config.min_cancels or validation < config.min_validation_cancels:
        raise TooFewCancelsError(
            f"too few cancellations: {fitted} to train on and {validation} to validate on among "
            f"{n_known} rows with a known outcome, at least {config.min_cancels} and "
            f"{config.min_validation_cancels} are needed. Load more of the log, choose a later "
            "date, or lower training.min_cancels and training.min_validation_cancels"
        )
    if not positives.get(TRAIN, 0):
        raise TooFewCancelsError(
            f"too few cancellations: all {fitted} to train on are of users who decide how many "
            "trees are grown, at least 1 of another one is needed. Load more of the log, choose a "
            "later date, or another training.seed"
        )
    if not n_rows.get(STOPPING, 0):
        raise TooFewCancelsError(
            f"too few users: none of the {n_known} rows with a known outcome is of "
            "a user who decides how many trees are grown. Load more of the log, choose a later "
            "date, or another training.seed"
        )


def fit_encoding(rows: LearntRows, features: Sequence[Feature], max_levels: int) -> Encoding:
    """The encoding of the rows that the model is fitted on; never of validation rows."""
    medians = rows.medians([feature.name for feature in features if feature.is_numeric])
    levels = {
        feature.name: rows.most_frequent(feature.name, max_levels)
        for feature in features
        if not feature.is_numeric
    }
    typical = {
        feature.name: (
            _coarse(medians[feature.name], feature)
            if feature.is_numeric
            else next(iter(levels[feature.name]), None)
        )
        for feature in features
    }
    names = tuple(feature.name for feature in features)
    return Encoding(names, levels, typical, fingerprint(features))


def _coarse(number: float | None, feature: Feature) -> float | None:
    """A number of one user, as it may be told."""
    if number is None:
        return None
    return float(coarse_values(np.array([number], dtype=np.float64), feature)[0])


def encode_rows(rows: Rows, encoding: Encoding) -> Rows:
    """The labelled rows with each feature as the number that the models see.

    A feature that is no input of the model (`gender` unless switched on) becomes null.

    Grain: that of `rows`, (as_of, user_id).
    """
    keys = [*_KEYS, "label", "split"]

    def encode(batch: pd.DataFrame) -> pd.DataFrame:
        matrix = pd.DataFrame(
            encoding.encode(batch), columns=list(encoding.features), index=batch.index
        )
        encoded = pd.concat([batch[keys], segments_of(batch, SEGMENT_PREFIX), matrix], axis=1)
        return encoded.reindex(columns=list(TRAINING_ROWS.column_names))

    def encode_batches(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        return map(encode, batches)

    inputs = dict.fromkeys([*keys, *SEGMENT_SOURCES, *encoding.features])
    return apply(rows[[*inputs]], encode_batches, struct_of(TRAINING_ROWS))
