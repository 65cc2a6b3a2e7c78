"""Lines that Spark has read -> what becomes of them, by the same kernel as anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENTS, QUARANTINE
from churn_spark.events.block import Block, read_block
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.schema import struct_of

_WHAT, _N = "what", "n_lines"
_EVENT, _REJECTED = "event", "rejected"
_ACCOUNT: Final = pa.schema([(_WHAT, pa.string()), (_N, pa.int64())])
_OF_EVENTS = set(EVENTS.column_names)
_OF_BOTH: Final = pa.schema(
    [
        *_ACCOUNT,
        *arrow_schema(EVENTS),
        *(field for field in arrow_schema(QUARANTINE) if field.name not in _OF_EVENTS),
    ]
)
_SPARK_OF_BOTH: Final = T.StructType(
    [
        T.StructField(_WHAT, T.StringType()),
        T.StructField(_N, T.LongType()),
        *struct_of(EVENTS),
        *(field for field in struct_of(QUARANTINE) if field.name not in _OF_EVENTS),
    ]
)


@dataclass(frozen=True)
class SparkBlocks:
    """What became of lines, as one frame of all kinds of rows."""

    rows: DataFrame

    @classmethod
    def of(cls, lines: DataFrame, config: IngestConfig, n_buckets: int, batch: int) -> SparkBlocks:
        """Read lines: `value` (bytes, without the line end) and `source_file` (as an URI)."""

        def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for arrived in batches:
                pairs = zip(*(column.to_pylist() for column in arrived.columns), strict=True)
                for uri, group in groupby(pairs, key=lambda pair: pair[1]):
                    data = b"\n".join(value for value, _ in group)
                    block = read_block(data, config, n_buckets)
                    yield from _rows_of(block, _listed_path(uri), batch).to_batches()

        return cls(lines.mapInArrow(read, _SPARK_OF_BOTH))

    @property
    def events(self) -> DataFrame:
        """The accepted events."""
        return self.rows.filter(F.col(_WHAT) == _EVENT).select(*EVENTS.column_names)

    @property
    def rejected(self) -> DataFrame:
        """The rejected lines."""
        return self.rows.filter(F.col(_WHAT) == _REJECTED).select(*QUARANTINE.column_names)

    def count_lines(self) -> Mapping[str, int]:
        """What became of the lines -> how many."""
        counted = self.rows.filter(F.col(_N).isNotNull())
        rows = counted.groupBy(_WHAT).agg(F.sum(_N).alias(_N)).collect()
        return {row[_WHAT]: int(row[_N]) for row in rows}


def _rows_of(block: Block, source_file: str, batch: int) -> pa.Table:
    delivery = {"source_file": pl.lit(source_file), "ingest_batch": pl.lit(batch, pl.Int64())}
    rows = pl.concat(
        [
            block.events.with_columns(pl.lit(_EVENT).alias(_WHAT), **delivery),
            block.rejected.with_columns(pl.lit(_REJECTED).alias(_WHAT), **delivery),
            pl.DataFrame({_WHAT: block.counts.keys(), _N: block.counts.values()}),
        ],
        how="diagonal",
    )
    return rows.select(_OF_BOTH.names).to_arrow().cast(_OF_BOTH)


def _listed_path(uri: str) -> str:
    """The path of a file as it is listed, out of Spark's URI of it."""
    path = unquote(uri)
    return "file:/" + path.removeprefix("file:///") if path.startswith("file:///") else path
