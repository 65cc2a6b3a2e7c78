"""Backtests of long ago are forgotten whole, but for the newest; a killed one leaves no rows."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churn_spark.config import load_config
from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_RUNS,
    DATA_CHECKS,
    TableSpec,
)
from churn_spark.lakehouse.polars_schema import polars_schema_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.pipeline import evaluate, maintain
from churn_spark.pipeline.forget_backtests import forget_repeated
from churn_spark.stores.backtests import next_number
from churn_spark.stores.checks import write_checks
from tests.local_lakehouse import open_local

ROWS = (BACKTEST_PREDICTIONS, BACKTEST_FIGURES, BACKTEST_IMPORTANCE)
CONFIG = load_config()
NIGHT = date(2018, 12, 1)
DAYS = CONFIG.maintenance.keep_models_days
OLD = NIGHT - timedelta(days=DAYS + 1)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """A lakehouse in which a night was lived."""
    found = open_local(tmp_path)
    write_checks(found, NIGHT, [CheckResult("rows", 1.0, "", True, "")])
    return found


def add_row(lakehouse: Lakehouse, spec: TableSpec, run_id: str, **told: Any) -> None:
    row = dict.fromkeys(spec.column_names) | {"run_id": run_id} | told
    rows = pl.DataFrame([row], schema=polars_schema_of(spec)).to_arrow()
    lakehouse.replace_rows(rows, spec, {"run_id": [run_id]})


def add_backtest(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    end: date,
    threshold: float = 0.3,
    auc: float = 0.8,
) -> str:
    with registry.run("backtest", {"date": str(end), "cutoff": str(end)}) as run_id:
        pass
    for spec in ROWS:
        figure = {"metric": "roc_auc", "value": auc} if spec == BACKTEST_FIGURES else {}
        add_row(lakehouse, spec, run_id, **figure)
    card = json.dumps({"run_id": run_id, "threshold": threshold})
    number = next_number(lakehouse.collect_rows(BACKTEST_RUNS))
    add_row(lakehouse, BACKTEST_RUNS, run_id, date=end, card=card, number=number)
    return run_id


def maintain_now(lakehouse: Lakehouse, registry: ModelRegistry) -> None:
    maintain.run(lakehouse, registry, CONFIG.maintenance, CONFIG.tuning)


def runs_in(lakehouse: Lakehouse, spec: TableSpec) -> set[str]:
    return {row.run_id for row in lakehouse.collect_rows(spec)}


def logged(registry: ModelRegistry) -> set[str]:
    return {run.info.run_id for run in registry.logged_runs().find("")}


def test_old_backtests_are_forgotten_whole(
    lakehouse: Lakehouse, registry: ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {add_backtest(lakehouse, registry, OLD - timedelta(days=n)) for n in range(2)}
    kept = {add_backtest(lakehouse, registry, day) for day in (OLD + timedelta(days=1), NIGHT)}
    with registry.run("lightgbm", {"date": str(OLD)}) as other:
        pass
    maintain_now(lakehouse, registry)
    for spec in (*ROWS, BACKTEST_RUNS):
        assert runs_in(lakehouse, spec) == kept
    assert logged(registry) == {*kept, other}
    assert old.isdisjoint(kept)
    assert "2 old backtests forgotten; " in capsys.readouterr().out


def test_newest_backtest_stays_however_old(lakehouse: Lakehouse, registry: ModelRegistry) -> None:
    add_backtest(lakehouse, registry, OLD - timedelta(days=1))
    newest = add_backtest(lakehouse, registry, OLD)
    maintain_now(lakehouse, registry)
    for spec in (*ROWS, BACKTEST_RUNS):
        assert runs_in(lakehouse, spec) == {newest}
    assert logged(registry) == {newest}


def test_rows_of_a_backtest_that_was_killed_go(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    whole = add_backtest(lakehouse, registry, NIGHT)
    add_row(lakehouse, BACKTEST_PREDICTIONS, "killed")
    maintain_now(lakehouse, registry)
    assert runs_in(lakehouse, BACKTEST_PREDICTIONS) == {whole}


def test_forgetting_that_was_killed_is_finished(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    old, newest = (add_backtest(lakehouse, registry, day) for day in (OLD, NIGHT))
    runs = registry.logged_runs()
    runs.client.log_text(old, "{}", "card.json")
    assert runs.artifacts
    folder = runs.artifacts / old
    assert folder.is_dir()
    lakehouse.delete_rows(BACKTEST_RUNS, {"run_id": [old]})
    runs.client.delete_run(old)
    maintain_now(lakehouse, registry)
    assert runs_in(lakehouse, BACKTEST_FIGURES) == {newest}
    assert logged(registry) == {newest}
    assert not folder.exists()


def test_of_backtests_that_say_the_same_the_newest_stays(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    assert forget_repeated(lakehouse, registry) == 0
    others = {
        add_backtest(lakehouse, registry, NIGHT - timedelta(days=1)),
        add_backtest(lakehouse, registry, NIGHT, threshold=0.4),
        add_backtest(lakehouse, registry, NIGHT, auc=0.9),
    }
    repeated = [add_backtest(lakehouse, registry, NIGHT) for _ in range(2)]
    newest = add_backtest(lakehouse, registry, NIGHT)
    # The figures of one are gone already: forgetting it was killed.
    lakehouse.replace_rows([], BACKTEST_FIGURES, {"run_id": repeated[:1]})
    assert forget_repeated(lakehouse, registry) == 2
    for spec in (*ROWS, BACKTEST_RUNS):
        assert runs_in(lakehouse, spec) == {*others, newest}
    assert logged(registry) == {*others, newest}


def test_evaluation_on_a_log_that_does_not_move_keeps_one_backtest(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def backtest_again(lakehouse: Lakehouse, registry: ModelRegistry, *_: Any) -> str:
        return add_backtest(lakehouse, registry, NIGHT)

    monkeypatch.setattr(evaluate.backtest, "run", backtest_again)
    monkeypatch.setattr(evaluate.report, "write_evaluation", lambda *_: "page")
    for _ in range(2):
        assert evaluate.run(lakehouse, registry, CONFIG.evaluation) == "page"
    assert len(runs_in(lakehouse, BACKTEST_RUNS)) == 1
    assert "1 earlier backtest forgotten: the newest says the same" in capsys.readouterr().out


def test_nothing_is_forgotten_where_no_backtest_was_run(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    maintain_now(lakehouse, registry)
    assert not lakehouse.exists(BACKTEST_RUNS)
    assert lakehouse.count_rows(DATA_CHECKS) == 1
