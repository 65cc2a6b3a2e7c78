"""Files beside the tables that may hold users: exports, copies of logs, pages of notebooks.

Rows are known by a field `user_id` or `userId`, so an id that is also a count of something is never
taken for a user's. Those of lines and cells are found as the ingest reads them.
"""

from __future__ import annotations

import gzip
import html
import io
import re
import zlib
from collections.abc import Callable, Collection, Iterable
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from churn_spark.contracts.tables import TABLES
from churn_spark.events.foreign.kinds import CELLS
from churn_spark.events.foreign.plain_columns import plain_columns
from churn_spark.lakehouse.half_written import is_half_written
from churn_spark.lakehouse.lock_tenure import LOCK_FOLDER
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.stores.user_lines import FIELDS, without_lines, without_rows

TABLES_WITH_USERS: Final = tuple(spec for spec in TABLES if "user_id" in spec.column_names)
Ids = Collection[str]
_Cleaner = Callable[[bytes, frozenset[str]], bytes | None]
_LOGS: Final = (".json", ".jsonl", ".ndjson")
_LOG: Final = "/_delta_log/"
_OWN: Final = frozenset(spec.path for spec in TABLES)
_PAGES_WITHOUT_IDS: Final = frozenset({"reports/evaluation.html", "reports/monitoring.html"})


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


def delete_unfinished(lakehouse: Lakehouse) -> None:
    """Delete what killed jobs have left unfinished: nobody else will ever look at it.

    That is half-written files, and data files of tables whose first commit never came.
    """
    unmade = tuple(f"{spec.path}/" for spec in TABLES_WITH_USERS if not lakehouse.exists(spec))
    for path in [*lakehouse.files.walk()]:
        # Whoever waits for the lock writes beside it meanwhile.
        is_left = is_half_written(path) and not path.startswith(f"{LOCK_FOLDER}/")
        if is_left or path.startswith(unmade):
            lakehouse.files.delete(path)


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


def _cleaner_of(path: str) -> _Cleaner | None:
    bare = path.removesuffix(".gz")
    for endings, clean in ((_LOGS, without_lines), (CELLS, without_rows)):
        if bare.endswith(endings):
            return clean if bare == path else _unpacked(clean)
    if path.endswith(".parquet"):
        return _clean_parquet
    is_page = path.endswith(".html") and path not in _PAGES_WITHOUT_IDS
    return _clean_page if is_page else None


def _unpacked(clean: Callable[[bytes, frozenset[str]], bytes]) -> _Cleaner:
    """The cleaner of the same kind of file packed by gzip."""

    def clean_packed(content: bytes, user_ids: frozenset[str]) -> bytes:
        try:
            unpacked = gzip.decompress(content)
        except (EOFError, OSError, zlib.error):
            return content
        cleaned = clean(unpacked, user_ids)
        return content if cleaned == unpacked else gzip.compress(cleaned)

    return clean_packed


def _clean_parquet(content: bytes, user_ids: frozenset[str]) -> bytes:
    try:
        schema = pq.read_schema(pa.BufferReader(content))
    except pa.ArrowException:
        return content
    names = [name for name in FIELDS if name in schema.names]
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
