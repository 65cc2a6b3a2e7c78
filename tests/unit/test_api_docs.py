"""What is written for notebooks: the code of the how-to page runs; the reference is whole."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
from api_builders import add_model, load_log, write_nights
from markdown_blocks import blocks

from churn_spark import Lakehouse
from churn_spark.api.night import Night
from scripts.docs_site.reference.python import CLASSES, describe_python, public_members
from tests.night_builders import build_nights

pytestmark = pytest.mark.unit
PAGE = "docs/how-to/work-in-a-notebook.md"


def test_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lakehouse = load_log(tmp_path / "lakehouse")
    add_model(tmp_path / "lakehouse")
    nights = build_nights(20, n_windows=1)
    write_nights(lakehouse, nights)
    # A night's figures need a registry; the notebook of the nights is run on a whole lakehouse.
    monkeypatch.setattr(Lakehouse, "night", lambda _: Night(nights))
    monkeypatch.chdir(tmp_path)
    code = [one for one in blocks() if one.place.startswith(PAGE) and one.language == "python"]
    assert len(code) > 6
    script = tmp_path / "notebook.py"
    script.write_text("\n".join(block.text for block in code), encoding="utf-8")
    runpy.run_path(str(script))
    assert (tmp_path / "gains.png").stat().st_size > 10_000


def test_reference_has_every_method_with_its_arguments() -> None:
    page = describe_python()
    for kind in CLASSES:
        assert f"\n## {kind.__name__}\n" in page
        for name in public_members(kind):
            assert f"\n### `{kind.__name__}.{name}`\n" in page
    assert "table(name: str) -> Table" in page
    assert "A value: `LogSpan`." in page
    assert "| `as_of` | a date after the log's first, up to the day after its last. |" in page
