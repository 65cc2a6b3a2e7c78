"""Lines that Spark has read -> what becomes of them, by the same kernel as anywhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
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
from churn_spark.events.user_ids import UserIds
from churn_spark.lakehouse.arrow_schema import arrow_schema
from churn_spark.lakehouse.schema import struct_of

_WHAT, _N, _PART = "what", "n_lines", "part_offset"
_EVENT, _REJECTED, _BYTES = "event", "rejected", "bytes"
_ACCOUNT: Final = pa.schema([(_WHAT, pa.string()), (_N, pa.int64()), (_PART, pa.int64())])
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
        T.StructField(_PART, T.LongType()),
        *struct_of(EVENTS),
        *(field for field in struct_of(QUARANTINE) if field.name not in _OF_EVENTS),
    ]
)


@dataclass(frozen=True)
class SparkBlocks:
    """What became of lines, as one frame of all kinds of rows."""

    rows: DataFrame

    @classmethod
    def of(
        cls,
        lines: DataFrame,
        config: IngestConfig,
        n_buckets: int,
        users: UserIds,
        batch: int,
        today: date,
    ) -> SparkBlocks:
        """Read lines, as `lines.read_lines` gives them."""

        def read(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            # Of each part of a file, how much of it was read: its lines come in their order.
            seen: Counter[tuple[str, int]] = Counter()
            for arrived in batches:
                columns = (column.to_pylist() for column in arrived.columns)
                rows = zip(*columns, strict=True)
                for part, group in groupby(rows, key=lambda row: (row[1], row[2])):
                    data = b"\n".join(row[0] for row in group)
                    block = read_block(data, config, n_buckets, offset=seen[part], users=users)
                    seen[part] += len(data) + 1
                    account = {**block.counts, _BYTES: len(data) + 1}
                    yield from _rows_of(block, account, part, batch, today).to_batches()

        return cls(lines.mapInArrow(read, _SPARK_OF_BOTH))

    @property
    def events(self) -> DataFrame:
        """The accepted events."""
        return self.rows.filter(F.col(_WHAT) == _EVENT).select(*EVENTS.column_names)

    def rejected(self, starts: Mapping[str, int]) -> DataFrame:
        """The rejected lines.

        Args:
            starts: file -> bytes before its first line, where there are any.
        """
        found = self.rows.filter(F.col(_WHAT) == _REJECTED)
        known = [(*part, n) for part, n in self._offsets(starts).items()]
        names = ["source_file", _PART]
        offsets = self.rows.sparkSession.createDataFrame(
            known, f"source_file string, {_PART} long, before long"
        )
        placed = found.join(F.broadcast(offsets), names).withColumn(
            "byte_offset", F.col("byte_offset") + F.col("before")
        )
        return placed.select(*QUARANTINE.column_names)

    @property
    def files_with_rejected(self) -> list[str]:
        """Files with a rejected line: at most those of the batch."""
        rows = self.rows.filter(F.col(_WHAT) == _REJECTED).select("source_file").distinct()
        return [row.source_file for row in rows.collect()]

    def count_lines(self) -> Mapping[str, int]:
        """What became of the lines -> how many."""
        counted = self.rows.filter(F.col(_N).isNotNull() & (F.col(_WHAT) != _BYTES))
        rows = counted.groupBy(_WHAT).agg(F.sum(_N).alias(_N)).collect()
        return {row[_WHAT]: int(row[_N]) for row in rows}

    def _offsets(self, starts: Mapping[str, int]) -> Mapping[tuple[str, int], int]:
        """File and part -> bytes before the first line of the part.

        A row a part of a file comes to the driver.
        """
        counted = self.rows.filter(F.col(_WHAT) == _BYTES)
        parts = counted.groupBy("source_file", _PART).agg(F.sum(_N).alias(_N)).collect()
        before = Counter(starts)
        offsets = {}
        for row in sorted(parts):
            offsets[row.source_file, row[_PART]] = before[row.source_file]
            before[row.source_file] += row[_N]
        return offsets


def _rows_of(
    block: Block, account: Mapping[str, int], part: tuple[str, int], batch: int, today: date
) -> pa.Table:
    delivery = {
        "source_file": pl.lit(_listed_path(part[0])),
        _PART: pl.lit(part[1], pl.Int64()),
        "ingest_batch": pl.lit(batch, pl.Int64()),
        "rejected_date": pl.lit(today),
    }
    rows = pl.concat(
        [
            block.events.with_columns(pl.lit(_EVENT).alias(_WHAT), **delivery),
            block.rejected.with_columns(pl.lit(_REJECTED).alias(_WHAT), **delivery),
            pl.DataFrame({_WHAT: account.keys(), _N: account.values()}).with_columns(**delivery),
        ],
        how="diagonal",
    )
    return rows.select(_OF_BOTH.names).to_arrow().cast(_OF_BOTH)


def _listed_path(uri: str) -> str:
    """The path of a file as it is listed, out of Spark's URI of it."""
    path = unquote(uri)
    return "file:/" + path.removeprefix("file:///") if path.startswith("file:///") else path
