"""Contacts: files of them, what the service has been sent, and the table `contacts`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

from pydantic import ValidationError

from churn_spark.contracts.contact import INBOX, Contact
from churn_spark.contracts.tables import CONTACTS, REJECTED_CONTACTS, RETENTION_LISTS
from churn_spark.errors import InputError
from churn_spark.events.user_ids import UserIds
from churn_spark.hashing import text_hash
from churn_spark.lakehouse.tables import Lakehouse

_REQUIRED: Final = frozenset(
    name for name, field in Contact.model_fields.items() if field.is_required()
)
_KNOWN: Final = frozenset(Contact.model_fields)
_ENDING: Final = ".jsonl"
Row = TypeVar("Row")


@dataclass(frozen=True)
class Batch:
    """What one source has brought.

    Attributes:
        source: names the file, or the service's batch; what was rejected of it before is replaced.
        contacts: row -> the contact, from 1.
        rejected: row -> why it is none.
    """

    source: str
    contacts: Mapping[int, Contact]
    rejected: Mapping[int, str]


def read_contacts_file(file: Path) -> Batch:
    """The rows of a CSV file on this machine.

    Raises:
        InputError: if it can't be read, or isn't one of contacts.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(
            f"the contacts can't be read from {file}: {error.strerror}; expected a CSV file"
        ) from error
    return replace(parse_contacts(content, file.name), source=name_source(file))


def name_source(file: Path) -> str:
    """`2026-03-02/contacts.csv (1f3a9c2e)`: folder, name, and of the whole path a hash.

    Files of one name in dated folders are several. The path itself may be too long: the source is
    part of a folder's name in the table.
    """
    path = file.resolve()
    return f"{path.parent.name}/{path.name} ({text_hash(str(path))[:8]})"


def parse_contacts(content: bytes, source: str) -> Batch:
    """The rows of a CSV file.

    Raises:
        InputError: if it isn't CSV in UTF-8, or its columns aren't those of a contact.
    """
    try:
        # Spreadsheets begin a CSV with a byte order mark.
        text = content.decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        lines = [line for line in reader if any(cell.strip() for cell in line)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"the contacts {source} can't be read: {error}; expected CSV in UTF-8"
        ) from error
    header = [name.strip() for name in lines[0]] if lines else []
    if not _KNOWN >= {*header} >= _REQUIRED or len({*header}) < len(header):
        raise InputError(
            f"the contacts {source} have the columns {', '.join(header) or 'none'}; expected "
            f"{', '.join(Contact.model_fields)}, of which offer and cost may be missing"
        )
    wrong = {
        number: f"has {len(line)} cells, not {len(header)}"
        for number, line in enumerate(lines[1:], 1)
        if len(line) != len(header)
    }
    filled = {
        number: {name: cell for name, cell in zip(header, line, strict=True) if cell.strip()}
        for number, line in enumerate(lines[1:], 1)
        if number not in wrong
    }
    batch = _validate(source, filled, Contact.model_validate)
    return Batch(source, batch.contacts, {**wrong, **batch.rejected})


def _validate(source: str, rows: Mapping[int, Row], read: Callable[[Row], Contact]) -> Batch:
    contacts, rejected = {}, {}
    for number, row in rows.items():
        try:
            contacts[number] = read(row)
        except ValidationError as error:
            rejected[number] = describe_problems(error)
    return Batch(source, contacts, rejected)


def describe_problems(error: ValidationError) -> str:
    """The fields that don't fit and why, without their values: these may name a user."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'row'}: {_plain(one['type'], one['msg'])}"
        for one in found
    )


def _plain(kind: str, message: str) -> str:
    """What was expected; where a message of our own quotes what was found, only that."""
    if kind != "value_error":
        return message
    return message.removeprefix("Value error, ").rpartition("expected ")[2].join(("expected ", ""))


def read_inbox(lakehouse: Lakehouse) -> list[Batch]:
    """What the service has been sent since the last merge, the oldest first."""
    batches = []
    for name in lakehouse.files.names(INBOX):
        is_whole = name.endswith(_ENDING) and not name.startswith(".")
        content = lakehouse.files.read(f"{INBOX}/{name}") if is_whole else None
        if content is not None:
            lines = dict(enumerate(content.splitlines(), 1))
            batches.append(_validate(name, lines, Contact.model_validate_json))
    return batches


def forget_inbox(lakehouse: Lakehouse, batches: Iterable[Batch]) -> None:
    """Delete what has been merged; what has come since stays."""
    for batch in batches:
        lakehouse.files.delete(f"{INBOX}/{batch.source}")


def are_contacted(lakehouse: Lakehouse, first: date, end: date) -> bool:
    """Whether users of lists from a date on, up to before another one, were contacted."""
    return any(first <= day < end for day in lakehouse.partition_values(CONTACTS, "list_date"))


def merge_contacts(lakehouse: Lakehouse, batches: Sequence[Batch], users: UserIds) -> list[Batch]:
    """Bring contacts into the table, in one commit; the last one of a name counts.

    One whose user was on no list of its date is rejected: it is mistyped, or of a user who has
    been erased. A user may be named by the pseudonym that the list shows, or as the logs do.

    Returns:
        The batches as they were merged, each with all its rejected rows.
    """
    dates = sorted({one.list_date for batch in batches for one in batch.contacts.values()})
    lists = lakehouse.read_rows(RETENTION_LISTS, {"as_of": dates}, ["as_of", "user_id"])
    on_lists = {*lists.itertuples(index=False, name=None)}
    merged = [_settle(batch, on_lists, users) for batch in batches]
    rows = {
        _name_of(row): row
        for row in lakehouse.read_rows(CONTACTS, {"list_date": dates}).itertuples(
            index=False, name=None
        )
    }
    new = {_name_of(row): row for batch in merged for row in map(_row_of, batch.contacts.values())}
    if new:
        days = sorted({one.list_date for batch in merged for one in batch.contacts.values()})
        kept = [row for row in (rows | new).values() if row[0] in days]
        lakehouse.replace_rows(kept, CONTACTS, {"list_date": days})
    _keep_rejected(lakehouse, merged)
    return merged


def _settle(batch: Batch, on_lists: set[tuple[date, str]], users: UserIds) -> Batch:
    """The batch with the ids of the tables, without contacts of users who were on no list."""
    contacts, rejected = {}, dict(batch.rejected)
    for number, one in batch.contacts.items():
        known = [
            i for i in (one.user_id, users.stored(one.user_id)) if (one.list_date, i) in on_lists
        ]
        if known:
            contacts[number] = one.model_copy(update={"user_id": known[0]})
        else:
            rejected[number] = f"user_id: not on the list of {one.list_date}"
    return Batch(batch.source, contacts, rejected)


def _keep_rejected(lakehouse: Lakehouse, batches: Sequence[Batch]) -> None:
    sources = [batch.source for batch in batches]
    rows = [
        (batch.source, number, reason)
        for batch in batches
        for number, reason in sorted(batch.rejected.items())
    ]
    if rows or lakehouse.count_rows(REJECTED_CONTACTS, {"source": sources}):
        lakehouse.replace_rows(rows, REJECTED_CONTACTS, {"source": sources})


def _row_of(one: Contact) -> tuple[object, ...]:
    instant = one.time.replace(tzinfo=None)
    return one.list_date, one.user_id, instant, one.channel, one.offer, one.cost, one.outcome


def _name_of(row: tuple[object, ...]) -> tuple[object, ...]:
    """Date, user, time and channel."""
    return row[:4]
