"""Files beside the tables that may hold users: exports, copies of logs, pages of notebooks.

Rows are known by a field `user_id` or `userId`, so an id that is also a count of something is never
taken for a user's.
"""

from __future__ import annotations

import csv
import gzip
import html
import io
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churn_spark.contracts.tables import TABLES
from churn_spark.events.foreign.numbers import whole_of_cell
from churn_spark.events.foreign.plain_columns import plain_columns
from churn_spark.events.rules import WHITE_SPACE
from churn_spark.events.values import text_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.scoring.list_csv import safe_cell

Ids = Collection[str]
_FIELDS: Final = ("user_id", "userId")
_LOGS: Final = (".json", ".jsonl", ".ndjson")
_LOG: Final = "/_delta_log/"
_OWN: Final = frozenset(spec.path for spec in TABLES)
_PAGES_WITHOUT_IDS: Final = frozenset({"reports/evaluation.html", "reports/monitoring.html"})
_MARK: Final = "\ufeff"


def find_user_files(lakehouse: Lakehouse, user_ids: Ids) -> list[str]:
    """Paths of the files of the lakehouse beside its tables that hold rows of users, in order.

    Pages that a notebook has left are found if they show an id at all; the pages of the pipeline
    show none.
    """
    paths = [*lakehouse.files.walk()]
    tables = tuple(f"{one}/" for one in [*_OWN, *_tables_of(paths)])
    found = []
    for path in paths:
        if path.startswith(tables) or _cleaner_of(path) is None:
            continue
        content = lakehouse.files.read(path)
        if content is not None and without_users(path, content, user_ids) != content:
            found.append(path)
    return sorted(found)


def find_other_tables(lakehouse: Lakehouse) -> list[str]:
    """Paths of Delta tables in the lakehouse that aren't the pipeline's: these it doesn't touch."""
    return sorted(_tables_of(lakehouse.files.walk()) - _OWN)


def clean_user_files(lakehouse: Lakehouse, paths: Collection[str], user_ids: Ids) -> None:
    """Remove the rows of users from files; a page that shows one goes as a whole."""
    for path in paths:
        content = lakehouse.files.read(path)
        if content is None:
            continue
        cleaned = without_users(path, content, user_ids)
        if cleaned is None:
            lakehouse.files.delete(path)
        elif cleaned != content:
            lakehouse.files.exchange(path, cleaned)


def without_users(path: str, content: bytes, user_ids: Ids) -> bytes | None:
    """The content of a file without the rows of users; none where it is to go as a whole.

    What is no file of a kind that is known, or is damaged, stays as it is.

    Args:
        path: below the lakehouse; its ending tells the kind.
        content: of the file.
        user_ids: of the users, as they may be written there.
    """
    cleaner = _cleaner_of(path)
    return content if cleaner is None else cleaner(content, frozenset(user_ids))


def _tables_of(paths: Iterable[str]) -> set[str]:
    return {path.partition(_LOG)[0] for path in paths if _LOG in path}


def _cleaner_of(path: str) -> Callable[[bytes, frozenset[str]], bytes | None] | None:
    if path.removesuffix(".gz").endswith(_LOGS):
        return _clean_packed_log if path.endswith(".gz") else _clean_log
    if path.endswith(".csv"):
        return _clean_csv
    if path.endswith(".parquet"):
        return _clean_parquet
    is_page = path.endswith(".html") and path not in _PAGES_WITHOUT_IDS
    return _clean_page if is_page else None


def _clean_log(content: bytes, user_ids: frozenset[str]) -> bytes:
    lines = content.splitlines(keepends=True)
    kept = [line for line in lines if not _is_of(line, user_ids)]
    return content if len(kept) == len(lines) else b"".join(kept)


def _clean_packed_log(content: bytes, user_ids: frozenset[str]) -> bytes:
    try:
        unpacked = gzip.decompress(content)
    except (EOFError, OSError):
        return content
    cleaned = _clean_log(unpacked, user_ids)
    return content if cleaned == unpacked else gzip.compress(cleaned)


def _is_of(line: bytes, user_ids: frozenset[str]) -> bool:
    """Whether a line is a user's record, or a broken one that says so."""
    try:
        found: Any = orjson.loads(line)
    except ValueError:
        return any(_names(line, one) for one in user_ids)
    return isinstance(found, dict) and any(_id_of(found.get(name)) in user_ids for name in _FIELDS)


def _id_of(value: object) -> str | None:
    try:
        text = text_of("userId", value)
    except TypeError:
        return None
    return None if text is None else text.strip(WHITE_SPACE)


def _names(line: bytes, user_id: str) -> bool:
    pattern = rf'"user_?id"\s*:\s*"?\s*{re.escape(user_id)}(?![\w.])'
    return bool(re.search(pattern.encode(), line, re.IGNORECASE))


def _clean_csv(content: bytes, user_ids: frozenset[str]) -> bytes:
    shown = user_ids.union(map(safe_cell, user_ids))
    try:
        text = content.decode()
        # The ingest takes 7.0 for 7.
        kept = [
            row
            for row, cell in _csv_rows(text)
            if cell is None or shown.isdisjoint((cell, whole_of_cell(cell)))
        ]
    except (UnicodeDecodeError, csv.Error):
        return content
    cleaned = "".join(kept)
    return content if cleaned == text.removeprefix(_MARK) else cleaned.encode()


def _csv_rows(text: str) -> Iterator[tuple[str, str | None]]:
    """Each row as it is written, and what it shows as the user."""
    lines = [*io.StringIO(text.removeprefix(_MARK), newline="")]
    reader, start, place = csv.reader(lines), 0, None
    for number, cells in enumerate(reader):
        row, start = "".join(lines[start : reader.line_num]), reader.line_num
        if number == 0:
            place = next((cells.index(name) for name in _FIELDS if name in cells), None)
            yield row, None
        else:
            yield row, cells[place].strip() if place is not None and place < len(cells) else None


def _clean_parquet(content: bytes, user_ids: frozenset[str]) -> bytes:
    try:
        schema = pq.read_schema(pa.BufferReader(content))
    except pa.ArrowException:
        return content
    names = [name for name in _FIELDS if name in schema.names]
    if not names:
        return content
    rows = pq.read_table(pa.BufferReader(content))
    ids = plain_columns(rows.select(names[:1]))[0].cast(pa.string())
    is_of = pc.is_in(ids, value_set=pa.array(sorted(user_ids), pa.string()))
    if not pc.any(is_of).as_py():
        return content
    kept = rows.filter(pc.invert(is_of))
    for place, field in enumerate(kept.schema):
        if pa.types.is_dictionary(field.type):
            # Its values are all still there, those of the rows that went among them.
            shared = kept[field.name].cast(field.type.value_type).dictionary_encode()
            kept = kept.set_column(place, field.name, shared)
    written = io.BytesIO()
    pq.write_table(kept, written)
    return written.getvalue()


def _clean_page(content: bytes, user_ids: frozenset[str]) -> bytes | None:
    text = content.decode(errors="replace")
    shows = any(re.search(rf"(?<!\w){re.escape(html.escape(one))}(?!\w)", text) for one in user_ids)
    return None if shows else content
