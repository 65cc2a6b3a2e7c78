"""Two lakehouses of one log are the same, or it is said in which table they aren't."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from bench import same_lakehouse
from bench.table_differences import Difference, compare_tables
from churn_spark.config import load_config

SCORES = {
    "user_id": ["a", "b", "c"],
    "churn_probability": [0.25, 0.5, 0.75],
    "value_at_risk": [1e6, 2e6, None],
    "reasons": [["few songs"], [], None],
}


def scores(**changed: Any) -> pa.Table:
    return pa.table(SCORES | changed)


def reasons(contribution: float) -> pa.Table:
    return pa.table({"reasons": [[{"feature": "n_songs_7d", "contribution": contribution}]]})


def differing(before: pa.Table, after: pa.Table) -> tuple[int, tuple[str, ...]]:
    found = compare_tables(before, after)
    return found.n_differing, found.columns


def write_lakehouse(
    folder: Path, run_id: str = "1f", champion: str = "1", table: pa.Table | None = None
) -> Path:
    """Scores, a file of the log beside them, and a registry with a champion."""
    written = scores() if table is None else table
    write_deltalake(
        str(folder / "ml" / "scores"),
        written.append_column("run_id", pa.array([run_id] * written.num_rows)),
    )
    log = [f"file:{folder}/log/{name}.json" for name in ("2018-10-01/a", "2018-10-02/a")]
    files = {"source_file": log, "modified_ts": [datetime.now(UTC)] * 2}
    write_deltalake(str(folder / "bronze" / "files"), pa.table(files))
    (folder / "mlflow").mkdir()
    with closing(sqlite3.connect(folder / "mlflow" / "mlflow.db")) as store, store:
        store.execute("CREATE TABLE registered_model_aliases (workspace, name, alias, version)")
        name = load_config().registry.model_name
        alias = ["default", name, "champion", champion]
        store.execute("INSERT INTO registered_model_aliases VALUES (?, ?, ?, ?)", alias)
    return folder


def compared(before: Path, after: Path, capsys: pytest.CaptureFixture[str]) -> tuple[Any, str]:
    """Exit code and last line."""
    with pytest.raises(SystemExit) as end:
        same_lakehouse.main(before, after)
    return end.value.code, capsys.readouterr().out.strip().splitlines()[-1]


def test_numbers_within_lists_are_compared_to_six_digits() -> None:
    assert differing(reasons(0.25), reasons(0.25 + 1e-13)) == (0, ())
    assert differing(reasons(0.25), reasons(0.25001)) == (1, ("reasons",))


def test_same_rows_in_another_order_are_no_difference() -> None:
    assert compare_tables(scores(), scores().take([2, 0, 1])) == Difference(3, 3, 0)
    numbers = scores().select(["churn_probability"])
    assert compare_tables(numbers, numbers.take([2, 0, 1])) == Difference(3, 3, 0)


def test_repeated_row_counts_as_often_as_it_is_there() -> None:
    assert compare_tables(scores().take([0, 0, 1]), scores().take([0, 1, 1])).n_differing == 1


@pytest.mark.parametrize(("moved_by", "n_differing"), [(1e-9, 1), (2e-12, 1), (5e-13, 0)])
def test_probability_differs_from_1e_12_on(moved_by: float, n_differing: int) -> None:
    moved = scores(churn_probability=[0.25, 0.5, 0.75 + moved_by])
    assert differing(scores(), moved)[0] == n_differing


@pytest.mark.parametrize(("moved_by", "n_differing"), [(1e-9, 1), (5e-13, 0)])
def test_part_of_a_log_odds_near_zero_differs_from_1e_12_on(
    moved_by: float, n_differing: int
) -> None:
    before, after = (pa.table({"user_id": ["a"], "part_help": [1e-6 + by]}) for by in (0, moved_by))
    assert compare_tables(before, after).n_differing == n_differing


@pytest.mark.parametrize(("factor", "n_differing"), [(1 + 1e-9, 1), (1 + 5e-13, 0)])
def test_other_numbers_differ_from_1e_12_of_themselves_on(factor: float, n_differing: int) -> None:
    moved = scores(value_at_risk=[1e6 * factor, 2e6, None])
    assert differing(scores(), moved)[0] == n_differing


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("user_id", ["a", "b", None]),
        ("value_at_risk", [1e6, 2e6, float("nan")]),
        ("reasons", [["few songs"], [], []]),
    ],
)
def test_null_is_another_value_than_any(column: str, values: list[Any]) -> None:
    assert differing(scores(), scores(**{column: values})) == (1, (column,))


def test_values_that_changed_places_are_a_difference() -> None:
    assert differing(scores(), scores(user_id=["b", "a", "c"]))[0] == 2


def test_column_differs_when_it_is_gone_or_retyped_but_not_when_it_is_new() -> None:
    with_rank = scores(risk_rank=[3, 2, 1])
    assert compare_tables(scores(), with_rank).is_same
    as_words = scores(risk_rank=["3", "2", "1"])
    for after, problem in ((scores(), "risk_rank (missing)"), (as_words, "risk_rank (type)")):
        found = compare_tables(with_rank, after)
        assert (found.is_same, found.problems) == (False, [problem])


def test_lakehouses_are_the_same_wherever_they_lie_and_whatever_their_runs_are_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write_lakehouse(tmp_path / "older", run_id="1f")
    after = write_lakehouse(tmp_path / "new", run_id="2e")
    assert compared(before, after, capsys) == (0, "SAME: 2 tables, champion 1")


def test_lakehouses_differ_when_a_probability_a_table_or_the_champion_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = write_lakehouse(tmp_path / "before")
    moved = write_lakehouse(
        tmp_path / "moved", table=scores(churn_probability=[0.25, 0.5, 0.75 + 1e-9])
    )
    assert compared(before, moved, capsys) == (1, "DIFFERENT: ml/scores")
    crowned = write_lakehouse(tmp_path / "crowned", champion="2")
    (crowned / "bronze" / "files").rename(tmp_path / "gone")
    assert compared(before, crowned, capsys) == (
        1,
        "DIFFERENT: bronze/files, the champion (version 1, then 2)",
    )
