"""What a file beside the log says of users, as it was known at each of their events.

Plain Python and pyarrow: the service reads it too, and has none of the libraries of the ingest.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from churn_spark.config.mapping import ProfileFile
from churn_spark.errors import InputError
from churn_spark.events.foreign.csv_rows import guess_separator
from churn_spark.events.foreign.kinds import kind_of_name
from churn_spark.events.foreign.numbers import whole_of_cell
from churn_spark.events.foreign.plain_columns import plain_columns
from churn_spark.events.values import parse_json, word_of

FIELDS: Final[Mapping[str, str]] = {
    "registration": "registration",
    "gender": "gender",
    "level": "level",
    "location": "location",
    "subscribed_until": "subscribedUntil",
}
"""Field of the profile -> the field of our records that it fills."""
_Fields = Mapping[str, object]


class Profiles:
    """The rows of each user, in the order of the moments from which on they hold."""

    def __init__(self, rows: Mapping[str, Sequence[tuple[float, _Fields]]]) -> None:
        self._begins = {user: [begin for begin, _ in some] for user, some in rows.items()}
        self._rows = {user: [fields for _, fields in some] for user, some in rows.items()}

    def known(self, user: str, millis: object) -> _Fields:
        """What was known of a user at a moment; nothing where there is no row from before.

        Args:
            user: without white space around it.
            millis: of the event; one that can't be read tells no moment.
        """
        user = whole_of_cell(user)
        begins = self._begins.get(user)
        if begins is None or isinstance(millis, bool) or not isinstance(millis, int | float):
            return {}
        place = bisect_right(begins, millis) - 1
        return self._rows[user][place] if place >= 0 else {}


def order_rows(profile: ProfileFile, records: Sequence[Mapping[str, Any]]) -> Profiles:
    """The rows of a profile.

    Args:
        profile: which columns are what.
        records: ours, made of the file's rows: `userId`, `ts` (from when on) and `FIELDS`; those
            of nobody are left out.

    Raises:
        InputError: if a row doesn't say from when on it holds, two of a user hold from the same
            moment on, or none is of a user.
    """
    rows: dict[str, list[tuple[float, int, _Fields]]] = {}
    for number, record in enumerate(records, 1):
        # A text in JSON or Parquet may be 7.0, too, and is the row's whatever file says it so.
        user = whole_of_cell(str(word_of(record["userId"])))
        if not user:
            continue
        begin = float("-inf") if profile.since is None else record["ts"]
        if isinstance(begin, bool) or not isinstance(begin, int | float):
            raise InputError(
                f"row {number:,} of {profile.file} holds from {begin!r} on, expected a time as "
                "the mapping's profile.since says: mend the row, or the unit"
            )
        fields = {name: record[name] for name in FIELDS.values() if name in record}
        rows.setdefault(user, []).append((float(begin), number, fields))
    if not rows:
        raise InputError(
            f"found no user in any row of {profile.file}, expected ids in "
            f"{' or '.join(profile.user.column)}, as the mapping's profile.user says"
        )
    for some in rows.values():
        some.sort(key=lambda row: row[0])
        _check_moments(profile, some)
    return Profiles(
        {user: [(begin, fields) for begin, _, fields in some] for user, some in rows.items()}
    )


def _check_moments(profile: ProfileFile, rows: Sequence[tuple[float, int, _Fields]]) -> None:
    """The rows of a user, in order, hold from different moments on."""
    for (begin, one, _), (end, other, _) in pairwise(rows):
        if begin == end:
            expected = "one row each" if profile.since is None else "one row each for a moment"
            advice = "name profile.since if they are of different times" * (profile.since is None)
            raise InputError(
                f"found a user with two rows in {profile.file} ({one:,} and {other:,}), "
                f"expected {expected}" + (f": {advice}" if advice else "")
            )


def find_stamp(profile: ProfileFile) -> tuple[int, int]:
    """Size and time of the file: others where it has changed.

    Raises:
        InputError: if it isn't there.
    """
    path = Path(profile.file)
    if not path.is_file():
        raise InputError(
            f"found no file {path}, expected the users' profile that the mapping names: "
            "profile.file, looked for beside the mapping"
        )
    there = path.stat()
    return there.st_size, there.st_mtime_ns


def is_file_of(profile: ProfileFile, path: str) -> bool:
    """Whether a path, as it is or as Hadoop lists it, is that of the profile: it is no log then."""
    return os.path.realpath(path.removeprefix("file:")) == os.path.realpath(profile.file)


def read_rows(profile: ProfileFile) -> Sequence[Mapping[str, Any]]:
    """The rows of the file, in its own words; cells without a text are None.

    Raises:
        InputError: if it can't be read, or has none.
    """
    try:
        rows = [*_READERS[kind_of_name(profile.file)](Path(profile.file))]
    except (OSError, EOFError, ValueError, RecursionError, csv.Error, pa.ArrowException) as error:
        raise InputError(
            f"{profile.file} can't be read: {error}; expected users as CSV, JSON or Parquet"
        ) from error
    if not rows:
        raise InputError(f"found no row in {profile.file}, expected users: CSV, JSON or Parquet")
    return rows


def _open(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _read_cells(path: Path) -> Iterator[Mapping[str, Any]]:
    with _open(path) as source:
        first = source.readline()
        source.seek(0)
        rows = csv.DictReader(source, delimiter=guess_separator(first), strict=True)
        rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
        for number, row in enumerate(rows, 1):
            if None in row or None in row.values():
                raise ValueError(f"row {number:,} has another number of cells than the first line")
            yield {name: whole_of_cell(cell) or None for name, cell in row.items()}


def _read_json(path: Path) -> Iterator[Mapping[str, Any]]:
    with _open(path) as source:
        text = source.read()
    # `splitlines` would cut at marks that a text in JSON may have, such as U+2028.
    lines = filter(str.strip, re.split("[\r\n]", text))
    found = parse_json(text.strip()) if text.lstrip().startswith("[") else map(parse_json, lines)
    for number, row in enumerate(found, 1):
        if not isinstance(row, dict):
            raise ValueError(f"row {number:,} is no JSON object")
        yield row


def _read_parquet(path: Path) -> Iterator[Mapping[str, Any]]:
    for row in plain_columns(pq.read_table(path, coerce_int96_timestamp_unit="us")).to_pylist():
        # An instant or a date is a text in the other kinds of files.
        yield {name: str(one) if isinstance(one, date) else one for name, one in row.items()}


_READERS: Final[Mapping[str, Callable[[Path], Iterator[Mapping[str, Any]]]]] = {
    "csv": _read_cells,
    "lines": _read_json,
    "parquet": _read_parquet,
}
