"""Snapshot rows and a model -> scores: probability, rank, band and reasons."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from churn_spark.config import ScoringConfig
from churn_spark.models.bundle import ModelBundle
from churn_spark.schemas import SCORES, conform
from churn_spark.scoring.bands import BandLimits

_SCORED = "as_of date, user_id string, churn_probability double, reasons array<string>"


def build_scores(snapshots: DataFrame, bundle: ModelBundle, config: ScoringConfig) -> DataFrame:
    """The probability of each user of a snapshot, with its rank, band and reasons.

    Grain: (as_of, user_id, model_version).
    """
    scored = score_rows(snapshots, bundle, config.n_reasons)
    by_risk = Window.partitionBy("as_of").orderBy(F.desc("churn_probability"), "user_id")
    return conform(
        scored.select(
            "as_of",
            "user_id",
            F.lit(bundle.version).alias("model_version"),
            "churn_probability",
            F.row_number().over(by_risk).alias("risk_rank"),
            risk_band(F.col("churn_probability"), bundle.base_rate, config).alias("risk_band"),
            "reasons",
        ),
        SCORES,
    )


def score_rows(rows: DataFrame, bundle: ModelBundle, n_reasons: int) -> DataFrame:
    """Probability and reasons of each row, by LightGBM's own library on Arrow batches.

    SynapseML's transform calls the library row by row; this calls it once per batch and needs
    no native library in the JVM.

    Grain: that of `rows`, (as_of, user_id).
    """

    def score(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            yield pd.DataFrame(
                {
                    "as_of": batch["as_of"],
                    "user_id": batch["user_id"],
                    "churn_probability": bundle.probabilities(batch),
                    "reasons": bundle.reasons(batch, n_reasons),
                }
            )

    return rows.select("as_of", "user_id", *bundle.encoding.features).mapInPandas(score, _SCORED)


def risk_band(probability: Column, base_rate: float, config: ScoringConfig) -> Column:
    """`high`, `medium` or `low`: multiples of the share that cancels anyway."""
    limits = BandLimits.of(base_rate, config)
    return (
        F.when(probability >= limits.high, "high")
        .when(probability >= limits.medium, "medium")
        .otherwise("low")
    )
