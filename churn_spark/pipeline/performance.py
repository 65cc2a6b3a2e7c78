"""Rows whose labels are known by a night, with the probabilities of models that never saw them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date as Date
from typing import Any

import pandas as pd
from pyspark.sql import functions as F

from churn_spark.config import LearningConfig, MonitoringConfig
from churn_spark.contracts.tables import LABELS, PERFORMANCE, SCORES, SNAPSHOTS, VALIDATION_SCORES
from churn_spark.features.labels import with_horizon
from churn_spark.features.segments import segment_columns
from churn_spark.lakehouse.reads import read_as_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.learnt_rows import collect_bounded
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.splits import held_out_users
from churn_spark.monitoring.performance.labelled import expected_rows, labelled_rows
from churn_spark.pipeline.behaviour import with_behaviour
from churn_spark.pipeline.dates import unseen_dates
from churn_spark.pipeline.gather import Night
from churn_spark.scoring.scores import predict_rows


def newest_window(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    version: str,
    config: LearningConfig,
) -> Date | None:
    """The newest weekly as-of date whose labels are known and that the champion never saw.

    None where there is none yet, or an earlier night has measured it.
    """
    trained = registry.trained_as_of(version)
    dates = unseen_dates(night.log, config, night.date, trained)
    if not dates:
        return None
    if lakehouse.exists(PERFORMANCE):
        measured = lakehouse.read(PERFORMANCE).filter(
            (F.col("run_date") < F.lit(night.date))
            & (F.col("model_version") == version)
            & (F.col("basis") == "labels")
            & (F.col("window_start") == F.lit(dates[-1]))
        )
        if not measured.isEmpty():
            return None
    return dates[-1]


def measure_performance(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    bundle: ModelBundle,
    window: Date | None,
    config: LearningConfig,
    limits: MonitoringConfig,
) -> list[dict[str, Any]]:
    """Rows of `performance` of a night: what the scores promise, and what labels have shown.

    Args:
        lakehouse: with the night's scores.
        registry: which run has trained the champion.
        date: the night.
        bundle: the champion.
        window: as-of date whose labels have become known; its snapshot is there.
        config: of the labels and the split of the users.
        limits: how many rows may come to the driver.
    """
    scores = collect_bounded(read_as_of(lakehouse, SCORES, date), limits.max_labelled_rows)
    rows = expected_rows(scores["churn_probability"].to_numpy(), date, bundle)
    if window is not None:
        labelled = read_labelled(lakehouse, {"churn_probability": bundle}, [window], config, limits)
        reference = read_validation(lakehouse, registry.run_of(bundle.version), limits)
        rows += labelled_rows(labelled, reference, window, bundle, limits)
    return [{**row, "run_date": date, "model_version": bundle.version} for row in rows]


def read_labelled(
    lakehouse: Lakehouse,
    bundles: Mapping[str, ModelBundle],
    dates: Collection[Date],
    config: LearningConfig,
    limits: MonitoringConfig,
    *,
    held_out: bool = False,
) -> pd.DataFrame:
    """Labelled rows of the dates with the probabilities of some models; bounded, by hash.

    Args:
        lakehouse: with the snapshots and labels.
        bundles: name of the column -> model.
        dates: as-of dates whose snapshots are there.
        config: of the labels and the split of the users.
        limits: how many rows may come to the driver.
        held_out: only users that no model was fitted on.

    Returns:
        Columns as_of, user_id, label, those of `SEGMENTS` and one per model.
    """
    is_chosen = F.col("as_of").isin(*dates)
    snapshots = lakehouse.read(SNAPSHOTS).filter(is_chosen)
    if held_out:
        snapshots = snapshots.filter(held_out_users(F.col("user_id"), config.training))
    labels = with_horizon(lakehouse.read(LABELS).filter(is_chosen), config.labels.horizon)
    known = labels.filter(F.col("label").isNotNull()).select("as_of", "user_id", "label")
    rows = snapshots.join(known, ["as_of", "user_id"])
    found = rows.select("as_of", "user_id", "label", *segment_columns())
    for name, bundle in bundles.items():
        described = with_behaviour(lakehouse, snapshots, bundle)
        predicted = predict_rows(described, bundle).withColumnRenamed("churn_probability", name)
        found = found.join(predicted, ["as_of", "user_id"])
    return collect_bounded(found, limits.max_labelled_rows)


def read_validation(lakehouse: Lakehouse, run_id: str, limits: MonitoringConfig) -> pd.DataFrame:
    """The rows that a run's model was validated on, with their segments: the reference."""
    scores = lakehouse.read(VALIDATION_SCORES).filter(F.col("run_id") == run_id)
    users = lakehouse.read(SNAPSHOTS).select("as_of", "user_id", *segment_columns())
    rows = scores.select("as_of", "user_id", "label", "churn_probability")
    return collect_bounded(rows.join(users, ["as_of", "user_id"]), limits.max_labelled_rows)
