"""Parquet files -> lines of JSON, one a row, with the columns that a mapping names."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from churn_spark.config.mapping import LogMapping
from churn_spark.errors import DamagedFileError
from churn_spark.events.foreign.columns import names_in

_ROWS: Final = 65_536
"""At once: some 20 MB of JSON."""


def lines_of_rows(source: Any, mapping: LogMapping) -> Iterator[bytes]:
    """The rows as lines, in their order; times are ISO texts.

    Raises:
        DamagedFileError: where it can't be read on; the rows before that were given.
    """
    try:
        file = pq.ParquetFile(source)
        names = {name.partition(".")[0] for name in names_in(mapping)} | names_in(mapping)
        wanted = [name for name in file.schema_arrow.names if name in names]
        for batch in file.iter_batches(_ROWS, columns=wanted):
            yield _as_lines(batch)
    except (pa.ArrowException, OSError) as error:
        raise DamagedFileError(f"the Parquet file can't be read: {error}") from error


def _as_lines(batch: pa.RecordBatch) -> bytes:
    written = io.BytesIO()
    rows = pl.DataFrame(batch)
    decimals = [name for name, kind in rows.schema.items() if isinstance(kind, pl.Decimal)]
    rows.with_columns(pl.col(decimals).cast(pl.Float64)).write_ndjson(written)
    return written.getvalue()
