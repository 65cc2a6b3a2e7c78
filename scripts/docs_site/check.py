"""Check the built site: every link leads somewhere, and nothing is loaded from elsewhere."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from scripts.docs_site import SITE

_LOADING = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}


class _Page(HTMLParser):
    """The ids of a page, where it leads to, and what it loads."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.leads: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.leads.append(found["href"])
        elif tag == "link" and _LOADING & set(found.get("rel", "").split()):
            self.loads.append(found["href"])
        elif "src" in found:
            self.loads.append(found["src"])


def find_faults(site: Path = SITE) -> list[str]:
    """What is wrong with the site, a line each; empty if nothing is."""
    pages = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    faults = []
    for path, page in pages.items():
        here = path.relative_to(site).as_posix()
        for target in page.loads:
            if urlsplit(target).netloc:
                faults.append(f"{here} loads {target}")
        # The page of a wrong address is shown at any depth: its links are absolute.
        if path.name == "404.html":
            continue
        faults += [
            f"{here} leads to {target}, where nothing is"
            for target in {*page.leads, *page.loads}
            if not _is_there(target, path, pages)
        ]
    for style in sorted(site.rglob("*.css")):
        if "url(http" in style.read_text(encoding="utf-8"):
            faults.append(f"{style.relative_to(site)} loads from elsewhere")
    return faults


def _read(path: Path) -> _Page:
    page = _Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def _is_there(target: str, path: Path, pages: dict[Path, _Page]) -> bool:
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return True
    found = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if found.is_dir():
        found /= "index.html"
    if not found.is_file():
        return False
    return not parts.fragment or found not in pages or unquote(parts.fragment) in pages[found].ids
