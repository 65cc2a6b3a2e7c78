"""Rows whose labels are known by a night, with the probabilities of models that never saw them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date as Date
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.contracts.tables import LABELS, PERFORMANCE, SCORES, SNAPSHOTS, VALIDATION_SCORES
from churn_spark.features.labels import with_horizon
from churn_spark.features.segments import segment_columns
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.estimators import collect_bounded
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.splits import held_out_users
from churn_spark.monitoring.performance.labelled import expected_rows, labelled_rows
from churn_spark.scoring.scores import predict_rows
from churn_spark.steps.described import describe
from churn_spark.steps.weeks import unseen_dates


def newest_window(context: job.JobContext, date: Date, bundle: ModelBundle) -> Date | None:
    """The newest weekly as-of date whose labels are known and that the champion never saw.

    None where there is none yet, or an earlier night has judged it.
    """
    dates = unseen_dates(context, date, trained_by(context, bundle.version))
    if not dates:
        return None
    if context.lakehouse.exists(PERFORMANCE):
        judged = context.lakehouse.read(PERFORMANCE).filter(
            (F.col("run_date") < F.lit(date))
            & (F.col("model_version") == bundle.version)
            & (F.col("basis") == "labels")
            & (F.col("window_start") == F.lit(dates[-1]))
        )
        if not judged.isEmpty():
            return None
    return dates[-1]


def trained_by(context: job.JobContext, version: str) -> Date:
    """Date by which everything was known that the version has learnt from."""
    registry = ModelRegistry(context.config.registry, context.config.lakehouse)
    return Date.fromisoformat(registry.trained_on(version)["as_of"])


def measure_performance(
    context: job.JobContext, date: Date, bundle: ModelBundle, window: Date | None
) -> DataFrame:
    """Rows of `performance` of a night: what the scores promise, and what labels have shown.

    Args:
        context: of the job.
        date: the night; its scores are there.
        bundle: the champion.
        window: as-of date whose labels have become known; its snapshot is there.
    """
    config, lakehouse = context.config, context.lakehouse
    scores = collect_bounded(
        job.read_as_of(lakehouse, SCORES, date), config.monitoring.max_labelled_rows
    )
    rows = expected_rows(scores["churn_probability"].to_numpy(), date, bundle)
    if window is not None:
        labelled = read_labelled(context, {"churn_probability": bundle}, [window])
        reference = read_validation(context, bundle)
        rows += labelled_rows(labelled, reference, window, bundle, config.monitoring)
    named: list[Any] = [{**row, "run_date": date, "model_version": bundle.version} for row in rows]
    return context.spark.createDataFrame(named, struct_of(PERFORMANCE))


def read_labelled(
    context: job.JobContext,
    bundles: Mapping[str, ModelBundle],
    dates: Collection[Date],
    *,
    held_out: bool = False,
) -> pd.DataFrame:
    """Labelled rows of the dates with the probabilities of some models; bounded, by hash.

    Args:
        context: of the job.
        bundles: name of the column -> model.
        dates: as-of dates whose snapshots are there.
        held_out: only users that are in no fit.

    Returns:
        Columns as_of, user_id, label, those of `SEGMENTS` and one per model.
    """
    config, lakehouse = context.config, context.lakehouse
    is_chosen = F.col("as_of").isin(*dates)
    snapshots = lakehouse.read(SNAPSHOTS).filter(is_chosen)
    if held_out:
        snapshots = snapshots.filter(held_out_users(F.col("user_id"), config.training))
    labels = with_horizon(lakehouse.read(LABELS).filter(is_chosen), config.labels.horizon)
    known = labels.filter(F.col("label").isNotNull()).select("as_of", "user_id", "label")
    rows = snapshots.join(known, ["as_of", "user_id"])
    found = rows.select("as_of", "user_id", "label", *segment_columns())
    for name, bundle in bundles.items():
        described = describe(context, snapshots, bundle)
        predicted = predict_rows(described, bundle).withColumnRenamed("churn_probability", name)
        found = found.join(predicted, ["as_of", "user_id"])
    return collect_bounded(found, config.monitoring.max_labelled_rows)


def read_validation(context: job.JobContext, bundle: ModelBundle) -> pd.DataFrame:
    """The rows that the champion was validated on, with their segments: the reference."""
    registry = ModelRegistry(context.config.registry, context.config.lakehouse)
    scores = context.lakehouse.read(VALIDATION_SCORES).filter(
        F.col("run_id") == registry.run_of(bundle.version)
    )
    users = context.lakehouse.read(SNAPSHOTS).select("as_of", "user_id", *segment_columns())
    rows = scores.select("as_of", "user_id", "label", "churn_probability")
    return collect_bounded(
        rows.join(users, ["as_of", "user_id"]), context.config.monitoring.max_labelled_rows
    )
