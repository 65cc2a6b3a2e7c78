"""The notebooks: kept without answers, run where much of what they show isn't there yet."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pandas as pd
import pytest
from api_builders import STORED, add_model, load_log, records
from local_lakehouse import open_local
from markdown_blocks import ROOT
from oracles import millis_of

from churn_spark.config import load_config
from churn_spark.contracts.tables import EFFECT, RETENTION_LISTS
from churn_spark.evaluation.effect import Counts, Side
from churn_spark.lakehouse.tables import Lakehouse as Tables
from churn_spark.monitoring.performance.effect import Part, Week, effect_rows
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy_state import Decision
from churn_spark.stores.decisions import write_night

pytestmark = pytest.mark.unit
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MONDAY = date(2018, 12, 3)
PAGE = "docs/how-to/work-in-a-notebook.md"
Run = Callable[[int, Path | str], dict[str, Any]]
# Notes what becomes a page; of the second notebook none does.
PYTHON = """#!/usr/bin/env bash
[[ "$*" == *nbconvert* ]] || exit 0
echo "$LAKEHOUSE ${@: -1}" >> pages
[[ "${@: -1}" != *2_the_model* ]]
"""


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_asks_a_question_and_is_kept_without_answers(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert cells[0]["source"][0].strip().endswith("?")
    assert not [one for cell in code for one in cell["outputs"] or [cell["execution_count"]] if one]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_reads_by_the_interface_alone(path: Path) -> None:
    first, *others = re.findall(
        r"(?:from|import) (?:churn_spark|pyspark|delta)\S* .*", _code_of(path)
    )
    assert first == "from churn_spark import Lakehouse"
    assert all(re.fullmatch(r"from churn_spark\.errors import \w+(, \w+)*", one) for one in others)


def test_every_notebook_is_on_the_page() -> None:
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert re.findall(r"\.\./\.\./(notebooks/\S+\.ipynb)", page) == [
        path.relative_to(ROOT).as_posix() for path in NOTEBOOKS
    ]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the code of the notebook of a number on a lakehouse; gives what its names are then."""

    def run_one(number: int, root: Path | str) -> dict[str, Any]:
        monkeypatch.setenv("LAKEHOUSE", str(root))
        monkeypatch.setattr(sys, "path", [*sys.path])
        script = tmp_path / "notebook.py"
        code = _code_of(NOTEBOOKS[number - 1]).replace("%matplotlib inline", "")
        script.write_text(code, encoding="utf-8")
        with mpl.rc_context({"figure.max_open_warning": 0}):
            return runpy.run_path(str(script))

    return run_one


@pytest.fixture(scope="module")
def without_level(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lakehouse of a log that tells no level; no model was learnt, and its night was held."""
    folder = tmp_path_factory.mktemp("plain") / "lakehouse"
    rows = [{name: value for name, value in one.items() if name != "level"} for one in records()]
    lakehouse = load_log(folder, log_records=rows)
    held = Decision(STORED[1], "hold", "data_checks", "failed data checks: volume", None)
    policy = load_config().policy
    write_night(lakehouse, STORED[1], [Entry(0, held, None, None, None, policy)])
    return folder


@pytest.mark.parametrize("number", range(1, 7))
def test_notebook_runs_where_no_level_is_told_and_nothing_was_learnt(
    number: int, run: Run, without_level: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = run(number, without_level)
    told = capsys.readouterr().out
    if number == 1:
        assert [*known["visits"].columns] == [*known["lives"]["level"].unique()] == ["unknown"]
        assert len(known["lives"]) == 40
    if number in (2, 3):
        assert "no champion is published" in told
    if number == 2:
        assert "found no backtest" in told
        assert "No night has scored users yet." in told
    if number == 4:
        assert "No drift has been measured yet." in told
        assert "found no night that was judged" in told


def test_notebooks_run_without_a_backtest(run: Run, tmp_path: Path) -> None:
    root = tmp_path / "lakehouse"
    load_log(root)
    add_model(root)
    for table in (root / "ml").glob("backtest*"):
        shutil.rmtree(table)
    tables = open_local(root)
    rows = tables.read_rows(RETENTION_LISTS, {})
    rows.loc[::2, "assignment"] = "control"
    tables.replace_rows(rows, RETENTION_LISTS, {})
    known = run(2, root)
    assert known["rows"].num_rows == len(known["listed"]) == len(rows) // 2 > 0
    assert {"risk", "sessions_28d"} < run(3, root)["shown"].keys()


def test_notebooks_run_on_a_log_of_some_days(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    end = millis_of(date(2018, 10, 12))
    some = [one for one in records() if not isinstance(one["ts"], int) or one["ts"] < end]
    load_log(tmp_path / "lakehouse", (date(2018, 10, 8),), some)
    assert run(3, tmp_path / "lakehouse")["shown"] == {}
    assert "No Monday lies between" in capsys.readouterr().out
    assert run(5, tmp_path / "lakehouse")["found"]["AUC"].isna().sum() == 2


def test_a_notebook_that_fails_leaves_the_others_their_pages(tmp_path: Path) -> None:
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    lakehouse = tmp_path / "lake house"
    (lakehouse / "monitoring" / "decisions").mkdir(parents=True)
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    # Without what a make that runs these tests tells the makes below it.
    outer = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "VENV")
    done = subprocess.run(
        ["make", "--old-file=setup", f"PY={tmp_path / 'python'}", "notebooks"],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k not in outer} | {"LAKEHOUSE": "lake house"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "notebooks/2_the_model.ipynb left no new page" in done.stderr
    assert (tmp_path / "pages").read_text().splitlines() == [
        f"{lakehouse} notebooks/{path.name}" for path in NOTEBOOKS
    ]


@pytest.mark.parametrize("n_weeks", [0, 3])
def test_notebook_of_the_effect_runs_before_the_first_week_and_after(
    n_weeks: int,
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lakehouse = open_local(tmp_path / "lakehouse")
    lakehouse.create(EFFECT)
    for number in range(n_weeks):
        _write_effect(lakehouse, MONDAY + timedelta(weeks=number), number + 1)
    known = run(6, lakehouse.root)
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
