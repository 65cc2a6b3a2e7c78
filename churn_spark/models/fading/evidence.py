"""Snapshots and session days -> what the model of fading says of everybody as of their date."""

from __future__ import annotations

from typing import Final, overload

import numpy as np
import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.features.spec import FADING_FEATURES
from churn_spark.contracts.survival import survival_columns
from churn_spark.contracts.tables import FADING
from churn_spark.lakehouse.frames import Batches, Rows, apply, join
from churn_spark.lakehouse.schema import struct_of, with_doubles
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.fading.visits import visits_of
from churn_spark.timeline import SECONDS_PER_DAY, Horizon, day_start_millis

_KEYS: Final = ("as_of", "user_id")
_SURVIVAL: Final = survival_columns("fading")
DAY_COLUMNS: Final = ("user_id", "first_ts", "last_ts")
"""What is read of session days."""


def gather_days(session_days: DataFrame) -> DataFrame:
    """When each user came: begins and ends of the days of their sessions, epoch milliseconds.

    Days on which a session had nothing but the way out are left out: that is the outcome.

    Grain: (user_id); columns `begins` and `ends`, lists in the same order.
    """
    day = F.struct(F.unix_millis("first_ts").alias("begin"), F.unix_millis("last_ts").alias("end"))
    gathered = session_days.filter(F.col("first_ts").isNotNull()).groupBy("user_id")
    days = gathered.agg(F.collect_list(day).alias("days"))
    return days.select(
        "user_id", F.col("days.begin").alias("begins"), F.col("days.end").alias("ends")
    )


def gather_days_here(session_days: pl.DataFrame) -> pl.DataFrame:
    """The same in this process; of the columns `DAY_COLUMNS`."""
    days = session_days.filter(pl.col("first_ts").is_not_null())
    return days.group_by("user_id").agg(
        begins=pl.col("first_ts").dt.epoch("ms"), ends=pl.col("last_ts").dt.epoch("ms")
    )


@overload
def build_fading(
    snapshots: DataFrame, days: DataFrame, model: FadingModel, horizon: Horizon
) -> DataFrame: ...


@overload
def build_fading(snapshots: Rows, days: Rows, model: FadingModel, horizon: Horizon) -> Rows: ...


def build_fading(snapshots: Rows, days: Rows, model: FadingModel, horizon: Horizon) -> Rows:
    """The features of the set `fading` for every row of a snapshot, and how long users stay.

    Args:
        snapshots: of any dates.
        days: of the users, as `gather_days` gives them, on the side of the snapshots; those that
            begin at a row's date or later are not looked at.
        model: forecasts.
        horizon: of the forecast.

    Grain: (as_of, user_id), that of `snapshots`.
    """

    def forecast(batches: Batches) -> Batches:
        for frame in batches:
            for as_of in sorted(set(frame["as_of"])):
                rows = frame[frame["as_of"] == as_of]
                now = day_start_millis(as_of) / 1000.0
                tenure = rows["tenure_days"].to_numpy(dtype=np.float64)
                pairs = zip(rows["begins"], rows["ends"], strict=True)
                visits = visits_of(pairs, np.full(len(rows), now))
                found = model.forecast(visits, now - tenure * SECONDS_PER_DAY, as_of, horizon)
                yield rows[[*_KEYS]].assign(
                    fading_probability=found.cancel_probability,
                    fading_now=found.fading,
                    **dict(zip(_SURVIVAL, found.survival.T, strict=True)),
                )

    evidence = join(snapshots[[*_KEYS, "tenure_days"]], days, ["user_id"], "left")
    names = (*_KEYS, *(feature.name for feature in FADING_FEATURES))
    return apply(evidence, forecast, with_doubles(struct_of(FADING, names), _SURVIVAL))
