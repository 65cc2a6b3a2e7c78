"""Queries that many people ask: files of SQL, which begin with what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from churn_spark.errors import QueryError

_FOLDER: Final = Path(__file__).parent
_MARK: Final = "-- "


@dataclass(frozen=True)
class SavedQuery:
    """A query under a name.

    Attributes:
        name: of its file.
        about: what it answers, in a sentence.
        sql: of one statement.
    """

    name: str
    about: str
    sql: str


def list_saved() -> list[SavedQuery]:
    """All of them, by name."""
    return [_read(path) for path in sorted(_FOLDER.glob("*.sql"))]


def find_saved(name: str) -> SavedQuery:
    """The query of a name.

    Raises:
        QueryError: if there is none.
    """
    known = {query.name: query for query in list_saved()}
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1)
    meant = f" (did you mean {close[0]}?)" if close else ""
    raise QueryError(
        f"found no saved query {name!r}{meant}, expected one of {', '.join(known)}: "
        "--saved alone says what each answers"
    )


def _read(path: Path) -> SavedQuery:
    lines = path.read_text(encoding="utf-8").splitlines()
    n_about = next(n for n, line in enumerate(lines) if not line.startswith(_MARK))
    about = " ".join(line.removeprefix(_MARK) for line in lines[:n_about])
    return SavedQuery(path.stem, about, "\n".join(lines[n_about:]).strip())
