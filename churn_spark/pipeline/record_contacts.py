"""A file of contacts, and those that the service was sent -> `contacts`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from churn_spark.contracts.tables import CONTACTS, REJECTED_CONTACTS, RETENTION_LISTS
from churn_spark.errors import InputError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.console import warn
from churn_spark.pipeline.use_case import UseCase
from churn_spark.stores.contacts import (
    Batch,
    forget_inbox,
    merge_contacts,
    read_contacts_file,
    read_inbox,
)
from churn_spark.stores.user_ids import read_user_ids
from churn_spark.wording import count_of, name_some

USE_CASE = UseCase(
    "record_contacts",
    "who of a list was contacted, when, how, with what offer, cost and outcome; a contact that "
    "comes again replaces itself",
    reads=(RETENTION_LISTS,),
    writes=(CONTACTS, REJECTED_CONTACTS),
    takes=("a CSV file", "what `POST /contacts` was sent"),
)
_NAMED: Final = 5


def run(lakehouse: Lakehouse, file: Path | None = None) -> list[Batch]:
    """Bring a file's contacts, and all that the service was sent, into the table.

    Killed anywhere, a rerun leaves the same: a contact counts once, and what the service was sent
    is deleted only after it is in the table.

    Raises:
        MissingTableError: if no list has been built yet.
        InputError: if the file can't be read, isn't one of contacts, or none of its rows fits.
        ConfigError: if users are known by pseudonyms, and the environment lacks their key.
    """
    given = [] if file is None else [read_contacts_file(file)]
    with USE_CASE.start(lakehouse) as facts:
        waiting = read_inbox(lakehouse)
        merged = merge_contacts(lakehouse, [*waiting, *given], read_user_ids(lakehouse))
        forget_inbox(lakehouse, waiting)
        n_contacts = sum(len(batch.contacts) for batch in merged)
        facts.append(count_of(n_contacts, "contact"))
        if waiting:
            facts.append(f"{count_of(len(waiting), 'batch', 'batches')} of the service among them")
        facts.append(f"{count_of(sum(len(batch.rejected) for batch in merged), 'row')} rejected")
    for batch in merged:
        _tell_rejected(batch)
    for batch in merged[len(waiting) :]:
        if batch.rejected and not batch.contacts:
            raise InputError(
                f"no row of {file} is a valid contact: what is wrong with each is said above and "
                f"in {REJECTED_CONTACTS.path}; correct the file and run again"
            )
    return merged


def run_if_any(lakehouse: Lakehouse) -> None:
    """Merge what the service was sent; where that is nothing, say nothing and write nothing."""
    if find_waiting(lakehouse):
        run(lakehouse)


def find_waiting(lakehouse: Lakehouse) -> list[Batch]:
    """What the service was sent and the next step that needs it merges: none before a list."""
    return read_inbox(lakehouse) if lakehouse.exists(RETENTION_LISTS) else []


def plan(lakehouse: Lakehouse, file: Path | None = None) -> str:
    """What would be merged, in words; nothing is.

    Raises:
        InputError: if the file can't be read, or isn't one of contacts.
    """
    given = [] if file is None else [read_contacts_file(file)]
    parts = [
        f"{count_of(sum(len(batch.contacts) for batch in batches), 'contact')} {whence}"
        for batches, whence in (
            (read_inbox(lakehouse), "that the service was sent"),
            (given, f"of {file}"),
        )
        if batches
    ]
    return " and ".join(parts) or "nothing: no contact waits"


def _tell_rejected(batch: Batch) -> None:
    if batch.rejected:
        rows = [f"row {number}: {reason}" for number, reason in sorted(batch.rejected.items())]
        warn(
            f"{batch.source}, rows counted without the header line: "
            f"{name_some(rows, _NAMED, '; ')}; rejected rows are in {REJECTED_CONTACTS.path}"
        )
