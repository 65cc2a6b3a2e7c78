"""Who is in which fit, and who in none: by user, never by row.

A user's part depends on the user id and the seed alone, so it is the same on every date, in
every training and in every language that has SHA-256.
"""

from __future__ import annotations

import hashlib

import pandas as pd
from pyspark.sql import Column
from pyspark.sql import functions as F

from churn_spark.config import TrainingConfig

TRAIN, STOPPING, VALIDATION = "train", "stopping", "validation"


def bucket_column(user_id: Column, seed: int) -> Column:
    """A number in `[0, 1)`, uniform over users: the first 32 bits of a SHA-256 of seed and id."""
    digest = F.sha2(F.concat(F.lit(f"{seed}:"), user_id), 256)
    return F.conv(F.substring(digest, 1, 8), 16, 10).cast("double") / 2**32


def bucket_of(user_id: str, seed: int) -> float:
    """The same of one user."""
    digest = hashlib.sha256(f"{seed}:{user_id}".encode()).hexdigest()
    return int(digest[:8], 16) / 2**32


def parts_of(users: pd.Series, n_parts: int, seed: int) -> pd.Series:
    """The part that each user belongs to, from 0, the same wherever the user is seen."""
    return users.map({user: int(n_parts * bucket_of(user, seed)) for user in users.unique()})


def split_column(bucket: Column, validation_share: float, stopping_share: float) -> Column:
    """The part that a bucket belongs to: `train`, `stopping` or `validation`.

    Args:
        bucket: of the user, in `[0, 1)`.
        validation_share: of all users, held out of every fit.
        stopping_share: of the others, who choose the number of trees and the threshold.
    """
    return (
        F.when(bucket < validation_share, VALIDATION)
        .when(bucket < _stopping_below(validation_share, stopping_share), STOPPING)
        .otherwise(TRAIN)
    )


def split_of(user_id: str, config: TrainingConfig) -> str:
    """The part of a user, as `split_of_users` gives it."""
    bucket, share = bucket_of(user_id, config.seed), config.validation_share
    if bucket < share:
        return VALIDATION
    return STOPPING if bucket < _stopping_below(share, config.stopping_share) else TRAIN


def split_of_users(user_id: Column, config: TrainingConfig) -> Column:
    """The part of each user under the configured seed and shares."""
    bucket = bucket_column(user_id, config.seed)
    return split_column(bucket, config.validation_share, config.stopping_share)


def held_out_users(user_id: Column, config: TrainingConfig) -> Column:
    """Whether a user is in the validation part, in no fit."""
    return bucket_column(user_id, config.seed) < config.validation_share


def fold_column(bucket: Column, validation_share: float, n_folds: int) -> Column:
    """The fold that tests a user; null for validation users, who are in none.

    Args:
        bucket: of the user, in `[0, 1)`.
        validation_share: users below this take no part.
        n_folds: folds of equal size.
    """
    share = (bucket - validation_share) / (1 - validation_share)
    # A quotient just below 1 may round to 1.
    fold = F.least(F.floor(share * n_folds), F.lit(n_folds - 1)).cast("int")
    return F.when(bucket >= validation_share, fold)


def _stopping_below(validation_share: float, stopping_share: float) -> float:
    """The bucket up to which users are in validation or stopping."""
    return validation_share + (1 - validation_share) * stopping_share
