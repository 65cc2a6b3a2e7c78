"""Backtests of long ago are forgotten whole, but for the newest; a killed one leaves no rows."""

from __future__ import annotations

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
from churn_spark.pipeline import maintain
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


def add_backtest(lakehouse: Lakehouse, registry: ModelRegistry, end: date) -> str:
    with registry.run("backtest", {"date": str(end), "cutoff": str(end)}) as run_id:
        pass
    for spec in ROWS:
        add_row(lakehouse, spec, run_id)
    add_row(lakehouse, BACKTEST_RUNS, run_id, date=end, card="{}")
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
    newest = add_backtest(lakehouse, registry, OLD)
    add_backtest(lakehouse, registry, OLD - timedelta(days=1))
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


def test_nothing_is_forgotten_where_no_backtest_was_run(
    lakehouse: Lakehouse, registry: ModelRegistry
) -> None:
    maintain_now(lakehouse, registry)
    assert not lakehouse.exists(BACKTEST_RUNS)
    assert lakehouse.count_rows(DATA_CHECKS) == 1
