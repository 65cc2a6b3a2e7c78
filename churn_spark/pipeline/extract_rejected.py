"""Bronze `quarantine` -> the rejected lines as they are in their files, to be looked at and mended.

What they hold, names too, goes to the file that is asked for and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from pyspark.sql import functions as F

from churn_spark.contracts.tables import QUARANTINE
from churn_spark.errors import InputError
from churn_spark.events.block import hash_line
from churn_spark.lakehouse.file_places import read_places
from churn_spark.lakehouse.native_sources import is_reachable
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.console import warn
from churn_spark.pipeline.named_files import require_new_file
from churn_spark.pipeline.use_case import UseCase
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "extract_rejected",
    "rejected lines out of their files, to find what is wrong and to deliver them mended",
    reads=(QUARANTINE,),
    takes=("your files",),
    leaves=("a file of yours",),
)
_LINE_ENDS: Final = bytes.maketrans(b"\r\n", b"  ")
"""As where arrays are parted (`events.foreign.array_lines`)."""


def run(lakehouse: Lakehouse, out: Path, reason: str | None, limit: int, max_bytes: int) -> int:
    """Write rejected lines into a new file, in the order of their files; returns how many.

    A line that is another one by now, or whose file is gone, is left out with a warning.

    Args:
        lakehouse: with the quarantine.
        out: to write to.
        reason: of the lines; any where none is given.
        limit: at most so many lines.
        max_bytes: of a line that its hash is made of: `ingest.max_line_bytes`.

    Raises:
        InputError: if the file exists or can't be written, or lines were rejected, but none for
            the reason.
    """
    require_new_file(out)
    with USE_CASE.start(lakehouse) as facts:
        rows = lakehouse.read(QUARANTINE)
        chosen = rows if reason is None else rows.filter(F.col("reason") == reason)
        n_chosen = chosen.count()
        if not n_chosen:
            known = sorted(row.reason for row in rows.select("reason").distinct().collect())
            if known:
                raise InputError(
                    f"no line was rejected for {reason!r}; lines were rejected for: "
                    f"{', '.join(known)}"
                )
            facts.append(f"no line was rejected: {out} was not written")
            return 0
        ordered = chosen.orderBy("source_file", "byte_offset").limit(limit).toLocalIterator()
        n_lines = 0
        with out.open("xb") as written:
            for line in find_lines(ordered, max_bytes):
                written.write(line + b"\n")
                n_lines += 1
        facts.append(f"{count_of(n_lines, 'line')} in {out}")
        if n_chosen > limit:
            facts.append(f"{count_of(n_chosen - limit, 'more line')} left out: raise --limit")
    return n_lines


def find_lines(rows: Iterator[Any], max_bytes: int) -> Iterator[bytes]:
    """The lines of rows of the quarantine, in the order of their files and places.

    An object that was printed over many lines comes as one.
    """
    for path, of_file in groupby(rows, key=lambda row: row.source_file):
        if path.endswith(".parquet"):
            warn(f"{path} has no lines: {sum(1 for _ in of_file):,} of its rows left out")
            continue
        if not is_reachable(path):
            warn(f"{path} is where only Spark reads: {sum(1 for _ in of_file):,} lines left out")
            continue
        places = list(of_file)
        try:
            found = read_places(path, [(row.byte_offset, row.line_bytes) for row in places])
            for row, place in zip(places, found, strict=True):
                line = place.translate(_LINE_ENDS)
                if row.line_hash == hash_line(line[:max_bytes]):
                    yield line
                else:
                    warn(f"{path} has another line at byte {row.byte_offset} by now: left out")
        except OSError as error:
            warn(f"{path} can't be read: {error}")
