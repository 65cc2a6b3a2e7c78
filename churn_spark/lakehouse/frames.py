"""The rows of a date's users, on the driver while they are few and in Spark beyond.

A rule is written once, as a function from batches of rows to rows, the way `mapInPandas` takes
it. `apply` calls it directly on a pandas frame: no query to plan, no worker to start. On a Spark
frame the same function runs in the workers, on a cluster of any size.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Any, Generic, Literal, Protocol, TypeVar

import pandas as pd
import polars as pl
import polars_hash as plh
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from churn_spark.contracts.tables import TableSpec
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.schema import struct_of

Rows = pd.DataFrame | DataFrame
"""The same columns on either side: a date is a `date`, a list an array."""

Batches = Iterable[pd.DataFrame]
Value = TypeVar("Value")
Shared_co = TypeVar("Shared_co", covariant=True)

_SPARKS_SEED = 42
_RANGE = "_range"


class HasValue(Protocol[Shared_co]):
    """What a function reads that was shared with those who run it."""

    @property
    def value(self) -> Shared_co:
        """What was shared."""


@dataclass(frozen=True)
class _Here(Generic[Value]):
    """A value that stays in this process."""

    value: Value


def apply(rows: Rows, function: Callable[[Batches], Batches], schema: T.StructType) -> Rows:
    """The rows that the function makes of batches of these."""
    if isinstance(rows, DataFrame):
        return rows.mapInPandas(function, schema)
    # A part of Spark's without rows has no batch either.
    return _collect_parts(function([rows] if len(rows) else []), schema)


def apply_by(
    rows: Rows, column: str, function: Callable[[pd.DataFrame], pd.DataFrame], schema: T.StructType
) -> Rows:
    """The rows that the function makes of all rows with the same value of a column."""
    if isinstance(rows, DataFrame):
        return rows.groupBy(column).applyInPandas(function, schema)
    parts = (part.reset_index(drop=True) for _, part in rows.groupby(column))
    return _collect_parts(map(function, parts), schema)


def share(rows: Rows, value: Value) -> HasValue[Value]:
    """Something large that functions on these rows need: sent to the workers once, if there are."""
    if isinstance(rows, DataFrame):
        found: HasValue[Value] = rows.sparkSession.sparkContext.broadcast(value)
        return found
    return _Here(value)


def join(left: Rows, right: Rows, keys: Sequence[str], how: Literal["inner", "left"]) -> Rows:
    """The rows of both that have the same keys; with `left` also those that `right` lacks."""
    if isinstance(left, DataFrame) and isinstance(right, DataFrame):
        return left.join(right, [*keys], how)
    assert isinstance(left, pd.DataFrame)
    assert isinstance(right, pd.DataFrame)
    return left.merge(right, how=how, on=[*keys])


def of_users(rows: Rows, users: pd.Series) -> Rows:
    """One row for each of some users, few enough to be sent to every worker; null if unknown."""
    if isinstance(rows, pd.DataFrame):
        return users.to_frame("user_id").merge(rows, how="left", on="user_id")
    spark = rows.sparkSession
    named = spark.createDataFrame([(user,) for user in users], "user_id string")
    known = rows.join(F.broadcast(named), "user_id", "left_semi")
    return named.join(known, "user_id", "left")


def without_users(rows: Rows, users: Collection[str]) -> Rows:
    """The rows of all others."""
    if isinstance(rows, pd.DataFrame):
        return rows[~rows["user_id"].isin(users)]
    named = pd.DataFrame({"user_id": sorted(users)}, dtype=object)
    return rows.join(
        rows.sparkSession.createDataFrame(named, "user_id string"), "user_id", "left_anti"
    )


def stack(parts: Sequence[Rows]) -> Rows:
    """The rows of all parts, which are on the same side and have the same columns."""
    in_spark = [part for part in parts if isinstance(part, DataFrame)]
    if in_spark:
        return reduce(DataFrame.unionByName, in_spark)
    return pd.concat([part for part in parts if isinstance(part, pd.DataFrame)], ignore_index=True)


def only(rows: Rows, **values: Collection[date | int | str]) -> Rows:
    """The rows that have one of the values in each column named."""
    for name, chosen in values.items():
        if isinstance(rows, DataFrame):
            rows = rows.filter(F.col(name).isin(*chosen))
        else:
            rows = rows[rows[name].isin(list(chosen))]
    return rows


def with_constants(rows: Rows, **values: date | str | int) -> Rows:
    """The rows with further columns, the same value in each row."""
    if isinstance(rows, DataFrame):
        return rows.withColumns({name: _literal(value) for name, value in values.items()})
    return rows.assign(**values)


def _literal(value: date | str | int) -> Column:
    """A value as a column; a whole number as a long, as tables have them."""
    return F.lit(value).cast("long") if isinstance(value, int) else F.lit(value)


@contextmanager
def numbered(rows: Rows, order: Sequence[str], name: str) -> Iterator[Rows]:
    """The rows with a further column: their place among those of their as-of date, from 1.

    In Spark each task numbers its own range of the order, after as many as the ranges before it
    hold: no task needs all rows of a date.

    Args:
        rows: with `as_of`.
        order: columns, those with a minus descending; never null, and together unique, so that
            the order is total.
        name: of the column.
    """
    if isinstance(rows, DataFrame):
        # Adaptive execution joins no parts of what is kept, however few their rows: one for a core.
        n_ranges = rows.sparkSession.sparkContext.defaultParallelism
        ranges = rows.repartitionByRange(n_ranges, F.asc("as_of"), *map(_in_order, order))
        # Kept: what a range holds is counted, and counted on.
        dealt = ranges.withColumn(_RANGE, F.spark_partition_id()).persist()
        try:
            yield _number_by_range(dealt, order, name)
        finally:
            dealt.unpersist()
        return
    places = _sorted(rows, order).groupby("as_of").cumcount().astype("int32") + 1
    found = rows.copy()
    found[name] = places
    yield found


def first_rows(rows: Rows, order: Sequence[str], n_rows: int) -> pd.DataFrame:
    """The first rows in an order, as `numbered` takes it, on the driver."""
    if isinstance(rows, DataFrame):
        return rows.orderBy(*map(_in_order, order)).limit(n_rows).toPandas()
    return _sorted(rows, order).head(n_rows).reset_index(drop=True)


def sample_rows(rows: Rows, n_rows: int) -> pd.DataFrame:
    """The rows on the driver, ordered; where there are more, those of a fixed sample of users."""
    if isinstance(rows, DataFrame):
        order = F.xxhash64("user_id")
        return rows.orderBy(order, "as_of", "user_id").limit(n_rows).toPandas()
    users = pl.from_pandas(rows[["user_id"]].astype(object)).to_series().cast(pl.String)
    hashed = rows.assign(_hash=hash_users(users).to_numpy())
    return first_rows(hashed, ["_hash", "as_of", "user_id"], n_rows).drop(columns="_hash")


def hash_users(user_ids: pl.Series) -> pl.Series:
    """What Spark's `xxhash64` gives of each user."""
    digest = plh.col("user_id").nchash.xxhash64(seed=_SPARKS_SEED).reinterpret(signed=True)
    return user_ids.alias("user_id").to_frame().select(digest).to_series()


def count_rows(rows: Rows) -> int:
    """How many there are."""
    return rows.count() if isinstance(rows, DataFrame) else len(rows)


def count_by(rows: Rows, column: str) -> dict[str, int]:
    """Value of a column -> how many rows have it."""
    if isinstance(rows, DataFrame):
        return dict(rows.groupBy(column).count().collect())
    return {str(value): int(n) for value, n in rows[column].value_counts().items()}


def count_and_sum(rows: Rows, column: str) -> tuple[int, float]:
    """How many there are, and the sum of a column, 0 of none."""
    if isinstance(rows, DataFrame):
        n, total = rows.agg(F.count(F.lit(1)), F.sum(column)).collect()[0]
        return n, float(total or 0.0)
    return len(rows), float(rows[column].sum())


@contextmanager
def kept(rows: Rows) -> Iterator[Rows]:
    """The rows, computed once however often they are read; spilled where they don't fit."""
    if isinstance(rows, pd.DataFrame):
        yield rows
        return
    try:
        yield rows.persist()
    finally:
        rows.unpersist()


def to_spark(rows: Rows, spec: TableSpec, spark: SparkSession) -> DataFrame:
    """Rows with columns of a table as a Spark frame, for what only Spark does."""
    if isinstance(rows, DataFrame):
        return rows
    return spark.createDataFrame(rows, struct_of(spec, rows.columns))


def rows_beside(rows: Rows, values: Sequence[Mapping[str, Any]], spec: TableSpec) -> Rows:
    """Rows of a table by their values, on the side where others are; what isn't named is null."""
    if isinstance(rows, DataFrame):
        tuples = [tuple(one.get(name) for name in spec.column_names) for one in values]
        return rows.sparkSession.createDataFrame(tuples, struct_of(spec))
    found: pd.DataFrame = pa.Table.from_pylist([*values], arrow_schema(spec)).to_pandas()
    return found


def on_side_of(rows: Rows, found: DataFrame) -> Rows:
    """What Spark has found, on the driver where the rows are that it was asked for."""
    return found if isinstance(rows, DataFrame) else found.toPandas()


def collect(rows: Rows) -> pd.DataFrame:
    """All rows on the driver: only of what is small whatever the number of users."""
    return rows.toPandas() if isinstance(rows, DataFrame) else rows


def _collect_parts(parts: Batches, schema: T.StructType) -> pd.DataFrame:
    """Through Arrow, as Spark reads what its workers return: by name, typed, NaN as null."""
    arrow = to_arrow_schema(schema)
    tables = [pa.Table.from_pandas(part, arrow, preserve_index=False) for part in parts]
    found: pd.DataFrame = pa.concat_tables([arrow.empty_table(), *tables]).to_pandas()
    return found


def _number_by_range(rows: DataFrame, order: Sequence[str], name: str) -> DataFrame:
    """Number rows whose ranges follow each other in the order; collects a count of each range."""
    counted = rows.groupBy("as_of", _RANGE).count().toPandas().sort_values(["as_of", _RANGE])
    before = counted.groupby("as_of")["count"].cumsum() - counted["count"]
    offsets = rows.sparkSession.createDataFrame(
        counted[["as_of", _RANGE]].assign(_before=before),
        f"as_of date, {_RANGE} integer, _before long",
    )
    within = Window.partitionBy("as_of", _RANGE).orderBy(*map(_in_order, order))
    place = (F.col("_before") + F.row_number().over(within)).cast("integer")
    return (
        rows.join(F.broadcast(offsets), ["as_of", _RANGE])
        .withColumn(name, place)
        .drop(_RANGE, "_before")
    )


def _in_order(name: str) -> Column:
    return F.desc(name[1:]) if name.startswith("-") else F.asc(name)


def _sorted(rows: pd.DataFrame, order: Sequence[str]) -> pd.DataFrame:
    names = [name.removeprefix("-") for name in order]
    return rows.sort_values(names, ascending=[not name.startswith("-") for name in order])
