"""Counts of a snapshot's columns for the data checks, beside those of the training rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd
from pyspark.sql import types as T

from churn_spark.lakehouse.frames import Batches, Rows, apply, collect
from churn_spark.models.bundle import ModelBundle
from churn_spark.monitoring.data_quality.checks import ColumnFacts


@dataclass(frozen=True)
class _Counts:
    """Counts of one column of some rows."""

    name: str
    is_category: bool
    n_rows: int
    n_null: int
    n_zero: int
    n_other: int


_COUNTED = T.StructType(
    [
        T.StructField("name", T.StringType()),
        *[T.StructField(n, T.LongType()) for n in ("n_rows", "n_null", "n_zero", "n_other")],
    ]
)


def read_snapshot_facts(
    snapshot: Rows, bundle: ModelBundle, newest: Rows | None = None
) -> list[ColumnFacts]:
    """Nulls, zeros and unknown levels of the model's inputs, tonight and in its training rows.

    Inputs that the snapshot doesn't hold, those of the behaviour model, are left out, and so are
    categories of which the model knows no level.

    Args:
        snapshot: of tonight.
        bundle: the model.
        newest: the snapshot of the newest sound date before tonight, where there is one.
    """
    levels = bundle.encoding.levels
    names = [n for n in bundle.encoding.features if n in snapshot.columns and levels.get(n, True)]
    tonight = _count(snapshot, names, bundle)
    trained = _count_encoded(bundle, names)
    found = _facts_of(trained, tonight)
    if newest is None:
        return found
    since = {facts.column: facts for facts in _facts_of(_count(newest, names, bundle), tonight)}
    return [replace(facts, newest=since[facts.column]) for facts in found]


def _count(snapshot: Rows, names: Sequence[str], bundle: ModelBundle) -> list[_Counts]:
    levels = bundle.encoding.levels

    def count(batches: Batches) -> Batches:
        for batch in batches:
            yield pd.DataFrame(
                [_count_column(batch[name], levels.get(name)) for name in names],
                columns=_COUNTED.names,
            )

    counted = collect(apply(snapshot[[*names]], count, _COUNTED))
    sums = counted.groupby("name").sum()
    return [_Counts(name, name in levels, *map(int, sums.loc[name])) for name in names]


def _count_encoded(bundle: ModelBundle, names: Sequence[str]) -> list[_Counts]:
    """Those of the training rows, in which a category is the number of its level."""
    sample, levels = bundle.baseline, bundle.encoding.levels
    found = []
    for name in names:
        values, known = sample[name], levels.get(name)
        n_other = 0 if known is None else int((values == len(known)).sum())
        n_null = int(values.isna().sum())
        n_zero = int((values == 0).sum())
        found.append(_Counts(name, known is not None, len(sample), n_null, n_zero, n_other))
    return found


def _facts_of(before: Sequence[_Counts], tonight: Sequence[_Counts]) -> list[ColumnFacts]:
    found = []
    for old, new in zip(before, tonight, strict=True):
        n_rows = old.n_rows, new.n_rows
        if old.is_category:
            unseen = old.n_other, new.n_other
            found.append(ColumnFacts(old.name, n_rows, (0, 0), n_unseen=unseen))
        else:
            nulls, zeros = (old.n_null, new.n_null), (old.n_zero, new.n_zero)
            found.append(ColumnFacts(old.name, n_rows, nulls, zeros))
    return found


def _count_column(
    values: pd.Series, levels: tuple[str, ...] | None
) -> tuple[object, int, int, int, int]:
    """A column's name, rows, nulls, zeros, and values that are none of its levels."""
    n_zero = int((values == 0).sum()) if levels is None else 0
    n_other = 0 if levels is None else int((~values.isin(levels)).sum())
    return values.name, len(values), int(values.isna().sum()), n_zero, n_other
