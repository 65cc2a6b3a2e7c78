"""What a plan says of a lakehouse, without Spark: rows, late dates, and for how long."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from churn_spark.config import load_config
from churn_spark.contracts.tables import DATA_CHECKS, EVENTS, SCORES, TRANSITIONS
from churn_spark.errors import InputError, MissingTableError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import demo, snapshots
from churn_spark.pipeline.catalogue import find_use_case
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.durations import read_durations
from churn_spark.pipeline.plan import say_plan
from churn_spark.pipeline.planner import Planner
from churn_spark.stores.runs import Run, write_run
from tests.late_log import DATES, SCORED, UNSCORED, deliver, learning
from tests.local_lakehouse import open_local

BEGAN = datetime(2018, 12, 1, 3, tzinfo=UTC)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """One date built, and late events since."""
    found = open_local(tmp_path)
    deliver(found, "ab")
    snapshots.run(found, DATES, learning(), read_log_dates(found))
    deliver(found, "abc")
    return found


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def plan(lakehouse: Lakehouse, job: str, dates: list[date | None], **options: object) -> None:
    say_plan(Planner(lakehouse, load_config(), options), job, dates)


def took(n: int, steps: dict[str, float]) -> Run:
    began = BEGAN + timedelta(days=n)
    return Run(f"r{n}", "nightly", None, began, 9.0, 9.0, None, 0, None, steps, {})


def test_plan_says_why_a_date_is_built_and_changes_no_byte(
    lakehouse: Lakehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(tmp_path)
    other = UNSCORED + timedelta(days=1)
    plan(lakehouse, "build_snapshots", [SCORED, other], refresh_from=UNSCORED)
    said = capsys.readouterr().out
    assert f"the snapshot of {SCORED}: out of date: log or settings changed" in said
    assert f"the snapshot of {other}: not built yet" in said
    assert f"the snapshots of 1 date ({UNSCORED}): out of date: log or settings changed" in said
    assert content(tmp_path) == before
    for spec in (EVENTS, TRANSITIONS):
        lakehouse.create(spec)
    plan(lakehouse, "train_model", [UNSCORED + timedelta(days=22)])
    assert "weekly dates, of which" in capsys.readouterr().out


def test_plan_counts_the_rows_that_are_replaced(
    lakehouse: Lakehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    score = dict.fromkeys(SCORES.column_names) | {"as_of": SCORED, "user_id": "a"}
    lakehouse.replace_rows([tuple(score.values())], SCORES, {"as_of": [SCORED]})
    plan(lakehouse, "score_users", [SCORED, UNSCORED])
    said = capsys.readouterr().out
    assert f"ml/scores of {SCORED} (1 row replaced)" in said
    assert f"ml/scores of {UNSCORED} (new)" in said
    for spec in (EVENTS, TRANSITIONS, DATA_CHECKS):
        lakehouse.create(spec)
    plan(lakehouse, "retrain_if_needed", [SCORED])
    said = capsys.readouterr().out
    assert "gold/snapshots of the dates that it reads, where out of date with the log" in said
    assert f"monitoring/decisions of {SCORED} (new)" in said


@pytest.mark.parametrize(
    "job",
    [
        "build_session_days",
        "train_model",
        "retrain_if_needed",
        "build_retention_list",
        "record_contacts",
        "check_data",
        "backtest",
        "erase_user",
    ],
)
def test_job_whose_tables_are_missing_is_refused(lakehouse: Lakehouse, job: str) -> None:
    with pytest.raises(MissingTableError, match=f"expected it before {job}"):
        plan(lakehouse, job, [SCORED], user=["7"])


def test_every_job_that_writes_has_a_plan_of_its_own() -> None:
    jobs = Path(__file__).resolve().parents[2] / "jobs"
    declared = re.compile(r'^@job\(app, "(\w+)"(.*)\)$', re.MULTILINE)
    found = [one for file in jobs.glob("*.py") for one in declared.findall(file.read_text())]
    writers = {name for name, options in found if "writes=False" not in options}
    assert {"nightly", "maintain_tables", "erase_user"} < writers
    assert {name for name in writers if find_use_case(name) is None} == {"demo"}


def test_plan_of_a_demo_names_its_log_its_nights_and_the_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    plan(open_local(folder), "demo", [None], nights=3)
    said = capsys.readouterr().out
    log = folder / demo.DEMO_FOLDER
    assert f"demo                 a log of 400 users and 112 days is simulated in {log}" in said
    assert "demo                 3 nights on it: 2019-01-19, 2019-01-20, 2019-01-21" in said
    assert "expected run time: about 2 minutes\n" in said
    assert not folder.exists()
    (folder / "bronze").mkdir(parents=True)
    with pytest.raises(InputError, match="has tables of other logs"):
        plan(open_local(folder), "demo", [None], nights=3)


def test_plan_tells_how_long_the_newest_runs_took(
    lakehouse: Lakehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    plan(lakehouse, "score_users", [SCORED])
    assert "expected run time: not known yet" in capsys.readouterr().out
    for n, seconds in enumerate([900.0, 900.0, 10.0, 20.0, 70.0, 80.0, 90.0]):
        write_run(lakehouse, took(n, {"score_users": seconds, "monitor_model": 1.0}))
    assert read_durations(lakehouse) == {"score_users": 70.0, "monitor_model": 1.0}
    plan(lakehouse, "score_users", [SCORED, UNSCORED])
    assert "expected run time: about 2 minutes, from earlier runs" in capsys.readouterr().out
