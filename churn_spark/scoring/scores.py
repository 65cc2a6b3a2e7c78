"""Snapshot rows and a model -> scores: probability, rank, band, value at risk and reasons."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T

from churn_spark.config import ScoringConfig
from churn_spark.contracts.tables import SCORES
from churn_spark.lakehouse.schema import conform, struct_of
from churn_spark.models.bundle import ModelBundle
from churn_spark.scoring.bands import BandLimits

_LEVEL = "last_subscription_level"
_SCORED = T.StructType(
    [
        *(struct_of(SCORES)[name] for name in ("as_of", "user_id", "churn_probability")),
        *(struct_of(SCORES)[name] for name in ("reasons", "reason_fields")),
        T.StructField(_LEVEL, T.StringType()),
    ]
)


def build_scores(
    snapshots: DataFrame,
    bundle: ModelBundle,
    config: ScoringConfig,
    value_by_level: Mapping[str, float],
) -> DataFrame:
    """The probability of each user of a snapshot, with its rank, band, value and reasons.

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
            value_at_risk(F.col("churn_probability"), F.col(_LEVEL), value_by_level),
            "reasons",
            "reason_fields",
        ),
        SCORES,
    )


def score_rows(rows: DataFrame, bundle: ModelBundle, n_reasons: int) -> DataFrame:
    """Probability and reasons of each row, by LightGBM's own library on Arrow batches.

    SynapseML's transform calls the library row by row; this calls it once per batch and needs
    no native library in the JVM.

    Grain: that of `rows`, (as_of, user_id).
    """
    model = bundle.without_baseline()

    def score(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            reasons = model.reasons(batch, n_reasons)
            yield pd.DataFrame(
                {
                    "as_of": batch["as_of"],
                    "user_id": batch["user_id"],
                    "churn_probability": model.probabilities(batch),
                    "reasons": [[one.sentence for one in several] for several in reasons],
                    "reason_fields": [[one.fields() for one in several] for several in reasons],
                    _LEVEL: batch[_LEVEL],
                }
            )

    columns = dict.fromkeys(["as_of", "user_id", _LEVEL, *bundle.encoding.features])
    return rows.select(*columns).mapInPandas(score, _SCORED)


def predict_rows(rows: DataFrame, bundle: ModelBundle) -> DataFrame:
    """The probability of each row, without reasons.

    Grain: that of `rows`, (as_of, user_id); column `churn_probability`.
    """
    model = bundle.without_baseline()

    def predict(batches: Iterable[pd.DataFrame]) -> Iterable[pd.DataFrame]:
        for batch in batches:
            keys = batch[["as_of", "user_id"]]
            yield keys.assign(churn_probability=model.probabilities(batch))

    columns = dict.fromkeys(["as_of", "user_id", *bundle.encoding.features])
    schema = "as_of date, user_id string, churn_probability double"
    return rows.select(*columns).mapInPandas(predict, schema)


def risk_band(probability: Column, base_rate: float, config: ScoringConfig) -> Column:
    """`high`, `medium` or `low`: multiples of the share that cancels anyway."""
    limits = BandLimits.of(base_rate, config)
    return (
        F.when(probability >= limits.high, "high")
        .when(probability >= limits.medium, "medium")
        .otherwise("low")
    )


def value_at_risk(
    probability: Column, level: Column, value_by_level: Mapping[str, float]
) -> Column:
    """What is lost on average if nobody does anything: probability x value of the subscriber.

    In the unit of the values. A level that has no value, or none at all, counts as the least:
    a subscriber of whom nothing is known is neither called first nor left out.
    """
    value = F.lit(float(min(value_by_level.values())))
    for name, worth in sorted(value_by_level.items()):
        value = F.when(level == name, F.lit(float(worth))).otherwise(value)
    return (probability * value).alias("value_at_risk")
