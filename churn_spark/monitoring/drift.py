"""Counted cells -> drift rows: which features have moved away from the training rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from churn_spark.config import MonitoringConfig
from churn_spark.features.spec import FEATURES
from churn_spark.models.encoding import Encoding
from churn_spark.monitoring.ks import (
    Baseline,
    BreachRule,
    KsComparison,
    benjamini_hochberg,
    build_baseline,
    collect_cells,
    compare,
    is_breached,
)
from churn_spark.schemas import DRIFT, conform

PREDICTION = "churn_probability"
_TRENDING = {feature.name for feature in FEATURES if feature.is_trending}


def build_baselines(sample: pd.DataFrame, encoding: Encoding) -> dict[str, Baseline]:
    """The reference of every numeric feature and of the prediction.

    Args:
        sample: training rows kept with the model, one column per feature.
        encoding: tells which features are categories.
    """
    numeric = [name for name in sample.columns if name not in encoding.levels]
    return {name: build_baseline(sample[name].to_numpy(dtype=float)) for name in numeric}


def compare_all(baselines: Mapping[str, Baseline], cells: pd.DataFrame) -> dict[str, KsComparison]:
    """The test of each feature from its counted cells.

    Args:
        baselines: feature -> reference.
        cells: rows (feature, cell, n) as counted.
    """
    by_feature = dict(iter(cells.groupby("feature")))
    nothing = cells.iloc[:0]
    comparisons = {}
    for name, baseline in baselines.items():
        counted = by_feature.get(name, nothing)
        dense, n_missing = collect_cells(baseline, counted["cell"], counted["n"])
        comparisons[name] = compare(baseline, dense, n_missing)
    return comparisons


def build_drift(
    spark: SparkSession,
    comparisons: Mapping[str, KsComparison],
    run_date: date,
    model_version: str,
    config: MonitoringConfig,
) -> DataFrame:
    """One row per feature with its test and whether it passes the rule.

    Grain: (run_date, comparison, slice, feature).
    """
    rule = BreachRule(config.min_lower_bound, config.max_adjusted_p)
    adjusted = benjamini_hochberg([test.p_value for test in comparisons.values()])
    rows: list[Any] = [
        {
            "run_date": run_date,
            "comparison": "training",
            "slice": "all",
            "feature": feature,
            "model_version": model_version,
            "status": test.status,
            "n_baseline": test.n_baseline,
            "n_current": test.n_current,
            "missing_rate_baseline": test.missing_rate_baseline,
            "missing_rate_current": test.missing_rate_current,
            "ks_statistic": test.statistic,
            "p_value": test.p_value,
            "adjusted_p_value": float(adjusted_p),
            "lower_bound": test.lower_bound,
            "location": test.location,
            "direction": test.direction,
            "is_trending": feature in _TRENDING,
            "is_breached": is_breached(test, float(adjusted_p), rule),
        }
        for (feature, test), adjusted_p in zip(comparisons.items(), adjusted, strict=True)
    ]
    return conform(spark.createDataFrame(rows, DRIFT.struct), DRIFT)
