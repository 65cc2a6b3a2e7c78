"""The site: its links, its navigation, and the pages that code writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from markdown_blocks import ROOT

from churn_spark.config import Config
from scripts.docs_site.assemble import assemble
from scripts.docs_site.check import find_faults
from scripts.docs_site.gallery import CHARTS, find_charts
from scripts.docs_site.links import lead_links
from scripts.docs_site.messages import GAP, find_messages, find_texts
from scripts.docs_site.reference import REFERENCE
from scripts.docs_site.reference.commands import job_names

pytestmark = pytest.mark.unit
NAVIGATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    # Raises for any link out of README, CONTRIBUTING, CHANGELOG or docs/ that leads nowhere.
    return assemble()


def test_every_page_is_in_the_navigation(pages: dict[str, str]) -> None:
    led = set(_leaves(NAVIGATION))
    assert led <= pages.keys()
    rest = {place for place in pages.keys() - led if not place.startswith(("source/", "adr/0"))}
    assert not rest


def test_link_that_leads_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    written = {"reference/api.md": lambda: "[there](../nowhere.md)"}
    monkeypatch.setattr("scripts.docs_site.assemble.REFERENCE", {**REFERENCE, **written})
    with pytest.raises(ValueError, match=r"docs/reference/api\.md: \.\./nowhere\.md"):
        assemble()


def test_links_in_code_are_left_alone() -> None:
    page = "[a](b.md) `[c](d.md)`\n```\n[e](f.md)\n```\n[g](https://example.com) [h](#i)"
    assert lead_links(page, lambda target: f"x/{target}") == page.replace("(b.md)", "(x/b.md)")


def test_every_key_job_and_class_of_error_is_in_the_reference() -> None:
    configuration = REFERENCE["reference/configuration.md"]()
    for section, field in Config.model_fields.items():
        assert f"\n## `{section}`\n" in configuration
        for key in getattr(field.annotation, "model_fields", {}):
            row = re.search(rf"^\| `{key}` \| .+ \| .+ \| (.*) \|$", configuration, re.MULTILINE)
            assert row, f"{section}.{key}"
    commands = REFERENCE["reference/command-line.md"]()
    assert all(f"## `{name}`\n" in commands for name in job_names())
    errors = REFERENCE["reference/errors.md"]()
    assert {message.kind.__name__ for message in find_messages()} <= set(
        re.findall(r"^### (\w+)$", errors, re.MULTILINE)
    )


def test_key_has_its_default_kind_and_reason_in_the_reference() -> None:
    written = REFERENCE["reference/configuration.md"]()
    assert (
        "| `n_test_dates` | `2` | whole number, at least 1 | newest weekly dates with known "
        "labels; nothing else sees them |" in written
    )
    # A reason that goes on in the next line, and one that names a decision.
    assert (
        "| `class_weight` | `balanced` | one of `none`, `balanced` | scale_pos_weight:" in written
    )
    assert "[ADR 0047](../adr/0047-" in written


def test_error_lines_of_troubleshooting_are_in_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    headings = re.findall(r"^### `(.+)`$", page, re.MULTILINE)
    scripts = [ROOT / "Makefile", *(ROOT / "scripts").glob("*.sh")]
    known = [*find_texts(), *(path.read_text(encoding="utf-8") for path in scripts)]
    wrong = [heading for heading in headings if not any(_says(text, heading) for text in known)]
    assert len(headings) > 30
    assert not wrong, "these are raised nowhere: correct the headings"


def test_charts_of_the_gallery_are_shown_there() -> None:
    page = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    for charts in CHARTS.values():
        for name in charts:
            assert f"(gallery/{name}.svg)" in page
            assert (ROOT / "docs" / "gallery" / f"{name}.svg").is_file()


def test_charts_are_taken_from_their_section() -> None:
    chart = '<img src="data:image/svg+xml;base64,{}" alt="">'
    page = (
        f'<section id="a">{chart.format("PGE+")}</section>'
        f'<section id="b">{chart.format("PGI+")}{chart.format("PGM+")}</section>'
    )
    assert find_charts(page, "b") == ["<b>", "<c>"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="b/#there">b</a><a href="https://example.com">e</a>', None),
        ('<a href="b/#gone">b</a>', "index.html leads to b/#gone, where nothing is"),
        ('<a href="c/">c</a>', "index.html leads to c/, where nothing is"),
        ('<img src="d.svg">', "index.html leads to d.svg, where nothing is"),
        ('<script src="https://example.com/x.js"></script>', "index.html loads https://example"),
        ('<link rel="stylesheet" href="//example.com/x.css">', "index.html loads //example.com"),
    ],
)
def test_faults_of_a_built_site_are_found(tmp_path: Path, body: str, fault: str | None) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "index.html").write_text(body, encoding="utf-8")
    (tmp_path / "b" / "index.html").write_text('<h2 id="there">There</h2>', encoding="utf-8")
    found = find_faults(tmp_path)
    assert (not found) if fault is None else found[0].startswith(fault)


def _says(text: str, heading: str) -> bool:
    """Whether the parts of the heading stand in the text, in their order, with gaps between."""
    parts = [part.strip() for part in heading.split(GAP)]
    return re.search(".*?".join(re.escape(part) for part in parts), text, re.DOTALL) is not None


def _leaves(tree: object) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    for branch in (
        tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    ):
        yield from _leaves(branch)
