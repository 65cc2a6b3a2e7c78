"""The input folder: which files there are, as the file system lists them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, Final

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from churn_spark.errors import InputError

_READS_ALL_NAMES: Final = frozenset({"UTF-8", "UTF8"})
_OF_COLONS: Final = (
    ": Hadoop finds a name with a colon only where a folder or file is named by its absolute path, "
    "not by a glob"
)
JSON_ENDINGS: Final = (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz")


@dataclass(frozen=True)
class ListedFile:
    """An input file as the file system lists it.

    Attributes:
        path: with its scheme, not percent-encoded.
        size_bytes: its size.
        modified: milliseconds since the epoch.
    """

    path: str
    size_bytes: int
    modified: int


@dataclass(frozen=True)
class Location:
    """An input location as the file system lists it.

    Attributes:
        files: to read, by path; of a folder only JSON files.
        ignored: paths of the other files in the folders.
    """

    files: Sequence[ListedFile]
    ignored: Sequence[str]

    def outside(self, folders: Iterable[str]) -> Location:
        """The same without what lies in some folders.

        Args:
            folders: with their schemes, as Hadoop writes them.
        """
        below = tuple(f"{one}/" for one in folders)
        return Location(
            [file for file in self.files if not file.path.startswith(below)],
            [path for path in self.ignored if not path.startswith(below)],
        )


def list_location(spark: SparkSession, path: str, others: Sequence[str] = ()) -> Location:
    """List a folder (with its sub-folders), a file or a glob.

    Args:
        spark: the session.
        path: of the location.
        others: endings of event files beside those of JSON.

    Raises:
        InputError: if no file is there or the folder can't be listed.
    """
    endings = (*JSON_ENDINGS, *others)
    jvm: Any = spark._jvm
    hadoop = jvm.org.apache.hadoop.fs
    try:
        root = hadoop.Path(path)
        file_system = root.getFileSystem(spark._jsc.hadoopConfiguration())
        # A name that is there means itself, whatever characters it has.
        is_named = file_system.exists(root)
        matches = (
            [file_system.getFileStatus(root)]
            if is_named
            else list(file_system.globStatus(root) or ())
        )
        encoding = jvm.java.lang.System.getProperty("sun.jnu.encoding")
        if file_system.getScheme() == "file":
            roots = {match.getPath().toUri().getPath() for match in matches}
            if not is_named:
                roots |= _local_matches(path)
            if encoding.upper() not in _READS_ALL_NAMES:
                _require_ascii(path, roots, encoding)
            _require_utf8(roots, endings)
        found = {
            file.path: (file, match.isDirectory())
            for match in matches
            for file in _walk(
                file_system, match.getPath(), match.getPath().depth() - (not is_named)
            )
        }
    except (Py4JJavaError, PySparkException) as error:
        reason = error.java_exception.toString() if isinstance(error, Py4JJavaError) else str(error)
        advice = _OF_COLONS if "URISyntaxException" in reason else ""
        raise InputError(
            f"can't list {path}: {reason}; expected a readable folder, file or glob{advice}"
        ) from error
    chosen = [
        file
        for file, is_in_folder in found.values()
        # What is named itself is taken whatever its name.
        if not is_in_folder or file.path.endswith(endings)
    ]
    if not chosen:
        raise InputError(
            f"found no event file at {path}; expected a folder with files whose names end with "
            ".json, .jsonl or .ndjson, each also .gz, a file or a glob: check the path"
        )
    ignored = sorted(found.keys() - {file.path for file in chosen})
    return Location(sorted(chosen, key=lambda file: file.path), ignored)


def _local_matches(pattern: str) -> set[str]:
    """What a glob of Hadoop's means on the local disk, with the names that Java leaves out."""
    found = re.search(r"(?<!\\)\{([^{}]*)\}", pattern)
    if found:
        begin, end = pattern[: found.start()], pattern[found.end() :]
        options = (f"{begin}{option}{end}" for option in found[1].split(","))
        return {match for option in options for match in _local_matches(option)}
    pattern = re.sub("^file:/+", "/", pattern).replace("[^", "[!")
    return set(glob(re.sub(r"\\(.)", r"[\1]", pattern)))  # noqa: PTH207


def _require_ascii(path: str, roots: Iterable[str], encoding: str) -> None:
    """Let pass only names that a Java reads whose locale isn't UTF-8: it leaves others out.

    Raises:
        InputError: if there is another name, or the location itself is one.
    """
    if odd := next((name for name in (path, *_names(roots)) if not name.isascii()), None):
        raise InputError(
            f"found {odd!r}, whose name Java can't read in this locale ({encoding}); expected "
            "UTF-8: set LC_ALL=C.UTF-8 and run again"
        )


def _require_utf8(roots: Collection[str], endings: tuple[str, ...]) -> None:
    """Let pass only names that are UTF-8: Java leaves others out, in every locale.

    Raises:
        InputError: if there is another one, of a folder, an event file or what a glob has found.
    """
    for name in (name for name in (*roots, *_names(roots)) if not name.isascii()):
        is_read = name in roots or name.endswith(endings) or Path(name).is_dir()
        if is_read and not _is_utf8(name):
            raise InputError(
                f"found {name!r}, whose name is no UTF-8, so that Java can't read it; expected "
                "UTF-8: rename it and run again"
            )


def _is_utf8(name: str) -> bool:
    try:
        os.fsencode(name).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _names(roots: Iterable[str]) -> Iterator[str]:
    """All files and folders below some folders, by their paths."""
    for root in roots:
        for folder, folders, files in os.walk(root):
            yield from (f"{folder}/{name}" for name in (*folders, *files))


def _walk(file_system: Any, path: Any, n_chosen: int) -> Iterator[ListedFile]:
    """The files below a path; of a hidden folder none, as by Spark.

    Args:
        file_system: of the path.
        path: a folder or a file.
        n_chosen: how many of the names in the path were asked for, whatever they are.
    """
    walker = file_system.listFiles(path, True)
    while walker.hasNext():
        status = walker.next()
        found = status.getPath()
        names = found.toUri().getPath().strip("/").split("/")
        if not any(map(is_hidden, names[n_chosen:] or names[-1:])):
            yield ListedFile(found.toString(), status.getLen(), status.getModificationTime())


def is_hidden(name: str) -> bool:
    """Whether a name is one of those by which programs keep things to themselves."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name)
