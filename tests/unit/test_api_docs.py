"""What is written for notebooks: the code of the how-to page runs; the reference is whole."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest
from api_builders import add_model, load_log, write_nights
from markdown_blocks import ROOT, blocks

from churn_spark import Lakehouse
from churn_spark.api.night import Night
from scripts.docs_site.reference.python import CLASSES, describe_python, public_members
from tests.night_builders import build_nights

pytestmark = pytest.mark.unit
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_asks_a_question_and_is_kept_without_answers(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert cells[0]["source"][0].strip().endswith("?")
    assert not [one for cell in code for one in cell["outputs"] or [cell["execution_count"]] if one]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_reads_by_the_interface_alone(path: Path) -> None:
    imported = re.findall(r"(?:from|import) (?:churn_spark|pyspark|delta)\S* .*", _code_of(path))
    assert imported == ["from churn_spark import Lakehouse"]


def test_every_notebook_is_on_the_page() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert re.findall(r"\.\./\.\./(notebooks/\S+\.ipynb)", page) == [
        path.relative_to(ROOT).as_posix() for path in NOTEBOOKS
    ]


def _code_of(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
