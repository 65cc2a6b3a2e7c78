"""Who holds the lock of a lakehouse, as it is seen without Spark and without taking it."""

from __future__ import annotations

from dataclasses import dataclass

from obstore.store import LocalStore, from_url
from pyarrow import fs

from churn_spark.lakehouse import hdfs
from churn_spark.lakehouse.lock_store import ConditionalStore, ReadableLocks
from churn_spark.lakehouse.lock_tenure import Tenure, find_tenure


def see_lock(root: str) -> Tenure | None:
    """The newest tenure; none where the lock was never taken.

    Args:
        root: of the lakehouse, as deltalake names it: a plain path, or an address.

    Raises:
        LockStoreError: if its file holds something else.
    """
    return find_tenure(_open(root))


def _open(root: str) -> ReadableLocks:
    if root.startswith("/"):
        return ConditionalStore(LocalStore(root))
    return _FolderOnHdfs(root) if hdfs.is_hdfs(root) else ConditionalStore(from_url(root))


@dataclass(frozen=True)
class _FolderOnHdfs:
    """A folder as Python reads it; to take the lock Hadoop's client is needed."""

    root: str

    def read(self, path: str) -> bytes | None:
        """The content of a file; none where there is no such file."""
        try:
            return hdfs.read_file(f"{self.root}/{path}").read()
        except FileNotFoundError:
            return None

    def names(self, folder: str) -> list[str]:
        """The files that are in a folder now, sorted; none where it is missing."""
        system, name = hdfs.locate(f"{self.root}/{folder}")
        found = system.get_file_info(fs.FileSelector(name, allow_not_found=True))
        return sorted(one.base_name for one in found)
