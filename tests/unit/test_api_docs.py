"""What is written for notebooks: the code of the how-to page runs; the reference is whole."""

from __future__ import annotations

import json
import re
import runpy
import sys
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from api_builders import add_model, load_log, write_nights
from local_lakehouse import open_local
from markdown_blocks import ROOT, blocks

from churn_spark import Lakehouse
from churn_spark.api.night import Night
from churn_spark.contracts.tables import EFFECT
from churn_spark.evaluation.effect import Counts, Side
from churn_spark.lakehouse.tables import Lakehouse as Tables
from churn_spark.monitoring.performance.effect import Part, Week, effect_rows
from scripts.docs_site.reference.python import CLASSES, describe_python, public_members
from tests.night_builders import build_nights

pytestmark = pytest.mark.unit
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MONDAY = date(2018, 12, 3)
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


@pytest.mark.parametrize("n_weeks", [0, 3])
def test_notebook_of_the_effect_runs_before_the_first_week_and_after(
    n_weeks: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lakehouse = open_local(tmp_path / "lakehouse")
    lakehouse.create(EFFECT)
    for number in range(n_weeks):
        _write_effect(lakehouse, MONDAY + timedelta(weeks=number), number + 1)
    monkeypatch.setenv("LAKEHOUSE", lakehouse.root)
    monkeypatch.setattr(sys, "path", [*sys.path])
    [notebook] = [path for path in NOTEBOOKS if path.stem == "6_the_effect"]
    script = tmp_path / "notebook.py"
    script.write_text(_code_of(notebook).replace("%matplotlib inline", ""), encoding="utf-8")
    known = runpy.run_path(str(script))
    assert len(known["effect"].by_week()) == n_weeks
    said = capsys.readouterr().out
    assert ("No week of a campaign is known yet." in said) is not bool(n_weeks)
    assert ("30%: nothing to go by yet" in said) is not bool(n_weeks)


def _write_effect(lakehouse: Tables, night: date, n_weeks: int) -> None:
    """What a night tells that knows so many weeks: 900 listed users in each, 100 withheld."""
    counts = Counts(Side(900, 80, 700, 60), Side(100, 15, 0, 0))
    first = night - timedelta(weeks=n_weeks)
    weeks = {
        Week("retention", 0.1, first + timedelta(weeks=number)): {"all": Part(counts, 700.0)}
        for number in range(n_weeks)
    }
    rows = pd.DataFrame({**row, "run_date": night} for row in effect_rows(weeks, 10.0))
    frame = rows.reindex(columns=EFFECT.column_names).astype(object)
    lakehouse.replace_rows(frame.where(frame.notna(), None), EFFECT, {"run_date": [night]})


def _code_of(path: Path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
