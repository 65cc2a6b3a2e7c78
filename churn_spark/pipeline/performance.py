"""Rows whose labels are known by a night, with the probabilities of models that never saw them.

Of a window that had begun when a model was trained only held-out users are such rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date as Date
from datetime import timedelta
from typing import Any

import pandas as pd
from pyspark.sql import functions as F

from churn_spark.config import LearningConfig, MonitoringConfig
from churn_spark.contracts.features.segments import SEGMENT_SOURCES
from churn_spark.contracts.tables import LABELS, PERFORMANCE, SCORES, SNAPSHOTS, VALIDATION_SCORES
from churn_spark.evaluation.segments import segments_of
from churn_spark.lakehouse.frames import (
    Rows,
    collect,
    join,
    on_side_of,
    only,
    sample_rows,
    to_spark,
)
from churn_spark.lakehouse.selection import Between, Where, spark_condition
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_as_of, read_dates, read_known
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.splits import held_out_users
from churn_spark.monitoring.performance.labelled import (
    expected_rows,
    find_limits,
    labelled_rows,
)
from churn_spark.pipeline.behaviour import with_behaviour
from churn_spark.pipeline.dates import partly_known_dates, unseen_dates
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.labels import horizon_of
from churn_spark.pipeline.treated import counting, read_treatment, weigh
from churn_spark.scoring.scores import predict_rows

_KEYS = ("as_of", "user_id")


def newest_window(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    version: str,
    config: LearningConfig,
) -> Date | None:
    """The newest weekly as-of date whose labels became known after the champion's training.

    None where there is none yet, or an earlier night has measured it.
    """
    trained = registry.trained_as_of(version)
    dates = unseen_dates(night.log, config, night.date, trained)
    if not dates:
        return None
    measured: Where = {
        "run_date": Between(last=night.date - timedelta(days=1)),
        "model_version": [version],
        "basis": ["labels"],
        "window_start": dates[-1:],
    }
    return None if lakehouse.count_rows(PERFORMANCE, measured) else dates[-1]


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
    columns = [*_KEYS, "churn_probability"]
    scores = sample_rows(read_as_of(lakehouse, SCORES, date, columns), limits.max_labelled_rows)
    rows = _limited(
        expected_rows(scores["churn_probability"].to_numpy(), date, bundle),
        find_limits(scores, limits),
    )
    if window is not None:
        trained = registry.trained_as_of(bundle.version)
        held_out = partly_known_dates([window], config.labels, trained)
        labelled = read_labelled(
            lakehouse,
            {"churn_probability": bundle},
            [window],
            config,
            limits,
            held_out=held_out,
        )
        reference = read_validation(lakehouse, registry.run_of(bundle.version), config, limits)
        rows += _limited(
            labelled_rows(labelled, reference, window, bundle, limits),
            find_limits(labelled, limits, is_held_out=bool(held_out)),
        )
    return [{**row, "run_date": date, "model_version": bundle.version} for row in rows]


def _limited(rows: list[dict[str, Any]], limited_to: list[str]) -> list[dict[str, Any]]:
    return [{**row, "limited_to": limited_to} for row in rows]


def read_labelled(
    lakehouse: Lakehouse,
    bundles: Mapping[str, ModelBundle],
    dates: Collection[Date],
    config: LearningConfig,
    limits: MonitoringConfig,
    *,
    held_out: Collection[Date] = (),
) -> pd.DataFrame:
    """Labelled rows of the dates with the probabilities of some models; bounded, by hash.

    Args:
        lakehouse: with the snapshots and labels.
        bundles: name of the column -> model.
        dates: as-of dates whose snapshots are there.
        config: of the labels and the split of the users.
        limits: how many rows may come to the driver.
        held_out: those of the dates on which only users count that no model was fitted on.

    Returns:
        Columns as_of, user_id, label, those of `SEGMENTS` and one per model; with `weight` where
        contacts may have changed outcomes, and without the rows that count 0.
    """
    snapshots = read_dates(lakehouse, SNAPSHOTS, dates)
    if held_out:
        users = to_spark(snapshots[[*_KEYS]], SNAPSHOTS, lakehouse.spark)
        is_free = ~F.col("as_of").isin([*held_out])
        chosen = users.filter(is_free | held_out_users(F.col("user_id"), config.training))
        snapshots = join(snapshots, on_side_of(snapshots, chosen), _KEYS, "inner")
    labels = read_dates(lakehouse, LABELS, dates)
    known = only(labels, **horizon_of(config.labels.horizon), label=[0, 1])
    known = counting(weigh(known[[*_KEYS, "label"]], read_treatment(lakehouse, dates, config)))
    found = join(snapshots[[*_KEYS, *SEGMENT_SOURCES]], known, _KEYS, "inner")
    for name, bundle in bundles.items():
        described = with_behaviour(lakehouse, snapshots, bundle)
        found = join(found, predict_rows(described, bundle, name), _KEYS, "inner")
    return _with_segments(sample_rows(found, limits.max_labelled_rows))


def read_validation(
    lakehouse: Lakehouse, run_id: str, config: LearningConfig, limits: MonitoringConfig
) -> pd.DataFrame:
    """The rows that a run's model was validated on, with their segments: the reference.

    What they count is read again: contacts may have been recorded since.
    """
    where: Where = {"run_id": [run_id]}
    columns, of_segments = [*_KEYS, "label", "churn_probability"], [*_KEYS, *SEGMENT_SOURCES]
    rows: Rows
    if lakehouse.count_rows(VALIDATION_SCORES, where) <= lakehouse.max_local_users:
        scores = lakehouse.read_rows(VALIDATION_SCORES, where, columns)
        rows = scores.merge(read_known(lakehouse, SNAPSHOTS, scores, of_segments), on=[*_KEYS])
    else:
        chosen = lakehouse.read(VALIDATION_SCORES).filter(spark_condition(where))
        users = lakehouse.read(SNAPSHOTS).select(of_segments)
        rows = chosen.select(columns).join(users, [*_KEYS])
    sampled = sample_rows(rows, limits.max_labelled_rows)
    treatment = read_treatment(lakehouse, {*sampled["as_of"]}, config)
    return _with_segments(collect(counting(weigh(sampled, treatment))))


def _with_segments(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with their segments in place of what these follow from."""
    return pd.concat([rows.drop(columns=[*SEGMENT_SOURCES]), segments_of(rows)], axis=1)
