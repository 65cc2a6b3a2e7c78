"""Which rows of a table are meant: by the values of their columns, or a range of these."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import reduce
from math import prod
from operator import and_
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column
from pyspark.sql import functions as F

from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import SchemaError

Value = date | str | int | bool


@dataclass(frozen=True)
class Between:
    """All values from the first to the last, both included; open where there is none."""

    first: Value | None = None
    last: Value | None = None


Where = Mapping[str, Collection[Value] | Between]
"""Column -> its values; a row must fit all columns. Rows without a value fit none."""


def both(where: Where, other: Where) -> Where:
    """The rows that fit one and the other."""
    shared = {name: _both(where[name], other[name]) for name in where if name in other}
    return {**where, **other, **shared}


def _both(
    values: Collection[Value] | Between, others: Collection[Value] | Between
) -> Collection[Value] | Between:
    if not isinstance(values, Between):
        return [value for value in values if _fits(value, others)]
    if not isinstance(others, Between):
        return [value for value in others if _fits(value, values)]
    return Between(
        max(_given(values.first, others.first), default=None),
        min(_given(values.last, others.last), default=None),
    )


def _given(*ends: Any) -> list[Any]:
    return [end for end in ends if end is not None]


def _fits(value: Any, values: Collection[Value] | Between) -> bool:
    if not isinstance(values, Between):
        return value in values
    is_late_enough = values.first is None or values.first <= value
    return bool(is_late_enough and (values.last is None or value <= values.last))


def is_empty(where: Where) -> bool:
    """Whether no row can fit, as a column has no values."""
    return not all(isinstance(values, Between) or values for values in where.values())


def count_meant(where: Where, columns: Collection[str]) -> int | None:
    """How many combinations of values of the columns are meant; none where it isn't said."""
    chosen = [where.get(name, Between()) for name in columns]
    sizes = [len(values) for values in chosen if not isinstance(values, Between)]
    return prod(sizes) if len(sizes) == len(chosen) else None


def require_meant(rows: pa.Table, spec: TableSpec, where: Where) -> None:
    """Let pass only rows that are themselves among those that they replace.

    Raises:
        SchemaError: if there are others.
    """
    others = len(rows) - rows.filter(arrow_condition(where, rows.schema)).num_rows
    if others:
        raise SchemaError(
            f"found {others} of {len(rows)} rows for {spec.path} that are not of those they "
            f"replace, expected only rows with {sql_condition(where)}"
        )


def arrow_condition(where: Where, schema: pa.Schema) -> pc.Expression:
    """The rows meant, for an Arrow dataset of this schema."""
    return reduce(
        and_, (_arrow(name, values, schema) for name, values in where.items()), pc.scalar(True)
    )


def polars_condition(where: Where) -> pl.Expr:
    """The rows meant, for a Polars frame."""
    return reduce(and_, (_polars(name, values) for name, values in where.items()), pl.lit(True))


def spark_condition(where: Where) -> Column:
    """The rows meant, for a Spark frame."""
    return reduce(and_, (_spark(name, values) for name, values in where.items()), F.lit(True))


def sql_condition(where: Where) -> str:
    """The rows meant, as the text that Delta takes."""
    return " and ".join(_sql(name, values) for name, values in where.items())


def _arrow(name: str, values: Collection[Value] | Between, schema: pa.Schema) -> pc.Expression:
    field = pc.field(name)
    if not isinstance(values, Between):
        return field.isin(pa.array(list(values), schema.field(name).type))
    bounds = [field.is_valid()]
    if values.first is not None:
        bounds.append(field >= values.first)
    if values.last is not None:
        bounds.append(field <= values.last)
    return reduce(and_, bounds)


def _polars(name: str, values: Collection[Value] | Between) -> pl.Expr:
    column = pl.col(name)
    if not isinstance(values, Between):
        return column.is_in(list(values))
    bounds = [column.is_not_null()]
    if values.first is not None:
        bounds.append(column >= values.first)
    if values.last is not None:
        bounds.append(column <= values.last)
    return reduce(and_, bounds)


def _spark(name: str, values: Collection[Value] | Between) -> Column:
    column = F.col(name)
    if not isinstance(values, Between):
        return column.isin(*values)
    bounds = [column.isNotNull()]
    if values.first is not None:
        bounds.append(column >= F.lit(values.first))
    if values.last is not None:
        bounds.append(column <= F.lit(values.last))
    return reduce(and_, bounds)


def _sql(name: str, values: Collection[Value] | Between) -> str:
    if not isinstance(values, Between):
        return f"{name} in ({', '.join(_literal(value) for value in sorted(values, key=str))})"
    bounds = [f"{name} is not null"]
    if values.first is not None:
        bounds.append(f"{name} >= {_literal(values.first)}")
    if values.last is not None:
        bounds.append(f"{name} <= {_literal(values.last)}")
    return " and ".join(bounds)


def _literal(value: Value) -> str:
    if isinstance(value, bool | int):
        return str(value).lower()
    quoted = str(value).replace("'", "''")
    return f"'{quoted}'"
