"""Small files on whatever file system Hadoop knows: read, written, exchanged, deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from churn_spark.lakehouse.half_written import part_of
from churn_spark.lakehouse.lock_guard import require_lock

_SHOWS_WHOLE_FILES: Final = frozenset({"s3", "s3a", "s3n", "gs", "wasb", "wasbs", "oss", "cosn"})
"""Object stores, where a file appears when it is complete, in one operation."""
_BYTES: Final = "ISO-8859-1"


@dataclass(frozen=True)
class Files:
    """The files below one folder, by their path relative to it.

    Attributes:
        spark: whose JVM reads and writes them.
        root: the folder.
        before_write: called before each write, to let it pass or raise.
    """

    spark: SparkSession
    root: str
    before_write: Callable[[], None] = require_lock

    def read(self, path: str) -> bytes | None:
        """The content of a file; none where there is no such file."""
        target = self._path(path)
        file_system = self._file_system(target)
        if not file_system.exists(target):
            return None
        stream = file_system.open(target)
        try:
            # As text of one byte a character: Py4J takes bytes apart one by one.
            text = self._jvm.org.apache.commons.io.IOUtils.toString(stream, _BYTES)
            return str(text).encode(_BYTES)
        finally:
            stream.close()

    def write(self, path: str, content: bytes) -> None:
        """Write a file, with the folders above it; one that is there is written over."""
        self.before_write()
        target = self._path(path)
        stream = self._file_system(target).create(target, True)
        try:
            stream.write(content)
        finally:
            stream.close()

    def exchange(self, path: str, content: bytes) -> None:
        """Write a file so that every reader sees the old content whole or the new one whole."""
        target = self._path(path)
        scheme = str(self._file_system(target).getUri().getScheme())
        if scheme in _SHOWS_WHOLE_FILES:
            self.write(path, content)
            return
        with self._part(path, content) as part:
            if scheme == "file":
                self._file_system(target).rename(self._path(part), target)
                return
            self._rename(part, path, self._jvm.org.apache.hadoop.fs.Options.Rename.OVERWRITE)

    def create(self, path: str, content: bytes) -> bool:
        """Make a file, whole from the first moment; returns False where there is one already.

        In one operation only where a rename is one that refuses a name that is taken, as on HDFS.
        """
        with self._part(path, content) as part:
            try:
                self._rename(part, path)
            except Py4JJavaError as error:
                if "FileAlreadyExistsException" not in str(error.java_exception.toString()):
                    raise
                self.delete(part)
                return False
        return True

    def names(self, folder: str) -> list[str]:
        """Files and folders that are directly in a folder, sorted; none where it is missing."""
        target = self._path(folder)
        file_system = self._file_system(target)
        if not file_system.exists(target):
            return []
        return sorted(str(one.getPath().getName()) for one in file_system.listStatus(target))

    def walk(self, folder: str = "") -> Iterator[str]:
        """Every file below a folder, by its path relative to the root; none where it is missing.

        Raises:
            ValueError: if one is listed as elsewhere: whoever walks may delete what is found.
        """
        target = self._path(folder)
        file_system = self._file_system(target)
        if not file_system.exists(target):
            return
        # What is found has its whole path, also where the root is a relative one.
        root, below = (
            f"{file_system.makeQualified(one).toUri().getPath().rstrip('/')}/"
            for one in (self._path(""), target)
        )
        found = file_system.listFiles(target, True)
        while found.hasNext():
            path = str(found.next().getPath().toUri().getPath())
            if not path.startswith(below):
                raise ValueError(f"found {path}, expected a file below {below}")
            yield path.removeprefix(root)

    def listed(self, path: str) -> tuple[str, int, int]:
        """A file as it is listed: its path with a scheme, its size, milliseconds of its change."""
        target = self._path(path)
        status = self._file_system(target).getFileStatus(target)
        return status.getPath().toString(), status.getLen(), status.getModificationTime()

    def delete(self, path: str) -> None:
        """Delete a file, or a folder with all that is in it; nothing happens if it is missing."""
        self.before_write()
        target = self._path(path)
        self._file_system(target).delete(target, True)

    @contextmanager
    def _part(self, path: str, content: bytes) -> Iterator[str]:
        """The content under the name of a part, which goes if it doesn't get the file's name."""
        part = part_of(path)
        try:
            self.write(part, content)
            yield part
        except BaseException:
            # What is told is why it failed, not that the part can't be deleted either.
            with suppress(Exception):
                self.delete(part)
            raise

    def _rename(self, path: str, to: str, *how: Any) -> None:
        hadoop_fs, target = self._jvm.org.apache.hadoop.fs, self._path(to)
        context = hadoop_fs.FileContext.getFileContext(target.toUri(), self._configuration)
        gateway: Any = self.spark._sc._gateway
        options = gateway.new_array(hadoop_fs.Options.Rename, len(how))
        for place, option in enumerate(how):
            options[place] = option
        context.rename(self._path(path), target, options)

    def _path(self, path: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(f"{self.root.rstrip('/')}/{path}")

    def _file_system(self, path: Any) -> Any:
        """Of a local path without the checksum files that Hadoop puts beside: a file has one name.

        With two, a process that is killed between their renames leaves a file that can't be read.
        """
        found = path.getFileSystem(self._configuration)
        return found.getRawFileSystem() if found.getUri().getScheme() == "file" else found

    @property
    def _configuration(self) -> Any:
        return self.spark._jsc.hadoopConfiguration()

    @property
    def _jvm(self) -> Any:
        return self.spark._jvm
