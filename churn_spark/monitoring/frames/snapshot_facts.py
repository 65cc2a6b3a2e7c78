"""Counts of a snapshot's columns for the data checks, beside those of the training rows."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import types as T

from churn_spark.lakehouse.frames import Batches, Rows, apply, collect
from churn_spark.models.bundle import ModelBundle
from churn_spark.monitoring.data_quality.checks import ColumnFacts

_COUNTED = T.StructType(
    [
        T.StructField("name", T.StringType()),
        *[T.StructField(n, T.LongType()) for n in ("n_rows", "n_null", "n_zero", "n_other")],
    ]
)


def read_snapshot_facts(snapshot: Rows, bundle: ModelBundle) -> list[ColumnFacts]:
    """Nulls, zeros and unknown levels of the model's inputs, tonight and in its training rows.

    Inputs that the snapshot doesn't hold, those of the behaviour model, are left out.
    """
    levels, sample = bundle.encoding.levels, bundle.baseline
    names = [name for name in bundle.encoding.features if name in snapshot.columns]

    def count(batches: Batches) -> Batches:
        for batch in batches:
            yield pd.DataFrame(
                [_count_column(batch[name], levels.get(name)) for name in names],
                columns=_COUNTED.names,
            )

    counted = collect(apply(snapshot[names], count, _COUNTED))
    sums = counted.groupby("name").sum()
    found = []
    for name in names:
        values = sample[name]
        n_rows, n_null, n_zero, n_other = map(int, sums.loc[name])
        rows = len(sample), n_rows
        if name not in levels:
            nulls, zeros = int(values.isna().sum()), int((values == 0).sum())
            found.append(ColumnFacts(name, rows, (nulls, n_null), (zeros, n_zero)))
        elif levels[name]:
            other = int((values == len(levels[name])).sum())
            found.append(ColumnFacts(name, rows, (0, 0), None, (other, n_other)))
    return found


def _count_column(
    values: pd.Series, levels: tuple[str, ...] | None
) -> tuple[object, int, int, int, int]:
    """A column's name, rows, nulls, zeros, and values that are none of its levels."""
    n_zero = int((values == 0).sum()) if levels is None else 0
    n_other = 0 if levels is None else int((~values.isin(levels)).sum())
    return values.name, len(values), int(values.isna().sum()), n_zero, n_other
