"""How a lakehouse stands: what is told of a full one, a new one, and of what is none."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from churn_spark.config import load_config
from churn_spark.contracts.places import AT_EDGE, IN_LOG
from churn_spark.contracts.tables import ALERTS, BUILT_LISTS, LOG_DATES, RETENTION_LISTS
from churn_spark.errors import InputError
from churn_spark.pipeline.status import read_status
from churn_spark.pipeline.status_page import describe_days, show_status
from churn_spark.pipeline.tables_without_spark import find_root
from churn_spark.stores.erasures import Erasure, write_pending
from churn_spark.stores.runs import Run, TableWritten, write_run
from tests.local_lakehouse import open_local

SCHEDULE = load_config().schedule
MONDAY, TUESDAY = date(2018, 10, 1), date(2018, 10, 2)
WRITTEN = {"ml/scores": TableWritten(0, 1, 226, 2_500_000, 1, 1.5)}


def run(started: datetime, exit_code: int = 0, error: str | None = None) -> Run:
    night = started.date()
    steps = {"score_users": 1.5}
    return Run(
        f"{started}", "nightly", night, started, 12.3, 20.0, 10**9, exit_code, error, steps, WRITTEN
    )


def alert(night: date, key: str, severity: str, resolved: date | None = None) -> tuple[object, ...]:
    return (night, key, "kept", severity, f"{key} has moved", MONDAY, night, MONDAY, 0, resolved)


@pytest.fixture
def full(tmp_path: Path) -> str:
    """A lakehouse with two nights, the second of which failed."""
    lakehouse = open_local(tmp_path)
    write_run(lakehouse, run(datetime(2018, 10, 1, 3, tzinfo=UTC)))
    write_run(lakehouse, run(datetime(2018, 10, 2, 3, tzinfo=UTC), 2, "InputError"))
    days = [(date(2018, 9, 30), 5, IN_LOG), (MONDAY, 5, IN_LOG), (TUESDAY, 1, AT_EDGE)]
    lakehouse.replace_rows(days, LOG_DATES, {})
    old = [alert(MONDAY, "old", "critical")]
    lakehouse.replace_rows(old, ALERTS, {"run_date": [MONDAY]})
    now = [alert(TUESDAY, f"num_{n}", "info") for n in range(6)]
    now += [alert(TUESDAY, "worst", "warning"), alert(TUESDAY, "ended", "critical", TUESDAY)]
    lakehouse.replace_rows(now, ALERTS, {"run_date": [TUESDAY]})
    return str(tmp_path)


def shown(lakehouse: str, width: int = 120, n_runs: int = 10) -> str:
    out = io.StringIO()
    show_status(read_status(lakehouse, n_runs, SCHEDULE), Console(file=out, width=width))
    return out.getvalue()


def test_last_runs_come_first_with_how_they_ended(full: str) -> None:
    status = read_status(full, 10, SCHEDULE)
    assert [run.date for run in status.runs] == [TUESDAY, MONDAY]
    text = shown(full)
    assert re.search(r"12\.3 +20\.0 +1,000 +2\.5 +2: InputError", text)
    assert text.index("2: InputError") < text.index("done")
    assert [run.date for run in read_status(full, 1, SCHEDULE).runs] == [TUESDAY]


def test_held_night_has_its_exit_code_and_no_error(tmp_path: Path) -> None:
    write_run(open_local(tmp_path), run(datetime(2018, 10, 2, 3, tzinfo=UTC), 30))
    assert re.search(r"2\.5 +30 *$", shown(str(tmp_path)), re.MULTILINE)


def test_error_with_brackets_is_shown_as_it_is(tmp_path: Path) -> None:
    failed = run(datetime(2018, 10, 2, 3, tzinfo=UTC), 2, "InputError: found [/x] and [b]")
    write_run(open_local(tmp_path), failed)
    assert "found [/x] and [b]" in " ".join(shown(str(tmp_path), width=250).split())


def test_open_alerts_of_the_newest_night_are_told_the_gravest_first(full: str) -> None:
    text = shown(full)
    assert "alerts      1 warning, 6 info; the most severe:" in text
    assert text.index("warning since 2018-10-01: worst") < text.index(
        "info since 2018-10-01: num_0"
    )
    assert "num_4" not in text
    assert "ended has moved" not in text
    assert "old has moved" not in text


def test_newest_day_of_the_log_is_a_usual_one(full: str) -> None:
    last_days = read_status(full, 1, SCHEDULE).last_days
    assert last_days == {"log": MONDAY, "scores": None, "list": None}
    assert f"{RETENTION_LISTS.path}" not in shown(full)


def test_newest_list_may_have_nobody(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    listed = pd.DataFrame([{**dict.fromkeys(RETENTION_LISTS.column_names), "as_of": MONDAY}])
    lakehouse.replace_rows(listed, RETENTION_LISTS, {})
    assert read_status(str(tmp_path), 1, SCHEDULE).last_days["list"] == MONDAY
    lakehouse.replace_rows([(TUESDAY, 0)], BUILT_LISTS, {})
    assert read_status(str(tmp_path), 1, SCHEDULE).last_days["list"] == TUESDAY


def test_sizes_are_those_of_the_newest_version_and_of_all(full: str) -> None:
    sizes = {size.path: size for size in read_status(full, 1, SCHEDULE).sizes}
    alerts = sizes[ALERTS.path]
    assert (alerts.version, alerts.rows, alerts.files) == (1, 9, 2)
    assert 0 < alerts.n_bytes < (alerts.on_disk or 0)


def test_what_is_missing_is_said_to_be(tmp_path: Path) -> None:
    open_local(tmp_path).replace_rows([(MONDAY, 5, IN_LOG)], LOG_DATES, {})
    text = shown(str(tmp_path))
    assert "none yet: no model was trained" in text
    assert "none open" in text
    assert "runs        none so far" in text


def test_published_champion_is_named(full: str) -> None:
    pointer = Path(full, "champion", "current.json")
    pointer.parent.mkdir()
    told = {"version": "3", "fingerprint": "", "folder": "3-a", "files": {}}
    pointer.write_text(str({**told, "trained_on": {"as_of": "2018-09-24"}}).replace("'", '"'))
    assert "model       version 3, trained as of 2018-09-24" in shown(full)
    pointer.write_text("{")
    assert "none yet" in shown(full)


def test_interrupted_erasure_is_told(full: str) -> None:
    assert "erasure  " not in shown(full)
    write_pending(open_local(full), Erasure("r", ["hash"], {}, [], []))
    assert "erasure     of 1 user, begun and not finished: `churn-spark doctor`" in shown(full)


@pytest.mark.parametrize("name", ["", "missing", "file"])
def test_what_is_no_lakehouse_is_refused_and_left_as_it_is(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"found none of this project's tables in .*make demo"):
        read_status(str(tmp_path / name), 10, SCHEDULE)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_storage_that_only_spark_reaches_is_refused() -> None:
    with pytest.raises(InputError, match="only by way of Spark"):
        find_root("ofs://host/lake")
    assert find_root("s3a://bucket/lake") == "s3a://bucket/lake"


def test_date_that_is_still_to_come_has_no_negative_age(full: str) -> None:
    days = {"event": MONDAY, "scores": date(2018, 10, 3), "list": None}
    status = replace(read_status(full, 1, SCHEDULE), last_days=days)
    assert describe_days(status, TUESDAY) == (
        "event 2018-10-01 (1 day ago), scores 2018-10-03 (in 1 day), list none"
    )
