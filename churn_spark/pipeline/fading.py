"""Silver `session_days` -> the model of fading of a training, and what it says of snapshot rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date as Date
from typing import Final

import pandas as pd
import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.config import LearningConfig
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.lakehouse.frames import Rows
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.fading.evidence import (
    DAY_COLUMNS,
    build_fading,
    gather_days,
    gather_days_here,
)
from churn_spark.models.fading.fitting import fit_fading
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.fading.user_parts import cut_users, cut_users_here
from churn_spark.models.splits import VALIDATION, held_out_users, split_of
from churn_spark.pipeline.dates import LogDates
from churn_spark.timeline import Horizon

MAX_LOCAL_DAYS: Final = 10_000_000
"""Days of sessions: about 1 GB in this process."""
_FIRST: Final = Date(1970, 1, 1)


def fit_fading_before(
    lakehouse: Lakehouse, log: LogDates, date: Date, config: LearningConfig
) -> FadingModel:
    """Fit the model of fading to what users in no validation did before the date.

    Args:
        lakehouse: with the silver tables.
        log: the dates of the log.
        date: nothing of it or later is used.
        config: of the training.

    Raises:
        ValueError: if there are no visits.
    """
    start = log.span.start
    if _are_few_days(lakehouse, date):
        return fit_fading(cut_users_here(_read_users(lakehouse, date, config)), start, date)
    days = _days_before(lakehouse, date)
    users = (
        days.filter(~held_out_users(F.col("user_id"), config.training))
        .groupBy("user_id")
        .agg(
            (F.unix_millis(F.max("registered_ts")) / 1000.0).alias("registered"),
            (F.unix_millis(F.min("cancel_ts")) / 1000.0).alias("cancelled"),
        )
        .join(gather_days(days), "user_id", "left")
    )
    users = users.persist()
    try:
        return fit_fading(cut_users(users, users.count()), start, date)
    finally:
        users.unpersist()


def fading_rows(
    lakehouse: Lakehouse, snapshots: Rows, model: FadingModel, horizon: Horizon
) -> Rows:
    """What a model of fading says of the rows' users."""
    if isinstance(snapshots, DataFrame):
        newest = snapshots.agg(F.max("as_of")).collect()[0][0]
        days = gather_days(_days_before(lakehouse, newest or _FIRST))
        return build_fading(snapshots, days, model, horizon)
    newest = max(snapshots["as_of"], default=_FIRST)
    if _are_few_days(lakehouse, newest):
        found = gather_days_here(_read_days(lakehouse, newest, DAY_COLUMNS))
        asked = pl.Series(snapshots["user_id"].unique().tolist(), dtype=pl.String)
        return build_fading(
            snapshots,
            found.filter(pl.col("user_id").is_in(asked.implode())).to_pandas(),
            model,
            horizon,
        )
    return build_fading(snapshots, _gather_for(lakehouse, snapshots, newest), model, horizon)


def _gather_for(lakehouse: Lakehouse, snapshots: pd.DataFrame, before: Date) -> pd.DataFrame:
    """The days of some users, gathered by Spark."""
    asked = lakehouse.spark.createDataFrame(snapshots[["user_id"]].drop_duplicates())
    days = _days_before(lakehouse, before).join(F.broadcast(asked), "user_id", "left_semi")
    return gather_days(days).toPandas()


def _days_before(lakehouse: Lakehouse, date: Date) -> DataFrame:
    return lakehouse.read(SESSION_DAYS).filter(F.col("event_date") < F.lit(date))


def _are_few_days(lakehouse: Lakehouse, date: Date) -> bool:
    """Whether all days of sessions before a date fit in this process."""
    if not lakehouse.is_native:
        return False
    return lakehouse.count_rows(SESSION_DAYS, _before(date)) <= MAX_LOCAL_DAYS


def _before(date: Date) -> Where:
    return {"event_date": Between(_FIRST, date - pd.Timedelta(days=1))}


def _read_days(lakehouse: Lakehouse, date: Date, columns: Collection[str]) -> pl.DataFrame:
    return pl.DataFrame(lakehouse.read_arrow(SESSION_DAYS, _before(date), [*columns]))


def _read_users(lakehouse: Lakehouse, date: Date, config: LearningConfig) -> pl.DataFrame:
    """When each user in no validation came, registered and cancelled, as far as known."""
    columns = (*DAY_COLUMNS, "registered_ts", "cancel_ts")
    days = _read_days(lakehouse, date, columns)
    known = days.group_by("user_id").agg(
        registered=pl.col("registered_ts").max().dt.epoch("ms") / 1000.0,
        cancelled=pl.col("cancel_ts").min().dt.epoch("ms") / 1000.0,
    )
    chosen = [user for user in known["user_id"] if split_of(user, config.training) != VALIDATION]
    return known.filter(pl.col("user_id").is_in(chosen)).join(
        gather_days_here(days), "user_id", "left"
    )
