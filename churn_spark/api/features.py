"""The features of any date, computed by what the nights use."""

from __future__ import annotations

from datetime import date
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame

from churn_spark.api.rows import Rows
from churn_spark.config import LearningConfig
from churn_spark.contracts.tables import SNAPSHOTS
from churn_spark.lakehouse.arrow_schema import to_arrow
from churn_spark.lakehouse.readable import ReadableLakehouse
from churn_spark.pipeline.snapshots import build_by_spark, build_in_process
from churn_spark.pipeline.user_totals import are_few_days
from churn_spark.timeline import LogSpan


def features_of(
    lakehouse: ReadableLakehouse, as_of: date, log: LogSpan, config: LearningConfig
) -> Rows:
    """The snapshot of a date, computed when it is asked for.

    Grain: (as_of, user_id).
    """
    by_spark = partial(build_by_spark, lakehouse, [as_of], log, config)
    return Rows(partial(_read, lakehouse, as_of, log, config, by_spark), by_spark)


def _read(
    lakehouse: ReadableLakehouse,
    as_of: date,
    log: LogSpan,
    config: LearningConfig,
    by_spark: partial[DataFrame],
) -> pa.Table:
    """In this process while the session days fit in it, as a night does."""
    if are_few_days(lakehouse, [as_of]):
        built = build_in_process(lakehouse, [as_of], log, config).sort("user_id")
        return to_arrow(built.to_arrow(), SNAPSHOTS)
    return to_arrow(by_spark().orderBy("user_id").toPandas(), SNAPSHOTS)
