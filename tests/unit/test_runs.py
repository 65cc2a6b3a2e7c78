"""What a run leaves of itself: its row, its lines, its metrics; and nothing that breaks the run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import pytest
import typer
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from churn_spark.config import RunsConfig, load_config
from churn_spark.contracts.tables import DATA_CHECKS, RUNS, SCORES
from churn_spark.errors import ExitCode, InputError
from churn_spark.lakehouse.growth import measure_growth, read_versions
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.pipeline import console, run_record
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.run_record import RunRecord, note_date, recorded
from churn_spark.runtime import usage
from churn_spark.stores.checks import write_checks
from churn_spark.stores.runs import Run
from churn_spark.troubles import exit_code_of
from jobs import _job
from jobs._options import DateOption
from tests.local_lakehouse import open_local

MONDAY, TUESDAY = date(2018, 10, 1), date(2018, 10, 2)
SILENT = RunsConfig(log="", metrics_folder="")


@pytest.fixture
def lakehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """A lakehouse with one night's checks; there is no JVM that could have used anything."""
    monkeypatch.setattr(RunRecord, "_processes", lambda _: {os.getpid()})
    found = open_local(tmp_path / "lakehouse")
    check(found, MONDAY, 3)
    return found


def check(lakehouse: Lakehouse, night: date, n: int) -> None:
    write_checks(lakehouse, night, [CheckResult(f"c{i}", 0.0, "", True, "") for i in range(n)])


def start(
    lakehouse: Lakehouse, config: RunsConfig = SILENT, night: date | None = None
) -> RunRecord:
    return RunRecord(lakehouse, config, "nightly", 1_000_000_000.0, night)


def read_runs(lakehouse: Lakehouse) -> list[Run]:
    rows = lakehouse.read_arrow(RUNS).sort_by([("date", "ascending")])
    return [Run.of_row(row) for row in rows.to_pylist()]


def test_run_has_what_it_took_and_wrote(lakehouse: Lakehouse) -> None:
    with recorded(start(lakehouse)):
        note_date(TUESDAY)
        with console.closing_line("check_data"):
            check(lakehouse, TUESDAY, 5)
    (run,) = read_runs(lakehouse)
    assert (run.job, run.date, run.exit_code, run.error) == ("nightly", TUESDAY, 0, None)
    assert run.started_ts.isoformat() == "2001-09-09T01:46:40+00:00"
    assert run.seconds > 500_000_000
    assert run.cpu_seconds > 0
    assert list(run.steps) == ["check_data"]
    assert list(run.tables) == [DATA_CHECKS.path]
    written = run.tables[DATA_CHECKS.path]
    assert (written.before, written.version, written.rows, written.files) == (0, 1, 5, 1)
    assert written.bytes > 0
    assert written.seconds == run.steps["check_data"]


def test_run_that_fails_is_kept_with_its_error(lakehouse: Lakehouse) -> None:
    with pytest.raises(InputError), recorded(start(lakehouse, night=MONDAY)):
        raise InputError("nothing there")
    (run,) = read_runs(lakehouse)
    assert (run.exit_code, run.error, run.tables) == (2, "InputError", {})


def test_each_date_of_a_process_is_a_run(lakehouse: Lakehouse) -> None:
    with recorded(start(lakehouse)):
        for night in (MONDAY, TUESDAY):
            note_date(night)
            check(lakehouse, night, 2)
            note_date(night)
    first, second = read_runs(lakehouse)
    assert (first.date, second.date) == (MONDAY, TUESDAY)
    assert second.seconds < 1000
    # The record of the first is written within the second.
    assert [run.tables[DATA_CHECKS.path].version for run in (first, second)] == [1, 2]


def test_empty_folder_stays_empty_when_the_run_wrote_nothing(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    with recorded(start(open_local(tmp_path / "new"))):
        pass
    assert not (tmp_path / "new").exists()


def test_run_ends_well_when_it_cannot_be_kept(
    lakehouse: Lakehouse, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "runs")

    monkeypatch.setattr(run_record, "write_run", fail)
    with recorded(start(lakehouse)):
        pass
    assert capsys.readouterr().err.startswith("warning: what this run took could not be kept: ")

    # Of a run that ends with the same one line says enough.
    with suppress(PermissionError), recorded(start(lakehouse)):
        fail()
    assert capsys.readouterr().err == ""
    with suppress(ZeroDivisionError), recorded(start(lakehouse)):
        raise ZeroDivisionError
    assert capsys.readouterr().err.startswith("warning: what this run took could not be kept: ")


def test_lines_are_json_one_a_table_and_one_a_run(lakehouse: Lakehouse, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "runs.jsonl"
    for _ in range(2):
        with recorded(start(lakehouse, RunsConfig(log=str(log), metrics_folder=""), TUESDAY)):
            check(lakehouse, TUESDAY, 4)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["table", "run"] * 2
    table, run = lines[:2]
    assert (table["table"], table["rows"], table["date"]) == (DATA_CHECKS.path, 4, "2018-10-02")
    assert table["run_id"] == run["run_id"]
    assert run["exit_code"] == 0


def test_metrics_are_what_a_collector_reads(lakehouse: Lakehouse, tmp_path: Path) -> None:
    config = RunsConfig(log="", metrics_folder=str(tmp_path / "metrics"))
    with recorded(start(lakehouse, config, TUESDAY)):
        check(lakehouse, TUESDAY, 4)
    (file,) = (tmp_path / "metrics").iterdir()
    assert file.name == "churn_spark_nightly.prom"
    found = {
        (sample.name, sample.labels.get("table")): sample.value
        for family in text_string_to_metric_families(file.read_text())
        for sample in family.samples
    }
    assert found["churn_spark_run_exit_code", None] == 0
    assert found["churn_spark_run_date_timestamp_seconds", None] == 1_538_438_400
    assert found["churn_spark_table_rows", DATA_CHECKS.path] == 4


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (None, 0),
        (InputError("none"), 2),
        (SystemExit(3), 3),
        (OSError(28, "No space left on device"), 2),
        (ZeroDivisionError(), 1),
        (KeyboardInterrupt(), 1),
    ],
)
def test_exit_code_is_the_commands(error: BaseException | None, code: int) -> None:
    assert exit_code_of(error) == code


def test_exit_code_of_a_night_is_kept(lakehouse: Lakehouse) -> None:
    with pytest.raises(typer.Exit), recorded(start(lakehouse)):
        raise typer.Exit(ExitCode.HELD)
    assert read_runs(lakehouse)[0].exit_code == 30


def test_each_date_of_a_job_has_the_exit_code_that_it_ended_with(
    lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = typer.Typer()
    wednesday = date(2018, 10, 3)

    @contextmanager
    def open_job(*_: object, **__: object) -> Iterator[JobContext]:
        with recorded(start(lakehouse)):
            yield JobContext(load_config(), lakehouse)

    @_job.job(app, "nightly", in_order=True)
    def main(context: JobContext, date: DateOption) -> ExitCode:
        """Say something."""
        return ExitCode.HELD if date == MONDAY else ExitCode.DONE

    def ended(*arguments: str) -> int:
        return CliRunner().invoke(app, [*arguments]).exit_code

    monkeypatch.setattr(_job, "open_job", open_job)
    assert ended("--from", str(MONDAY), "--to", str(wednesday)) == ExitCode.HELD
    assert [(run.date, run.exit_code, run.error) for run in read_runs(lakehouse)] == [
        (MONDAY, 30, None),
        (TUESDAY, 0, None),
        (wednesday, 0, None),
    ]
    lakehouse.drop(RUNS)
    # One date alone.
    assert ended("--date", str(MONDAY)) == ExitCode.HELD
    assert [(run.exit_code, run.error) for run in read_runs(lakehouse)] == [(30, None)]


def test_growth_counts_from_the_first_version_when_a_table_was_made_anew(
    lakehouse: Lakehouse,
) -> None:
    check(lakehouse, TUESDAY, 1)
    before = read_versions(lakehouse, [DATA_CHECKS, SCORES])
    assert before == {DATA_CHECKS: 1, SCORES: -1}
    assert measure_growth(lakehouse, before) == {}
    lakehouse.drop(DATA_CHECKS)
    check(lakehouse, MONDAY, 7)
    growth = measure_growth(lakehouse, before)
    assert {spec: (one.before, one.rows) for spec, one in growth.items()} == {DATA_CHECKS: (-1, 7)}


def test_usage_has_what_ended_children_took() -> None:
    work = "import time\nwhile time.process_time() < .5: pass"
    before = usage.cpu_seconds([os.getpid()])
    subprocess.run([sys.executable, "-c", work], check=True)
    assert usage.cpu_seconds([os.getpid()]) - before > 0.4
    assert os.getpid() in usage.find_processes(os.getpid())


def test_usage_is_of_this_process_alone_where_the_system_tells_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(usage, "_read", lambda *_: "")
    assert usage.cpu_seconds([1]) > 0
    assert usage.peak_bytes([1]) is None
