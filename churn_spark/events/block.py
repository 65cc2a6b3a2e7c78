"""A block of lines -> its events, the lines that are none, and an account of both.

The one place where lines become events, whoever reads them: bytes in, frames out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import polars as pl
from xxhash import xxh64_intdigest

from churn_spark.config import IngestConfig
from churn_spark.events.clean import (
    IS_ANONYMOUS,
    REASON,
    build_events,
    classify_records,
    may_be_misspelt,
)
from churn_spark.events.contents import describe_contents
from churn_spark.events.foreign.block import Translated, translate_lines
from churn_spark.events.foreign.csv_rows import CsvRows
from churn_spark.events.foreign.record import cut_marker
from churn_spark.events.line import parse_line
from churn_spark.events.parse import LINE, Lines, parse_block
from churn_spark.events.rules import HASH_SEED, MISSPELT_KEY, REASONS
from churn_spark.events.user_ids import AS_THEY_ARE, UserIds
from churn_spark.events.values import other_spellings

COUNTED: Final = ("read", "accepted", "anonymous", "erased", *REASONS)
"""What is counted of a block's lines that aren't blank."""

_REJECTED_SCHEMA: Final = {
    "byte_offset": pl.Int64(),
    "line_bytes": pl.Int64(),
    "line_hash": pl.Int64(),
    "reason": pl.String(),
    "contents": pl.String(),
}
_MAX_CONTENTS: Final = 500
_LEAST_HASHED: Final = 200


@dataclass(frozen=True)
class Block:
    """What became of a block of lines.

    Attributes:
        events: columns of `EVENTS`, but where they were delivered; one row per accepted line.
        rejected: the same of `QUARANTINE`; one row per rejected line, in their order.
        counts: each of `COUNTED` -> lines; `read` is the sum of the others.
    """

    events: pl.DataFrame
    rejected: pl.DataFrame
    counts: Mapping[str, int]


def read_block(
    data: bytes,
    config: IngestConfig,
    n_buckets: int,
    n_cut: int = 0,
    offset: int = 0,
    users: UserIds = AS_THEY_ARE,
    rows: CsvRows | None = None,
) -> Block:
    """Read whole lines.

    Args:
        data: lines that end with LF, CRLF or CR; without a byte-order mark.
        config: what counts as an event.
        n_buckets: into which the events are cut by their user.
        n_cut: bytes that the last line has beyond these; it is too long then.
        offset: bytes of the file before these.
        users: under which ids they are kept, and who is left out.
        rows: how lines of cells are read; none where they are JSON.
    """
    lines = Lines.of(data)
    ours = _translate(lines, config, rows)
    parsed = parse_block(ours.lines.data, config.max_line_bytes)
    found = _find_misspelt(classify_records(parsed.records, config), parsed.lines)
    classified = users.screen(found)
    events = _mark_uncut(build_events(classified, n_buckets), config)
    refused = classified.filter(pl.col(REASON).is_not_null())
    reasons = dict(zip(refused[LINE].to_list(), refused[REASON].to_list(), strict=True))
    reasons |= {**parsed.problems, **ours.problems}
    rejected = _build_rejected(lines, ours.lines, reasons, config.max_line_bytes, offset, n_cut)
    counts = dict.fromkeys(COUNTED, 0)
    for reason in reasons.values():
        counts[reason] += 1
    counts["read"] = found.height + len(parsed.problems) + len(ours.problems)
    counts["erased"] = found.height - classified.height
    counts["accepted"] = events.height
    counts["anonymous"] = int(classified[IS_ANONYMOUS].sum())
    return Block(events, rejected, counts)


def _translate(lines: Lines, config: IngestConfig, rows: CsvRows | None) -> Translated:
    """The lines in our words; as they are where they need no mapping."""
    if config.mapping is None:
        return Translated(lines)
    return translate_lines(lines, config.mapping, config.max_line_bytes, rows)


def _mark_uncut(events: pl.DataFrame, config: IngestConfig) -> pl.DataFrame:
    """The events; those of a log without sessions have the silence that parts visits."""
    marker = cut_marker(config.mapping.session) if config.mapping else None
    if marker is None:
        return events
    return events.with_columns(session_id=pl.lit(marker, pl.Int64))


def _find_misspelt(classified: pl.DataFrame, lines: Lines) -> pl.DataFrame:
    """The classified records; rejected are those too whose needed field has another spelling."""
    doubtful = classified.filter(may_be_misspelt())[LINE].to_list()
    found = [number for number in doubtful if _is_misspelt(lines.each[number])]
    if not found:
        return classified
    is_found = pl.col(LINE).is_in(found)
    return classified.with_columns(
        pl.when(is_found).then(pl.lit(MISSPELT_KEY)).otherwise(pl.col(REASON)).alias(REASON),
        pl.col(IS_ANONYMOUS) & ~is_found,
    )


def _is_misspelt(line: bytes) -> bool:
    try:
        record = parse_line(line)
    except ValueError:
        return False
    return isinstance(record, dict) and bool(other_spellings(record))


def _build_rejected(
    lines: Lines,
    ours: Lines,
    reasons: Mapping[int, str],
    max_line_bytes: int,
    offset: int,
    n_cut: int,
) -> pl.DataFrame:
    """What is kept of rejected lines: where they are and why, none of their values.

    Args:
        lines: as they are in the file.
        ours: as the kernel reads them.
        reasons: number of a line -> why it is rejected.
        max_line_bytes: of a longer line each reader has at least this.
        offset: bytes of the file before these.
        n_cut: bytes that the last line has beyond these.
    """
    if not reasons:
        return pl.DataFrame(schema=_REJECTED_SCHEMA)
    starts = list(accumulate((len(line) + 1 for line in lines.each), initial=offset))
    rows = []
    for number, reason in sorted(reasons.items()):
        line = lines.each[number][:max_line_bytes]
        read = ours.each[number][:max_line_bytes] or line
        contents = describe_contents(read, reason)[:_MAX_CONTENTS]
        n_bytes = len(lines.each[number])
        rows.append((starts[number], n_bytes, hash_line(line), reason, contents))
    rejected = pl.DataFrame(rows, schema=_REJECTED_SCHEMA, orient="row")
    if n_cut:
        is_last = pl.int_range(pl.len()) == pl.len() - 1
        return rejected.with_columns(pl.col("line_bytes") + n_cut * is_last)
    return rejected


def hash_line(line: bytes) -> int | None:
    """What tells whether a line is still the same; none of one so short that it could be guessed.

    Of a record that was printed over many lines, each has one value.
    """
    if len(line) < _LEAST_HASHED:
        return None
    hashed = xxh64_intdigest(line, HASH_SEED)
    return hashed - 2**64 if hashed >= 2**63 else hashed
