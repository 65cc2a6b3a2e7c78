"""The doctor: what it finds of machine, installation and lakehouse, and what it says to do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from obstore.store import LocalStore
from typer.testing import CliRunner

from churn_spark.config import LockConfig, load_config
from churn_spark.contracts.places import IN_LOG
from churn_spark.contracts.tables import LOG_DATES
from churn_spark.errors import MachineError
from churn_spark.lakehouse.lock_holder import LockHolder, this_holder
from churn_spark.lakehouse.lock_store import ConditionalStore
from churn_spark.lakehouse.lock_tenure import Tenure, begin_tenure
from churn_spark.lakehouse.native_rows import open_table
from churn_spark.pipeline import doctor_machine as machine
from churn_spark.pipeline.doctor_findings import Finding, Verdict, look
from churn_spark.pipeline.doctor_lakehouse import (
    count_small,
    judge_erasure,
    judge_lock,
    look_at_lakehouse,
)
from churn_spark.stores.erasures import Erasure, write_pending
from jobs._main import make_app
from tests.local_lakehouse import open_local

pytestmark = pytest.mark.unit
GB = int(1e9)
LOCK = LockConfig(required=True, renew_seconds=1, stale_minutes=5)
OK, WARNING, ERROR = Verdict


def test_python_of_another_line_is_an_error() -> None:
    assert machine.judge_python((3, 11), "/venv").verdict is OK
    assert machine.judge_python((3, 12), "/venv").verdict is ERROR


@pytest.mark.parametrize(
    ("there", "verdict", "said"),
    [
        (
            {"numpy": "1.26.4", "polars": "2.1.0", "more": "1"},
            OK,
            "2 packages, versions as in x.lock",
        ),
        ({"numpy": "2.0", "polars": "2.1.0"}, WARNING, "numpy 2.0 (locked: 1.26.4)"),
        ({"numpy": "2.0"}, ERROR, "polars of x.lock missing"),
    ],
)
def test_packages_are_held_against_the_lock(
    there: dict[str, str], verdict: Verdict, said: str
) -> None:
    found = machine.judge_packages("x.lock", {"numpy": "1.26.4", "polars": "2.1.0"}, there)
    assert found.verdict is verdict
    assert said in found.found


def test_lock_of_the_code_is_read_where_set_up_has_left_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "state_dir", lambda: tmp_path)
    where, pinned = machine.read_lock()
    assert where.endswith("requirements/base.lock")
    assert pinned["pyspark"] == "3.5.9"
    (tmp_path / "installed.lock").write_text("pyspark==4.2.0 \\\n    --hash=sha256:00\n")
    assert machine.read_lock() == (str(tmp_path / "installed.lock"), {"pyspark": "4.2.0"})


@pytest.mark.parametrize(
    ("available", "total", "verdict"),
    [(4 * GB, 8 * GB, OK), (2 * GB, 8 * GB, WARNING), (1 * GB, 1 * GB, ERROR)],
)
def test_memory_must_hold_the_jvm_and_python(available: int, total: int, verdict: Verdict) -> None:
    assert machine.judge_memory(available, total, heap=2 * GB).verdict is verdict


@pytest.mark.parametrize(("free", "verdict"), [(5 * GB, OK), (4 * GB, WARNING), (GB // 2, ERROR)])
def test_disk_must_have_room(free: int, verdict: Verdict) -> None:
    assert machine.judge_room("disk", "/tmp", free).verdict is verdict


def test_jars_that_were_not_fetched_are_a_warning() -> None:
    assert (machine.judge_jars(23).verdict, machine.judge_jars(0).verdict) == (OK, WARNING)


@pytest.mark.parametrize(("text", "size"), [("2g", 2 << 30), ("512M", 512 << 20), ("7", 7)])
def test_sizes_are_read_as_java_writes_them(text: str, size: int) -> None:
    assert machine.parse_size(text) == size


def test_look_that_fails_is_a_finding_and_those_before_it_stay() -> None:
    def fail() -> Iterator[Finding]:
        yield Finding("java", OK, "one")
        raise MachineError("found no Java, expected Java 17: install it")

    first, second = look("java", fail)
    assert first.found == "one"
    assert second == Finding("java", ERROR, "found no Java, expected Java 17", "install it")
    [odd] = look("java", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    assert (odd.verdict, odd.found) == (
        ERROR,
        "can't be looked at: ZeroDivisionError: division by zero",
    )


def held_by(holder: LockHolder) -> Finding:
    return judge_lock(Tenure(1, holder), LOCK)


def test_lock_is_free_or_left_or_held() -> None:
    here = this_holder("nightly", [])
    assert judge_lock(None, LOCK).found == "free"
    assert held_by(here.renewed(is_released=True)).found == "free"
    assert held_by(here).verdict is WARNING
    long_ago = datetime.now(UTC) - timedelta(minutes=6)
    elsewhere = replace(here, host="other", machine="other")
    assert held_by(elsewhere).verdict is WARNING
    left = held_by(replace(elsewhere, renewed_at=long_ago))
    assert left.verdict is OK
    assert "the next job takes the lock over" in left.found


def test_interrupted_erasure_is_an_error_and_one_at_work_is_none() -> None:
    noted = Erasure("r", ["hash 1", "hash 2"], {}, [], [])
    here = this_holder("erase_user", [])
    assert judge_erasure(None, Tenure(1, here), LOCK).verdict is OK
    at_work = judge_erasure(noted, Tenure(1, here), LOCK)
    assert (at_work.verdict, at_work.found) == (OK, "one of 2 users is under way")
    for other in (None, here.renewed(is_released=True), this_holder("nightly", [])):
        found = judge_erasure(noted, Tenure(1, other) if other else None, LOCK)
        assert found.verdict is ERROR
        assert "erase_user` again for the same users" in found.advice


@pytest.fixture
def root(tmp_path: Path) -> str:
    lakehouse = open_local(tmp_path)
    lakehouse.replace_rows([(date(2018, 10, 1), 5, IN_LOG)], LOG_DATES, {})
    return str(tmp_path)


def examine(root: str, *overrides: str) -> dict[str, Finding]:
    config = load_config(overrides=[f"lakehouse={root}", *overrides])
    return {one.check: one for one in look_at_lakehouse(config)}


def test_lakehouse_that_is_well_has_only_no_champion(root: str) -> None:
    found = examine(root)
    assert {name for name, one in found.items() if one.verdict is not OK} == {"champion"}
    assert found["tables"].found == "1 table can be read"


def test_empty_place_is_a_warning(tmp_path: Path) -> None:
    found = examine(str(tmp_path / "new"))
    assert found["tables"].verdict is WARNING
    assert "churn-spark demo" in found["tables"].advice


def test_lost_and_damaged_files_are_errors(root: str) -> None:
    [file] = Path(root, LOG_DATES.path).glob("*.parquet")
    file.write_bytes(file.read_bytes()[:20])
    damaged = examine(root)[LOG_DATES.path]
    assert (damaged.verdict, damaged.advice.split()[0]) == (ERROR, "restore")
    file.unlink()
    assert f"1 file missing: {file.name}" in str(examine(root)[LOG_DATES.path])


def test_small_files_are_counted_by_partition(root: str) -> None:
    table = open_table(f"{root}/{LOG_DATES.path}", {}, LOG_DATES)
    assert table is not None
    config = load_config().maintenance.model_copy(update={"min_small_files": 1})
    assert count_small({LOG_DATES: table}, config) == {LOG_DATES.path: 1}
    assert count_small({LOG_DATES: table}, load_config().maintenance) == {}


def test_lock_of_a_lakehouse_is_found(root: str) -> None:
    begin_tenure(ConditionalStore(LocalStore(root)), None, this_holder("train_model", []))
    assert f"held by train_model (process {os.getpid()}" in examine(root)["lock"].found


def test_erasure_that_was_interrupted_is_found(root: str) -> None:
    assert examine(root)["erasure"].found == "none was interrupted"
    write_pending(open_local(root), Erasure("r", ["hash"], {}, [], []))
    assert "one of 1 user was interrupted" in examine(root)["erasure"].found


def call(root: str, *arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(make_app(), ["doctor", *arguments], env={"LAKEHOUSE": root})
    return answer.exit_code, answer.output


def test_command_exits_with_2_only_for_errors(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever machine the tests run on.
    monkeypatch.setattr("churn_spark.pipeline.doctor.look_at_machine", lambda _: iter(()))
    monkeypatch.setattr("churn_spark.pipeline.doctor.look_at_python", lambda: iter(()))
    code, told = call(root)
    assert (code, told.splitlines()[-1]) == (0, "0 errors, 1 warning")
    assert "         to do:" in told
    code, told = call(root, "--set", "spark.driver_memoy=2g")
    assert (code, told.splitlines()[-1]) == (2, "1 error, 0 warnings")
    assert "did you mean spark.driver_memory?" in told


def test_json_has_the_same_findings(root: str) -> None:
    code, told = call(root, "--json")
    findings = json.loads(told)
    assert {"check", "verdict", "found", "advice"} == {*findings[0]}
    assert {"python", "packages", "java", "memory", "lock"} <= {one["check"] for one in findings}
    assert code == (2 if "error" in {one["verdict"] for one in findings} else 0)
