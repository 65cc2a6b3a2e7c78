"""What the service is sent of contacts, kept as files until a job merges them: one a batch.

A file is whole and on the disk before its sender is answered, and no file is ever changed: any
number of services and senders write at once, and nothing of theirs is lost. Its name has the time,
the sender's key of the batch and its content, so that a batch which is sent again is known.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from pyarrow.fs import FileSelector, PyFileSystem

from churn_spark.contracts.contact import INBOX, Contact
from churn_spark.errors import RequestError
from churn_spark.hashing import text_hash
from churn_spark.lakehouse.arrow_files import WritableHandler

_ENDING: Final = ".jsonl"
_LATER_S: Final = 5


class _Folder(Protocol):
    """Where files are made, whole and for good."""

    def names(self) -> Sequence[str]:
        """Of the files that are there."""

    def add(self, name: str, content: bytes) -> None:
        """Make a file."""


class ContactInbox:
    """The inbox of a lakehouse."""

    def __init__(self, lakehouse: str) -> None:
        """Nothing is read or written yet."""
        is_local = "://" not in lakehouse
        self._folder: _Folder = (
            _LocalFolder(Path(lakehouse)) if is_local else _StoreFolder(lakehouse)
        )

    def keep(self, contacts: Sequence[Contact], sender: str, batch_key: str) -> bool:
        """Keep a batch for good; returns False where it had been kept before.

        Args:
            contacts: with the ids that the tables know users by.
            sender: name of the API key: two senders may use the same batch key.
            batch_key: `Idempotency-Key` of the request; empty: the content is its own, and only
                the newest batch can be the same one: what was corrected may be set back.

        Raises:
            RequestError: if another batch came under this key, with status 409, or the file can't
                be written, with 503.
        """
        content = b"".join(one.model_dump_json().encode() + b"\n" for one in contacts)
        of_content = text_hash(content.decode())
        of_key = text_hash(f"{sender}\0{batch_key}") if batch_key else of_content
        try:
            kept = sorted(name for name in self._folder.names() if _part(name, 0))
            before = [
                name for name in (kept if batch_key else kept[-1:]) if _part(name, 1) == of_key
            ]
            if before and not any(_part(name, 2) == of_content for name in before):
                raise RequestError(
                    "found another batch under this Idempotency-Key, expected the same one: give "
                    "each batch a key of its own",
                    409,
                )
            if not before:
                self._folder.add(f"{time.time_ns():020d}-{of_key}-{of_content}{_ENDING}", content)
        except OSError as error:
            raise RequestError(
                f"the contacts can't be kept ({type(error).__name__}): send them again",
                503,
                retry_after=_LATER_S,
            ) from error
        return not before


class _LocalFolder:
    """A folder of this machine's."""

    def __init__(self, lakehouse: Path) -> None:
        self._path = lakehouse / INBOX

    def names(self) -> Sequence[str]:
        return [one.name for one in self._path.iterdir()] if self._path.is_dir() else []

    def add(self, name: str, content: bytes) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        # Hidden until it is whole; with its ending, so that an erasure finds what a crash has left.
        part = self._path / f".{name}"
        with part.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.rename(self._path / name)
        # The name is in the folder, which is written for itself.
        for folder in (self._path, self._path.parent, self._path.parent.parent):
            _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _StoreFolder:
    """A folder of object storage, where a file appears when it is complete, and is kept then."""

    def __init__(self, lakehouse: str) -> None:
        self._lakehouse, self._opened = lakehouse, None

    @property
    def _files(self) -> Any:
        # What reads the tables' files writes these: the same storages, by the same settings.
        self._opened = self._opened or PyFileSystem(WritableHandler(self._lakehouse))
        return self._opened

    def names(self) -> Sequence[str]:
        found = self._files.get_file_info(FileSelector(INBOX, allow_not_found=True))
        return [one.base_name for one in found]

    def add(self, name: str, content: bytes) -> None:
        with self._files.open_output_stream(f"{INBOX}/{name}") as file:
            file.write(content)


def _part(name: str, place: int) -> str:
    """The time, the key or the content of a file's name; empty of another file's."""
    parts = name.removesuffix(_ENDING).split("-")
    is_one = len(parts) == 3 and name.endswith(_ENDING) and not name.startswith(".")
    return parts[place] if is_one else ""
