"""Gather the pages of the site: those of docs/, those of the root, and those that code writes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from scripts.docs_site import DOCS, PAGES, ROOT
from scripts.docs_site.links import lead_links
from scripts.docs_site.reference import REFERENCE
from scripts.docs_site.sources import list_files, show_file, show_folder

ROOT_PAGES: Final = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
"""File of the root -> page of the site."""
_INSTEAD: Final = {
    "conf/base.yaml": "reference/configuration.md",
    "docs/adr": "adr/README.md",
    **ROOT_PAGES,
}
"""What a page of the site shows better than its text."""


class _Assembly:
    """The pages so far, and the files of the project that they link to."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.broken: list[str] = []
        self._shown: set[str] = set()

    def add(self, place: str, origin: Path, text: str) -> None:
        """Take a page; its links lead from where it comes from to where it will be."""

        def lead(target: str) -> str:
            path, mark, anchor = target.partition("#")
            led = self._place_of(Path(os.path.normpath(origin.parent / path)))
            if led is None:
                self.broken.append(f"{origin.relative_to(ROOT)}: {target}")
                return target
            return f"{os.path.relpath(led, Path(place).parent)}{mark}{anchor}"

        self.pages[place] = lead_links(text, lead)

    def _place_of(self, path: Path) -> str | None:
        """Where in the site a path of the project is shown; None if there is none."""
        if not path.is_relative_to(ROOT):
            return None
        name = path.relative_to(ROOT).as_posix()
        if name in _INSTEAD:
            return _INSTEAD[name]
        if name.startswith("docs/") and name.removeprefix("docs/") in REFERENCE:
            return name.removeprefix("docs/")
        if not path.exists():
            return None
        if path.is_relative_to(DOCS) and path.is_file():
            return name.removeprefix("docs/")
        return self._show(path, name)

    def _show(self, path: Path, name: str) -> str:
        place = f"source/{name}.md"
        if place not in self._shown:
            self._shown.add(place)
            self.add(place, path, show_folder(path) if path.is_dir() else show_file(path))
        return place


def assemble() -> dict[str, str]:
    """Every page of the site by its place.

    Raises:
        ValueError: if a link leads nowhere; all of them are named.
    """
    assembly = _Assembly()
    for path in list_files(DOCS):
        if path.suffix == ".md":
            place = path.relative_to(DOCS).as_posix()
            assembly.add(place, path, path.read_text(encoding="utf-8"))
    for name, place in ROOT_PAGES.items():
        assembly.add(place, ROOT / name, (ROOT / name).read_text(encoding="utf-8"))
    for place, describe in REFERENCE.items():
        assembly.add(place, DOCS / place, describe())
    if assembly.broken:
        raise ValueError(f"found links that lead nowhere: {'; '.join(assembly.broken)}")
    return assembly.pages


def write_pages(pages: dict[str, str]) -> None:
    """Write the pages, and copy the pictures beside them; what was there before goes."""
    shutil.rmtree(PAGES, ignore_errors=True)
    for place, text in pages.items():
        path = PAGES / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for path in list_files(DOCS):
        if path.suffix != ".md":
            copied = PAGES / path.relative_to(DOCS)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
