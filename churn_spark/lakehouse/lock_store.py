"""Where the lock's small files are: each is made once, whoever else tries at the same moment."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final, Protocol

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import LocalStore, ObjectStore, from_url
from pyspark.sql import SparkSession

from churn_spark.errors import LockStoreError
from churn_spark.lakehouse.files import Files
from churn_spark.lakehouse.location import (
    OBJECT_STORES,
    qualify,
    require_writable,
)

_RENAMES_ATOMICALLY: Final = frozenset({"hdfs", "viewfs", "ofs", "o3fs"})
"""File systems of Hadoop whose rename refuses a name that is taken, in one operation."""


class ReadableLocks(Protocol):
    """What it takes to see who holds the lock."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; none where there is no such file."""

    def names(self, folder: str) -> list[str]:
        """The files that are in a folder now, sorted; none where it is missing."""


class LockStore(ReadableLocks, Protocol):
    """What the storage must offer: above all to make a file only where there is none."""

    def create(self, path: str, content: bytes) -> bool:
        """Make a file, whole from the first moment; returns False where there is one already."""

    def exchange(self, path: str, content: bytes) -> None:
        """Write a file over; readers see the old content whole, or the new one."""

    def delete(self, path: str) -> None:
        """Delete a file; nothing happens if it is missing."""


@dataclass(frozen=True)
class ConditionalStore:
    """A local folder, by hard links, or an object store, by conditional puts."""

    store: ObjectStore

    def create(self, path: str, content: bytes) -> bool:
        """Make a file, whole from the first moment; returns False where there is one already."""
        try:
            obstore.put(self.store, path, content, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def exchange(self, path: str, content: bytes) -> None:
        """Write a file over; readers see the old content whole, or the new one."""
        obstore.put(self.store, path, content)

    def read(self, path: str) -> bytes | None:
        """The content of a file; none where there is no such file."""
        try:
            return bytes(obstore.get(self.store, path).bytes())
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The files that are in a folder now, sorted."""
        found = obstore.list_with_delimiter(self.store, folder)["objects"]
        return sorted(one["path"].rpartition("/")[2] for one in found)

    def delete(self, path: str) -> None:
        """Delete a file; nothing happens if it is missing."""
        try:
            obstore.delete(self.store, path)
        except FileNotFoundError:
            return


def open_lock_store(spark: SparkSession, root: str) -> LockStore:
    """The storage of a lakehouse.

    Raises:
        LockStoreError: if it can't tell two writers apart, or isn't known to.
        MachineError: if a local folder can't be written to.
    """
    place = qualify(spark, root.rstrip("/"))
    scheme, _, path = place.partition(":")
    if scheme == "file":
        folder = "/" + path.lstrip("/")
        require_writable(folder)
        return ConditionalStore(LocalStore(folder, mkdir=True))
    if scheme in OBJECT_STORES:
        # Keys and end point are in the environment, as for the tables.
        store = ConditionalStore(from_url(place))
        require_safe(store, place)
        return store
    if scheme in _RENAMES_ATOMICALLY:
        # The lock itself is written by who has none.
        return Files(spark, root, before_write=lambda: None)
    raise _unsafe(place, f"{scheme}:// isn't known to make a file only where there is none")


def require_safe(store: LockStore, root: str) -> None:
    """Try once whether the storage refuses to make a file that is there.

    Raises:
        LockStoreError: if it doesn't: an object store that doesn't look at the condition of a put.
    """
    path = f"_lock/trial-{uuid.uuid4().hex}"
    store.exchange(path, b"")
    is_made_twice = store.create(path, b"")
    store.delete(path)
    if is_made_twice:
        raise _unsafe(root, "it has made a file that was there already")


def _unsafe(root: str, found: str) -> LockStoreError:
    return LockStoreError(
        f"{root} can't hold a lock, so two jobs at once could overwrite each other ({found}); "
        "needed is a local disk, HDFS, or an object store with conditional puts (docs/stores.md): "
        "choose one for the lakehouse, or, if no second job can ever write, set "
        "--set lock.required=false"
    )
