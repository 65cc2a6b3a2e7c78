"""Who is not to be contacted: a CSV or Parquet file of user_id and until, checked whole."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, datetime

import pyarrow
from pyarrow import parquet
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from churn_spark.errors import InputError
from churn_spark.timeline import parse_date
from churn_spark.wording import count_of, name_some

Row = Sequence[object]

_COLUMNS = ("user_id", "until")
_PARQUET_MAGIC = b"PAR1"
_N_SHOWN = 3


def read_suppressed(spark: SparkSession, path: str) -> list[tuple[str, date | None]]:
    """The rows of the suppression list: user_id, until; none where no path is configured.

    The files pass through the driver, which checks them whole: some 10 bytes a user.

    Args:
        spark: reads any path that Hadoop knows.
        path: a CSV or Parquet file, a folder or a glob of them; or empty.

    Raises:
        InputError: if there is no such file, or it doesn't fit; see `parse_suppressed`.
    """
    files = []
    if path:
        try:
            files = spark.read.format("binaryFile").load(path).select("path", "content").collect()
        except AnalysisException:
            files = []
        if not files:
            raise InputError(
                f"found no suppression list at {path}, expected a CSV or Parquet file: correct "
                "retention_list.suppressed, or leave it empty"
            )
    return [row for file in files for row in parse_suppressed(bytes(file.content), file.path)]


def parse_suppressed(content: bytes, name: str) -> list[tuple[str, date | None]]:
    """The rows of a suppression list: user_id, and the date until which it holds.

    `until` is the first date on which the user may be on a list again, YYYY-MM-DD; empty is for
    good. Where a user has several rows, each of them holds.

    Args:
        content: of the file; Parquet is known by its first bytes, all else is CSV in UTF-8.
        name: of the file, for the message.

    Raises:
        InputError: if it can't be read, a column is missing or not known, a user id is empty,
            or a date is none; one message names what is wrong.
    """
    try:
        header, rows = _read(content)
    except (ValueError, csv.Error, pyarrow.ArrowException) as error:
        raise InputError(
            f"the suppression list {name} can't be read: {str(error).strip()}; expected CSV in "
            "UTF-8 or Parquet with the columns user_id and until"
        ) from error
    if sorted(header) != sorted(_COLUMNS):
        raise InputError(
            f"the suppression list {name} has the columns {', '.join(header) or 'none'}; "
            "expected user_id and until, separated by a comma: rename, add or remove the others"
        )
    found: list[tuple[str, date | None]] = []
    problems: list[str] = []
    for number, row in enumerate(rows, 1):
        if len(row) != len(header):
            problems.append(f"row {number} has {count_of(len(row), 'cell')}")
            continue
        user, until = (_text(row[header.index(column)]) for column in _COLUMNS)
        if not user:
            problems.append(f"row {number} has no user_id")
        day = None
        try:
            day = parse_date(until) if until else None
        except ValueError:
            problems.append(f"row {number} has until {until!r}")
        found.append((user, day))
    if problems:
        raise InputError(
            f"the suppression list {name} doesn't fit: {name_some(problems, _N_SHOWN, '; ')}; "
            "expected a user_id, and until as YYYY-MM-DD or empty for good: mend these rows"
        )
    return found


def _read(content: bytes) -> tuple[list[str], list[Row]]:
    """Header and rows; every cell as Parquet has it, or as the text of the CSV."""
    if content.startswith(_PARQUET_MAGIC):
        table = parquet.read_table(io.BytesIO(content))
        return table.column_names, list(zip(*(c.to_pylist() for c in table.columns), strict=True))
    # Spreadsheets begin a CSV with a byte order mark.
    text = content.decode("utf-8-sig")
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    return [name.strip() for name in lines[0]] if lines else [], list(lines[1:])


def _text(value: object) -> str:
    if isinstance(value, datetime):
        value = value.date() if value.time() == datetime.min.time() else value
    return "" if value is None else str(value).strip()
