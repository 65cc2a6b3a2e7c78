"""The segments of snapshot rows, as Spark columns."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from churn_spark.contracts.features.segments import LONGER, TENURE_BANDS, UNKNOWN


def segment_columns(prefix: str = "") -> list[Column]:
    """The segments of a snapshot row, under the prefixed names of `SEGMENTS`; never null."""
    band = F.when(F.col("tenure_days").isNull() | F.isnan("tenure_days"), UNKNOWN)
    for limit, name in TENURE_BANDS:
        band = band.when(F.col("tenure_days") <= limit, name)
    return [
        F.coalesce("last_subscription_level", F.lit(UNKNOWN)).alias(f"{prefix}level"),
        band.otherwise(LONGER).alias(f"{prefix}tenure_band"),
        F.coalesce("os", F.lit(UNKNOWN)).alias(f"{prefix}os"),
    ]
