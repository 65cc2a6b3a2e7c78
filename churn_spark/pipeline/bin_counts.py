"""The users of a night, and of the nights before, counted in the bins of a champion's reference."""

from __future__ import annotations

from datetime import date as Date
from datetime import timedelta
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.features.segments import SEGMENT_PREFIX, SEGMENTS
from churn_spark.contracts.tables import DRIFT_CELLS, SCORES, SNAPSHOTS
from churn_spark.features.segments import segment_columns
from churn_spark.lakehouse.reads import read_as_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.monitoring.drift.comparisons import ROLLING_DAYS
from churn_spark.monitoring.frames.bin_counts import count_bins_by_feature, share_edges
from churn_spark.monitoring.frames.reference import Reference, encode_categories
from churn_spark.pipeline.behaviour import read_users, with_behaviour
from churn_spark.scoring.scores import predict_rows


def count_night(
    lakehouse: Lakehouse, date: Date, bundle: ModelBundle, reference: Reference
) -> None:
    """Replace the counts of the date's inputs and scores."""
    scores = read_as_of(lakehouse, SCORES, date).select("user_id", "churn_probability")
    users = read_users(lakehouse, date, bundle).join(scores, "user_id", "inner")
    cells = count_bins_by_feature(_encode(users, bundle), reference.samples, SEGMENTS)
    lakehouse.replace(_of(cells, date, bundle), DRIFT_CELLS, {"run_date": [date]})


def count_past_nights(
    lakehouse: Lakehouse, date: Date, bundle: ModelBundle, reference: Reference
) -> int:
    """Count the nights of the last weeks that were counted for other champions only.

    So a new champion is compared with earlier nights from its first one on. The users and the
    prediction are what this champion says of the snapshots of those nights; what was counted for
    others stays.

    Returns:
        How many nights were counted.
    """
    nights = _nights_of_others(lakehouse, date, bundle.version)
    if not nights:
        return 0
    snapshots = lakehouse.read(SNAPSHOTS).filter(F.col("as_of").isin(*nights))
    described = with_behaviour(lakehouse, snapshots, bundle)
    users = described.join(predict_rows(described, bundle), ["as_of", "user_id"])
    # Read once a night: spilled where it doesn't fit.
    encoded = _encode(users, bundle).persist()
    edges = share_edges(lakehouse.spark, reference.samples)
    parts = [
        _of(
            count_bins_by_feature(
                encoded.filter(F.col("as_of") == F.lit(night)),
                reference.samples,
                SEGMENTS,
                edges,
            ),
            night,
            bundle,
        )
        for night in nights
    ]
    where: dict[str, list[Date] | list[str]] = {
        "run_date": nights,
        "model_version": [bundle.version],
    }
    lakehouse.replace(reduce(DataFrame.unionByName, parts), DRIFT_CELLS, where)
    encoded.unpersist()
    edges.destroy()
    return len(nights)


def _nights_of_others(lakehouse: Lakehouse, date: Date, version: str) -> list[Date]:
    counted = (
        lakehouse.read(DRIFT_CELLS)
        .filter(
            F.col("run_date").between(
                F.lit(date - timedelta(days=ROLLING_DAYS)), F.lit(date - timedelta(days=1))
            )
        )
        .select("run_date", "model_version")
        .distinct()
        .collect()
    )
    own = {row.run_date for row in counted if row.model_version == version}
    return sorted({row.run_date for row in counted} - own)


def read_cells(lakehouse: Lakehouse, date: Date, version: str) -> DataFrame:
    """What was counted for a champion on the date and in the weeks before."""
    return lakehouse.read(DRIFT_CELLS).filter(
        F.col("run_date").between(F.lit(date - timedelta(days=ROLLING_DAYS)), F.lit(date))
        & (F.col("model_version") == version)
    )


def _encode(users: DataFrame, bundle: ModelBundle) -> DataFrame:
    segments = segment_columns(SEGMENT_PREFIX)
    return encode_categories(users.select("*", *segments), bundle.encoding)


def _of(cells: DataFrame, night: Date, bundle: ModelBundle) -> DataFrame:
    return cells.withColumns({"run_date": F.lit(night), "model_version": F.lit(bundle.version)})
