"""Counts for the data checks: what is collected is a row each, whatever the tables' size."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from churn_spark.models.bundle import ModelBundle
from churn_spark.monitoring.data_quality.checks import ColumnFacts


def read_snapshot_facts(snapshot: DataFrame, bundle: ModelBundle) -> list[ColumnFacts]:
    """Nulls, zeros and unknown levels of the model's inputs, tonight and in its training rows.

    Inputs that the snapshot doesn't hold, those of the behaviour model, are left out.
    """
    encoding, sample = bundle.encoding, bundle.baseline
    names = [name for name in encoding.features if name in snapshot.columns]
    numbers = [name for name in names if name not in encoding.levels]
    zeros = [F.count_if(F.col(name) == 0).alias(f"zero_{name}") for name in numbers]
    others = [
        F.count_if(~F.coalesce(F.col(name).isin(*encoding.levels[name]), F.lit(False))).alias(
            f"other_{name}"
        )
        for name in names
        if encoding.levels.get(name)
    ]
    now = snapshot.agg(*_nulls(numbers), *zeros, *others).collect()[0]
    rows = len(sample), now["n_rows"]
    found = []
    for name in names:
        values = sample[name]
        if name in numbers:
            nulls = int(values.isna().sum()), now[f"null_{name}"]
            found.append(
                ColumnFacts(name, rows, nulls, (int((values == 0).sum()), now[f"zero_{name}"]))
            )
        elif encoding.levels[name]:
            other = int((values == len(encoding.levels[name])).sum()), now[f"other_{name}"]
            found.append(ColumnFacts(name, rows, (0, 0), None, other))
    return found


def _nulls(names: Sequence[str]) -> list[Column]:
    counts = [F.count_if(F.col(name).isNull()).alias(f"null_{name}") for name in names]
    return [F.count(F.lit(1)).alias("n_rows"), *counts]
