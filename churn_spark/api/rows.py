"""Rows that are read when they are asked for: as Arrow, as pandas or as Spark has them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, cast

import pandas as pd
import pyarrow as pa

from churn_spark.api.dates import as_date
from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import QueryError
from churn_spark.lakehouse import spark_rows
from churn_spark.lakehouse.arrow_schema import to_frame
from churn_spark.lakehouse.readable import ReadableLakehouse
from churn_spark.lakehouse.selection import Between, Value, Where, both
from churn_spark.pipeline.query import explain_column

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_KINDS: Final[Mapping[str, type]] = {"string": str, "long": int, "integer": int, "boolean": bool}


@dataclass(frozen=True)
class Rows:
    """Rows that nobody has read yet; each call reads them anew.

    Attributes:
        read_arrow: reads them without Spark where that is possible.
        read_spark: reads them by Spark.
    """

    read_arrow: Callable[[], pa.Table]
    read_spark: Callable[[], DataFrame]

    def arrow(self) -> pa.Table:
        """The rows with their declared types: whole numbers stay whole, instants are in UTC."""
        return self.read_arrow()

    def pandas(self) -> pd.DataFrame:
        """The rows as Spark's own `toPandas` would give them.

        Dates are `datetime.date`; instants have no zone and are UTC; whole numbers with missing
        ones among them are floats.
        """
        return to_frame(self.arrow())

    def spark(self) -> DataFrame:
        """The rows as a frame of Spark, which is started by the first such call."""
        return self.read_spark()


@dataclass(frozen=True)
class Table:
    """One table of the lakehouse; `where`, `between` and `select` narrow down what is read.

    Attributes:
        lakehouse: that it is in.
        spec: how it is declared.
        chosen: which rows are meant, all where it is empty.
        names: of the columns that are read, in order.
    """

    lakehouse: ReadableLakehouse = field(repr=False)
    spec: TableSpec = field(repr=False)
    chosen: Where = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As in SQL: `ml.scores`."""
        return self.spec.path.replace("/", ".")

    @property
    def row_is(self) -> str:
        """What one row is."""
        return self.spec.grain

    @property
    def columns(self) -> list[str]:
        """Names of the columns that are read."""
        return [*(self.names or self.spec.column_names)]

    def describe(self) -> pd.DataFrame:
        """The columns that are read: name, type and meaning."""
        known = {column.name: column for column in self.spec.columns}
        found = [known[name] for name in self.columns]
        return pd.DataFrame(
            {
                "column": [column.name for column in found],
                "type": [column.data_type for column in found],
                "meaning": [column.meaning for column in found],
            }
        )

    def where(self, **values: Any) -> Table:
        """Only rows that have one of the values in each column named.

        A value is given by itself or in a list; a date also as `YYYY-MM-DD`.

        Raises:
            QueryError: if there is no such column, or it holds values of another kind.
            InputError: if a date isn't one.
        """
        return self._narrowed(
            {
                name: [
                    self._value_of(name, one) for one in (value if _is_several(value) else [value])
                ]
                for name, value in values.items()
            }
        )

    def between(self, column: str, first: Any = None, last: Any = None) -> Table:
        """Only rows whose value lies from the first to the last, both included; None is open.

        Raises:
            QueryError: if there is no such column, or it holds values of another kind.
            InputError: if a date isn't one.
        """
        ends = [None if one is None else self._value_of(column, one) for one in (first, last)]
        return self._narrowed({column: Between(*ends)})

    def select(self, *columns: str) -> Table:
        """Only these columns, in this order.

        Raises:
            QueryError: if there is no such column.
        """
        for name in columns:
            self._require(name)
        return replace(self, names=columns)

    def count(self) -> int:
        """Number of the rows meant: of whole partitions from the table's log alone."""
        return self.lakehouse.count_rows(self.spec, self.chosen)

    def arrow(self) -> pa.Table:
        """The rows with their declared types: whole numbers stay whole, instants are in UTC."""
        return self._rows.arrow()

    def pandas(self) -> pd.DataFrame:
        """The rows as Spark's own `toPandas` would give them, see `Rows.pandas`."""
        return self._rows.pandas()

    def spark(self) -> DataFrame:
        """The rows as a frame of Spark, which is started by the first such call."""
        return self._rows.spark()

    @property
    def _rows(self) -> Rows:
        lakehouse, spec = self.lakehouse, self.spec
        return Rows(
            lambda: lakehouse.read_arrow(spec, self.chosen, self.columns),
            lambda: spark_rows.select(lakehouse.read(spec), self.chosen, self.columns),
        )

    def _narrowed(self, more: Where) -> Table:
        return replace(self, chosen=both(self.chosen, more))

    def _value_of(self, column: str, value: Any) -> Value:
        self._require(column)
        [kind] = [one.data_type for one in self.spec.columns if one.name == column]
        if kind == "date":
            return as_date(value)
        # What pandas gives for a whole number is none of Python's.
        plain = value.item() if hasattr(value, "item") else value
        if type(plain) is not _KINDS.get(kind):
            taken = _KINDS[kind].__name__ if kind in _KINDS else "rows narrowed down by another one"
            raise QueryError(
                f"found {value!r} for {column}, which is a {kind}, expected {taken}: a frame that "
                "was read can be narrowed down by anything"
            )
        return cast(Value, plain)

    def _require(self, column: str) -> None:
        if column not in self.spec.column_names:
            raise QueryError(explain_column(column, self.spec.column_names))


def _is_several(value: Any) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str)
