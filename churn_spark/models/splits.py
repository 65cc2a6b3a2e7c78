"""Who is learnt from and who is only judged on: by user, never by row.

A user's part depends on the user id and the seed alone, so it is the same on every date, in
every training and in every language that has SHA-256.
"""

from __future__ import annotations

import hashlib

from pyspark.sql import Column
from pyspark.sql import functions as F

from churn_spark.config import TrainingConfig

TRAIN, STOPPING, VALIDATION = "train", "stopping", "validation"


def user_bucket(user_id: str, seed: int) -> float:
    """A number in `[0, 1)`, uniform over users: the first 32 bits of a SHA-256."""
    digest = hashlib.sha256(f"{seed}:{user_id}".encode()).hexdigest()
    return int(digest[:8], 16) / 2**32


def split_of(bucket: float, validation_share: float, stopping_share: float) -> str:
    """The part that a bucket belongs to.

    Args:
        bucket: of the user, in `[0, 1)`.
        validation_share: of all users, held out of every fit.
        stopping_share: of the others, who choose the number of trees and the threshold.
    """
    if bucket < validation_share:
        return VALIDATION
    is_stopping = bucket < validation_share + (1 - validation_share) * stopping_share
    return STOPPING if is_stopping else TRAIN


def bucket_column(user_id: Column, seed: int) -> Column:
    """`user_bucket` as a Spark column."""
    digest = F.sha2(F.concat(F.lit(f"{seed}:"), user_id), 256)
    return F.conv(F.substring(digest, 1, 8), 16, 10).cast("double") / 2**32


def split_column(bucket: Column, validation_share: float, stopping_share: float) -> Column:
    """`split_of` as a Spark column."""
    stopping_below = validation_share + (1 - validation_share) * stopping_share
    return (
        F.when(bucket < validation_share, VALIDATION)
        .when(bucket < stopping_below, STOPPING)
        .otherwise(TRAIN)
    )


def held_out_users(user_id: Column, config: TrainingConfig) -> Column:
    """Whether a user is in the validation part, in no fit."""
    return bucket_column(user_id, config.seed) < config.validation_share
