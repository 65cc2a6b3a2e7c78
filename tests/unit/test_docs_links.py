"""Links of the Markdown pages lead to files and headings, as one reads them in the repository."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from markdown_blocks import ROOT

from scripts.docs_site.links import lead_links, split_code

pytestmark = pytest.mark.unit
DECISIONS = ROOT / "docs" / "adr"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
_WITHIN = re.compile(r"\]\((#[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    assert not [link for link in _links_of(page) if not _leads_somewhere(page, link)]


@pytest.mark.parametrize("link", ["docs/none.md", "docs/speed.md#nothing", "#nothing"])
def test_link_that_leads_nowhere_is_found(link: str) -> None:
    assert not _leads_somewhere(ROOT / "README.md", link)


def test_every_decision_is_listed_once_by_its_title() -> None:
    listed = re.findall(
        r"^- \[(\d+)\]\((\S+)\) (.*)$", _prose(DECISIONS / "README.md"), re.MULTILINE
    )
    titles = {path.name: path.read_text("utf-8").split("\n")[0] for path in DECISIONS.glob("0*.md")}
    assert sorted(name for _, name, _ in listed) == sorted(titles)
    assert all(titles[name] == f"# {number}. {title}" for number, name, title in listed)


def test_page_that_a_notebook_names_is_there_and_says_it() -> None:
    pages = {text.split("\n")[0]: text for text in (page.read_text("utf-8") for page in PAGES)}
    notebooks = "".join(path.read_text("utf-8") for path in (ROOT / "notebooks").glob("*.ipynb"))
    named = re.findall(r'\\"([^"]+)\\" in the documentation', notebooks)
    assert len(named) > 1
    assert [title for title in named if f"# {title}" not in pages] == []
    # The last cell of the nights' notebook sends there for it.
    assert "`replay` also finds" in notebooks
    assert any("churn-spark replay --calibrate" in pages[f"# {title}"] for title in named)


def _links_of(page: Path) -> list[str]:
    links = _WITHIN.findall(_prose(page))

    def note(link: str) -> str:
        links.append(link)
        return link

    lead_links(page.read_text(encoding="utf-8"), note)
    return links


def _prose(page: Path) -> str:
    lines = split_code(page.read_text(encoding="utf-8"))
    return "\n".join(line for line, is_code in lines if not is_code)


def _leads_somewhere(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    if not target.exists() or not anchor or target.suffix != ".md":
        return target.exists()
    prose = _prose(target)
    return anchor in map(_anchor_of, _HEADING.findall(prose)) or f'id="{anchor}"' in prose


def _anchor_of(heading: str) -> str:
    """The anchor that a forge gives a heading: small letters, no marks, a hyphen for a space."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
