"""What the service says of nights that come and that don't."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from serving_builders import make_config

from churn_spark.contracts.tables import RUNS
from churn_spark.serving.service import Service, is_ready
from churn_spark.stores.runs import Run, write_run
from tests.local_lakehouse import open_local

SUNDAY, MONDAY = date(2026, 3, 1), date(2026, 3, 2)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def finish(folder: Path, night: date, exit_code: int = 0) -> None:
    began = datetime(night.year, night.month, night.day, 3, tzinfo=UTC)
    run = Run(f"{night}-{exit_code}", "nightly", night, began, 9.0, 9.0, 1, exit_code, None, {}, {})
    write_run(open_local(folder), run)


def service_of(folder: Path, expected_by: str = "06:00") -> Service:
    config = make_config(folder).service
    schedule = config.schedule.model_copy(update={"expected_by": expected_by})
    service = Service(config.model_copy(update={"schedule": schedule}), now=lambda: NOW)
    for look in service.looks():
        look()
    return service


def gauges(service: Service) -> dict[str, float]:
    lines = service.figures.text().decode().splitlines()
    named = [line.split() for line in lines if "night" in line and not line.startswith("#")]
    return {name: float(value) for name, value in named}


@pytest.mark.parametrize(("newest", "is_ok", "late"), [(MONDAY, True, 0), (SUNDAY, False, 10_800)])
def test_night_that_is_late_is_said_and_measured(
    tmp_path: Path, newest: date, is_ok: bool, late: float
) -> None:
    finish(tmp_path, newest)
    service = service_of(tmp_path)
    check = service.checks()["night"]
    assert check.is_ok is is_ok
    assert f"the newest finished night is of {newest}" in check.detail
    # The list of yesterday is better than none: it goes on answering.
    assert is_ready({"night": check})
    assert gauges(service) == {
        "churn_newest_night_timestamp_seconds": datetime(
            newest.year, newest.month, newest.day, tzinfo=UTC
        ).timestamp(),
        "churn_expected_night_timestamp_seconds": datetime(2026, 3, 2, tzinfo=UTC).timestamp(),
        "churn_night_late_seconds": late,
    }


def test_log_of_the_past_is_late_only_where_nights_are_expected(tmp_path: Path) -> None:
    finish(tmp_path, date(2018, 12, 1))
    service = service_of(tmp_path, expected_by="")
    check = service.checks()["night"]
    assert check.is_ok
    assert "none is expected" in check.detail
    assert gauges(service)["churn_night_late_seconds"] == 0
    assert not service_of(tmp_path).checks()["night"].is_ok


def test_night_that_comes_meanwhile_is_seen(tmp_path: Path) -> None:
    finish(tmp_path, SUNDAY)
    finish(tmp_path, MONDAY, exit_code=1)
    service = service_of(tmp_path)
    assert not service.checks()["night"].is_ok
    finish(tmp_path, MONDAY)
    service.nights.look()
    assert service.checks()["night"].is_ok


def test_runs_that_can_not_be_read_are_a_problem_and_none_are_no_night(tmp_path: Path) -> None:
    service = service_of(tmp_path)
    assert service.checks()["night"].detail.startswith("no night has finished so far, expected")
    finish(tmp_path, MONDAY)
    log = tmp_path / RUNS.path / "_delta_log" / f"{0:020}.json"
    log.write_text("{")
    service.nights.look()
    check = service.checks()["night"]
    assert not check.is_ok
    assert "monitoring/runs can't be read" in check.detail
