"""Parquet files -> lines of JSON, one a row, with the columns that a mapping takes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from churn_spark.config.mapping import LogMapping
from churn_spark.errors import DamagedFileError
from churn_spark.events.foreign.columns import names_in
from churn_spark.events.foreign.plain_columns import plain_columns

_ROWS: Final = 65_536
"""At once: some 20 MB of JSON."""


def lines_of_rows(source: Any, mapping: LogMapping | None = None) -> Iterator[bytes]:
    """The rows as lines, in their order; times are ISO texts.

    Args:
        source: the opened file, or its name.
        mapping: whose columns are taken; all where there is none.

    Raises:
        DamagedFileError: where it can't be read on; the rows before that were given.
    """
    try:
        # Else a moment beyond 2262, as "never" is, would become one of another century.
        file = pq.ParquetFile(source, coerce_int96_timestamp_unit="us")
        wanted = _wanted(file.schema_arrow.names, mapping)
        for batch in file.iter_batches(_ROWS, columns=wanted):
            yield _as_lines(batch)
    except (pa.ArrowException, pl.exceptions.PolarsError, OSError) as error:
        raise DamagedFileError(f"the Parquet file can't be read: {error}") from error


def _wanted(there: Sequence[str], mapping: LogMapping | None) -> list[str]:
    if mapping is None:
        return [*there]
    names = names_in(mapping)
    names |= {name.partition(".")[0] for name in names}
    return [name for name in there if name in names]


def _as_lines(batch: pa.RecordBatch) -> bytes:
    written = io.BytesIO()
    pl.DataFrame(plain_columns(pa.Table.from_batches([batch]))).write_ndjson(written)
    return written.getvalue()
