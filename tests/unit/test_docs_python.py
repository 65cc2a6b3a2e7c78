"""The Python of docs/service.md, run in its order against a service that answers."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import httpx
import pyarrow as pa
import pytest
from deltalake import write_deltalake
from markdown_blocks import blocks
from serving_builders import (
    FakeSource,
    add_behaviour,
    build_service,
    fill_tables,
    make_bundle,
    make_config,
    running,
)

from tests.builders import record, write_lines

CODE = [
    block.text
    for block in blocks()
    if block.language == "python" and block.place.startswith("docs/service.md:")
]
NIGHT = date(2018, 12, 1)


def _fill(folder: Path) -> None:
    """What the code reads beside the service: three tables, and the log of one user."""
    tables = {
        "snapshots": {"num_downgrades": [3, 0], "tenure_days": [40.5, 3.0]},
        "behaviour": {"behaviour_probability": [0.1, 0.2], "model_version": ["1", "1"]},
        "fading": {"fading_probability": [0.1, 0.2], "model_version": ["1", "1"]},
    }
    for name, columns in tables.items():
        keys = {"as_of": [NIGHT] * 2, "user_id": ["7", "8"]}
        write_deltalake(folder / "lakehouse" / "gold" / name, pa.table(keys | columns))
    now = int(time.time() * 1000)
    write_lines(folder / "events.json", [record(ts=now - 86_400_000 * days) for days in (2, 5)])


def test_python_in_the_docs_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHURN_API_KEY", "0123456789abcdef" * 4)
    _fill(tmp_path)
    config = make_config(tmp_path / "served", max_scores_age_hours=1e6)
    # It knows the first date of its log, from which events of one user count.
    bundle = replace(add_behaviour(make_bundle()), version="1")
    fill_tables(config, bundle)
    with running(build_service(config, FakeSource(bundle))) as address:
        for _ in range(100):
            if httpx.get(f"{address}/ready").is_success:
                break
            time.sleep(0.1)
        names: dict[str, object] = {}
        for text in CODE:
            code = compile(text.replace("http://127.0.0.1:8000", address), "docs", "exec")
            exec(code, names)  # noqa: S102 - the code under test
    scores = names["scores"]
    assert isinstance(scores, pa.Table)
    assert scores.num_rows == 2
    first, answer, outputs, predictions = capsys.readouterr().out.splitlines()
    assert "churn_probability" in first
    assert "n_used" in answer
    assert "churn_probability" in outputs
    assert "churn_probability" in predictions
