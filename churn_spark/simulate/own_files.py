"""Which files below a folder are simulations' own: they write these, and delete no others.

`world/files.txt` lists every file that a simulation there has written or was about to write. A
folder without the list must be empty, one with it must hold nothing else where the log lies.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from churn_spark.errors import InputError

FILES: Final = "world/files.txt"
WORK: Final = ".work"
_PLACES: Final = ("events/", "truth/", "world/", f"{WORK}/")
_HEAD: Final = (
    "# Written by simulate_events: below this folder it replaces and deletes these files only."
)


def temporary_of(path: Path) -> Path:
    """Where a file is written, hidden from readers, before it gets its name."""
    return path.with_name(f".{path.name}.tmp")


def claim(out: Path, planned: Iterable[Path]) -> set[Path]:
    """Note the files that are about to be written; gives those that were noted before.

    Raises:
        InputError: if a file lies below `out` that no simulation there has written, or a link.
        OSError: if the list can't be read or written.
    """
    own = read_own(out)
    _write_list(out, own.union(planned))
    return own


def settle(out: Path) -> None:
    """Note the files that there are; those that were planned and not written are nobody's.

    Raises:
        InputError: if there are other files.
        OSError: if the list can't be read or written.
    """
    _write_list(out, {path for path in read_own(out) if path.exists()})


def read_own(out: Path) -> set[Path]:
    """Read which files below `out` are a simulation's own; nothing where it is new.

    Raises:
        InputError: if there are other files.
        OSError: if the list or a folder can't be read.
    """
    own = _listed(out)
    places = [out / name for name in _PLACES] if own else [out]
    allowed = own | {out / FILES}
    for path in (path for place in places for path in _files(place)):
        if path not in allowed and not any(path == temporary_of(one) for one in allowed):
            raise InputError(
                f"found {path.relative_to(out)} in {out}, which no simulation there has written, "
                "expected an empty folder, or a simulated world and nothing else among its "
                "files: choose another folder, or move this file away"
            )
    return own


def remove(paths: Iterable[Path], out: Path) -> None:
    """Delete files, and the folders below `out` that are empty then.

    Raises:
        OSError: if one can't be deleted.
    """
    for path in paths:
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == out or not folder.is_dir() or any(folder.iterdir()):
                break
            folder.rmdir()


def _write_list(out: Path, paths: set[Path]) -> None:
    listing = out / FILES
    listing.parent.mkdir(parents=True, exist_ok=True)
    names = sorted(path.relative_to(out).as_posix() for path in paths | {listing})
    temporary = temporary_of(listing)
    temporary.write_text("\n".join((_HEAD, *names, "")), encoding="utf-8")
    temporary.replace(listing)


def _listed(out: Path) -> set[Path]:
    """The files of the list, those only that can be below the folder."""
    listing = out / FILES
    if listing.is_symlink() or not listing.is_file():
        return set()
    head, *names = listing.read_text(encoding="utf-8").splitlines() or [""]
    inside = (name for name in names if name.startswith(_PLACES) and ".." not in name)
    return {out / name for name in inside} if head == _HEAD else set()


def _files(place: Path) -> Iterator[Path]:
    """All files below a folder, links as themselves; the folder itself where it is none."""
    if place.is_symlink() or place.is_file():
        yield place
    for folder, folders, names in os.walk(place, onerror=_refuse):
        links = (name for name in folders if Path(folder, name).is_symlink())
        yield from (Path(folder, name) for name in (*names, *links))


def _refuse(error: OSError) -> None:
    """A folder that can't be read may hold anything."""
    if not isinstance(error, FileNotFoundError):
        raise error
