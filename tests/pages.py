"""Reading pages: as text, and as a browser without a network draws them."""

from __future__ import annotations

import base64
import re
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path


class Reader(HTMLParser):
    """Collects tags with their attributes, the headings' texts, and tags left open."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def read(page: str) -> Reader:
    """The tags and headings of a page."""
    reader = Reader()
    reader.feed(page)
    return reader


def pictures_of(page: str) -> list[str]:
    """The SVG text of every picture in a page."""
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', page)
    return [base64.b64decode(text).decode() for text in found]


def run_chromium(chromium: str, folder: Path, page: str, *arguments: str) -> str:
    """Open the page without a network; returns what comes out, fails on a console error."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    flags: Sequence[str] = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
        *("--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars"),
        *("--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--v=0"),
        f"--user-data-dir={folder / 'profile'}",
    )
    done = subprocess.run(
        [chromium, *flags, *arguments, (folder / "page.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    return done.stdout
