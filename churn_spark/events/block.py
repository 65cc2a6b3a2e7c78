"""A block of lines -> its events, the lines that are none, and an account of both.

The one place where lines become events, whoever reads them: bytes in, frames out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from churn_spark.config import IngestConfig
from churn_spark.events.clean import IS_ANONYMOUS, REASON, build_events, classify_records
from churn_spark.events.parse import LINE, Lines, parse_block
from churn_spark.events.rules import REASONS

COUNTED: Final = ("read", "accepted", "anonymous", *REASONS)
"""What is counted of a block's lines that aren't blank."""

_REJECTED_SCHEMA: Final = {
    "raw": pl.String(),
    "reason": pl.String(),
    "line_bytes": pl.Int64(),
}


@dataclass(frozen=True)
class Block:
    """What became of a block of lines.

    Attributes:
        events: columns of `EVENTS`, but where they were delivered; one row per accepted line.
        rejected: the same of `QUARANTINE`; one row per rejected line.
        counts: each of `COUNTED` -> lines; `read` is the sum of the others.
    """

    events: pl.DataFrame
    rejected: pl.DataFrame
    counts: Mapping[str, int]


def read_block(data: bytes, config: IngestConfig, n_buckets: int, n_cut: int = 0) -> Block:
    """Read whole lines.

    Args:
        data: lines that end with LF, CRLF or CR; without a byte-order mark.
        config: what counts as an event.
        n_buckets: into which the events are cut by their user.
        n_cut: bytes that the last line has beyond these; it is too long then.
    """
    parsed = parse_block(data, config.max_line_bytes)
    classified = classify_records(parsed.records, config)
    events = build_events(classified, n_buckets)
    refused = classified.filter(pl.col(REASON).is_not_null())
    reasons = dict(zip(refused[LINE].to_list(), refused[REASON].to_list(), strict=True))
    reasons |= parsed.problems
    rejected = _build_rejected(parsed.lines, reasons, config.quarantined_chars, n_cut)
    counts = dict.fromkeys(COUNTED, 0)
    for reason in reasons.values():
        counts[reason] += 1
    counts["read"] = classified.height + len(parsed.problems)
    counts["accepted"] = events.height
    counts["anonymous"] = int(classified[IS_ANONYMOUS].sum())
    return Block(events, rejected, counts)


def _build_rejected(
    lines: Lines, reasons: Mapping[int, str], max_chars: int, n_cut: int
) -> pl.DataFrame:
    rows = [
        (_cut(lines.each[number], max_chars), reason, len(lines.each[number]))
        for number, reason in sorted(reasons.items())
    ]
    if n_cut:
        raw, reason, n_bytes = rows[-1]
        rows[-1] = raw, reason, n_bytes + n_cut
    return pl.DataFrame(rows, schema=_REJECTED_SCHEMA, orient="row")


def _cut(line: bytes, max_chars: int) -> str:
    """The line's first characters; a byte that is no UTF-8 stands as its number."""
    return line[: 4 * max_chars].decode(errors="backslashreplace")[:max_chars]
