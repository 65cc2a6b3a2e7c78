"""The parts of the users that figures are given for: subscription, tenure, system.

One declaration for both worlds: a Spark column for rows that stay in Spark, names for pandas.
"""

from __future__ import annotations

from typing import Final

from pyspark.sql import Column
from pyspark.sql import functions as F

SEGMENTS: Final = ("level", "tenure_band", "os")
SEGMENT_PREFIX: Final = "segment_"
"""Of their columns where the features of the same names stand beside them."""
SEGMENT_COLUMNS: Final = tuple(f"{SEGMENT_PREFIX}{name}" for name in SEGMENTS)

TENURE_BANDS: Final = ((30.0, "up to 30 days"), (90.0, "30 to 90 days"))
LONGER, UNKNOWN = "over 90 days", "unknown"


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
