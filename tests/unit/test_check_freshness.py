"""The job that looks whether the night came: real tables, a real receiver, no Spark."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from receivers import Receiver, started
from typer.testing import CliRunner

from churn_spark.config import AlertsConfig, ScheduleConfig, load_config
from churn_spark.contracts.tables import LATE_NIGHTS, RUNS
from churn_spark.errors import ConfigError, InputError
from churn_spark.pipeline import freshness
from churn_spark.pipeline.status import read_status
from churn_spark.stores.runs import Run, write_run
from jobs.check_freshness import app
from tests.local_lakehouse import open_local, rows_of

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
SCHEDULE = ScheduleConfig.model_validate(
    load_config().schedule.model_dump() | {"expected_by": "06:00"}
)


def at(day: int, hour: int) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def finish(folder: Path, night: date, exit_code: int = 0, job: str = "nightly") -> None:
    began = datetime(night.year, night.month, night.day, 3, tzinfo=UTC)
    run = Run(f"{night}-{job}", job, night, began, 60.0, 60.0, 10**9, exit_code, None, {}, {})
    write_run(open_local(folder), run)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with started([200]) as one:
        yield one


@pytest.fixture
def look(tmp_path: Path, receiver: Receiver) -> Any:
    """Looks at an instant; gives whether a night is late, and what the receiver has got by then."""
    told = load_config().alerts.model_dump() | {"webhook_url": receiver.url}
    alerts = AlertsConfig.model_validate(told)

    def look(now: datetime) -> tuple[bool, list[str]]:
        found = freshness.run(str(tmp_path), SCHEDULE, alerts, now)
        return found.is_late, [
            notice["change"] for _, body in receiver.got for notice in json.loads(body)["notices"]
        ]

    return look


def test_one_alert_goes_out_while_nights_are_late_and_one_when_they_have_come(
    look: Any, tmp_path: Path
) -> None:
    finish(tmp_path, MONDAY)
    assert look(at(2, 12)) == (False, [])
    assert look(at(3, 8)) == (True, ["opened"])
    # A run that ends with an error is no night.
    finish(tmp_path, TUESDAY, exit_code=2)
    assert look(at(3, 9)) == (True, ["opened"])
    assert look(at(4, 8)) == (True, ["opened"])
    finish(tmp_path, date(2026, 3, 4))
    assert look(at(4, 9)) == (False, ["opened", "resolved"])
    assert look(at(4, 10)) == (False, ["opened", "resolved"])
    [row] = rows_of(open_local(tmp_path), LATE_NIGHTS).to_dicts()
    assert (row["first_night"], row["last_night"]) == (TUESDAY, date(2026, 3, 4))
    assert (row["opened_ts"], row["ended_ts"]) == (at(3, 8), at(4, 9))
    # The next time is one of its own.
    assert look(at(5, 8))[1] == ["opened", "resolved", "opened"]
    assert len(rows_of(open_local(tmp_path), LATE_NIGHTS)) == 2


def test_alert_is_sent_again_until_it_has_arrived(
    look: Any, tmp_path: Path, receiver: Receiver
) -> None:
    finish(tmp_path, MONDAY)
    receiver.codes = [403, 200]
    assert look(at(3, 8)) == (True, ["opened"])
    assert look(at(3, 9)) == (True, ["opened", "opened"])
    assert look(at(3, 10)) == (True, ["opened", "opened"])


@pytest.fixture
def looked_untold(look: Any, tmp_path: Path, receiver: Receiver) -> Any:
    """Looks after a night was late, and nobody could be told that it has come."""
    finish(tmp_path, MONDAY)
    assert look(at(3, 8)) == (True, ["opened"])
    finish(tmp_path, TUESDAY)
    receiver.codes = [200, 403, 200]
    assert look(at(3, 9)) == (False, ["opened", "resolved"])
    return look


def test_end_is_sent_again_until_it_has_arrived(looked_untold: Any) -> None:
    for hour in (10, 11):
        assert looked_untold(at(3, hour)) == (False, ["opened", "resolved", "resolved"])


def test_night_that_is_late_before_the_end_could_be_told_is_told(
    looked_untold: Any, tmp_path: Path
) -> None:
    assert looked_untold(at(4, 8)) == (True, ["opened", "resolved", "opened"])
    finish(tmp_path, date(2026, 3, 4))
    for hour in (9, 10):
        assert looked_untold(at(4, hour))[1][3:] == ["resolved"]


def test_alert_goes_out_though_its_table_can_not_be_written(
    look: Any, tmp_path: Path, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    finish(tmp_path, MONDAY)
    (tmp_path / LATE_NIGHTS.layer / LATE_NIGHTS.name).write_text("no folder")
    assert look(at(3, 8)) == (True, ["opened"])
    assert "monitoring/late_nights can't be" in capsys.readouterr().err
    assert len(receiver.got) == 1


def test_status_says_how_the_nights_stand(tmp_path: Path) -> None:
    finish(tmp_path, MONDAY)
    status = read_status(str(tmp_path), 1, SCHEDULE, at(3, 8))
    assert "expected that of 2026-03-03" in status.nights
    unasked = read_status(str(tmp_path), 1, load_config().schedule, at(3, 8))
    assert "none is expected" in unasked.nights


def test_what_can_not_be_looked_at_is_refused(tmp_path: Path) -> None:
    alerts = load_config().alerts
    with pytest.raises(ConfigError, match=r"found no schedule\.expected_by"):
        freshness.run(str(tmp_path), load_config().schedule, alerts)
    with pytest.raises(InputError, match="found no table monitoring/runs"):
        freshness.run(str(tmp_path), SCHEDULE, alerts)
    assert not list(tmp_path.iterdir())


def test_command_exits_with_50_where_a_night_is_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKEHOUSE", str(tmp_path))
    finish(tmp_path, date(2018, 12, 1))
    options = ["--set", "schedule.expected_by=06:00"]
    answer = CliRunner().invoke(app, options)
    assert answer.exit_code == 50
    assert "the newest finished night is of 2018-12-01, expected" in answer.output
    shutil.rmtree(tmp_path / RUNS.layer)
    finish(tmp_path, datetime.now(UTC).date())
    assert CliRunner().invoke(app, options).exit_code == 0
