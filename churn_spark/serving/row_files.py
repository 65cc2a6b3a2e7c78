"""Some rows of a table's files: read where they are, some thousand at a time, never all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churn_spark.arrays import Ints
from churn_spark.errors import RequestError

_AT_ONCE: Final = 8192
_IDS_AT_ONCE: Final = 65_536
_LATER_S: Final = 1


@dataclass(frozen=True)
class RowFile:
    """One file of a table.

    Attributes:
        fragment: of the dataset that deltalake makes of the table.
        schema: of the table; columns that the file was written without are null.
    """

    fragment: Any
    schema: pa.Schema

    def read(self, columns: Sequence[str], coded: Sequence[str] = ()) -> pa.Table:
        """All rows; only of columns that are small, `coded` ones as codes and a dictionary."""
        with self._open([*coded]) as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            return self._complete(file.read(there, use_threads=False), columns)

    def take(self, rows: Ints, columns: Sequence[str]) -> pa.Table:
        """The rows at some places of the file, which ascend; each place once."""
        with self._open() as file:
            there = [name for name in columns if name in file.schema_arrow.names]
            parts: list[pa.RecordBatch] = []
            start = 0
            for group in range(file.num_row_groups):
                end = start + file.metadata.row_group(group).num_rows
                parts += _take(file, group, rows[(rows >= start) & (rows < end)] - start, there)
                start = end
            schema = pa.schema([self.schema.field(name) for name in there])
            found = pa.Table.from_batches([_with_types(part, schema) for part in parts], schema)
            return self._complete(found, columns)

    def find(self, column: str, value: str) -> Ints:
        """The places of the rows with a text in a column."""
        found: list[Ints] = [np.empty(0, dtype=np.int64)]
        with self._open() as file:
            start = 0
            for batch in file.iter_batches(_IDS_AT_ONCE, columns=[column], use_threads=False):
                is_there = pc.fill_null(pc.equal(batch.column(0), value), fill_value=False)
                found.append(np.flatnonzero(is_there.to_numpy(zero_copy_only=False)) + start)
                start += batch.num_rows
        return np.concatenate(found)

    @contextmanager
    def _open(self, coded: list[str] | None = None) -> Iterator[pq.ParquetFile]:
        try:
            with self.fragment.filesystem.open_input_file(self.fragment.path) as source:
                there = set(pq.read_schema(source).names) if coded else set()
                known = [name for name in coded or () if name in there]
                yield pq.ParquetFile(source, read_dictionary=known, pre_buffer=False)
        except FileNotFoundError:
            text = "the rows of this date are being replaced: ask again"
            raise RequestError(text, 503, retry_after=_LATER_S) from None

    def _complete(self, found: pa.Table, columns: Sequence[str]) -> pa.Table:
        for name in columns:
            if name not in found.column_names:
                found = found.append_column(name, pa.nulls(len(found), self.type_of(name)))
        return found.select(columns)

    def type_of(self, column: str) -> pa.DataType:
        """The type of a column; of one that the table was made without, that of nulls."""
        return self.schema.field(column).type if column in self.schema.names else pa.null()


def _take(
    file: pq.ParquetFile, group: int, rows: Ints, columns: Sequence[str]
) -> Iterator[pa.RecordBatch]:
    """Rows of a row group, by their places in it; what comes after the last is not read."""
    if not len(rows):
        return
    start = 0
    batches = file.iter_batches(_AT_ONCE, row_groups=[group], columns=columns, use_threads=False)
    for batch in batches:
        end = start + batch.num_rows
        inside = rows[(rows >= start) & (rows < end)] - start
        if len(inside):
            yield batch.take(pa.array(inside))
        start = end
        if start > rows[-1]:
            return


def _with_types(part: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The columns with the types of the table, which Spark and Arrow name otherwise in files."""
    arrays = [part.column(field.name).cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
