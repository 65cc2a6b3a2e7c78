"""Events of wrong clocks: set aside from all tables but their own count, and taken back."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from churn_spark.config import IngestConfig, load_config
from churn_spark.contracts.tables import EVENTS, LABELS, LOG_DATES, SESSION_DAYS, TRANSITIONS
from churn_spark.pipeline import event_days, rollups, session_days, snapshots, transitions
from churn_spark.pipeline.dates import read_log_dates, unseen_dates
from churn_spark.stores.event_days import read_event_days
from churn_spark.timeline import LogSpan
from tests.builders import millis, record
from tests.local_lakehouse import LocalLakehouse, rows_of
from tests.rollup_tables import BOTH, Records, assert_up_to_date, deliver

_HOUR, _DAY = 3_600_000, 86_400_000
_START = millis("2018-10-01 06:00:00")
_ALL = BOTH | event_days.STEP
_SPAN = LogSpan(date(2018, 10, 1), date(2018, 10, 6))


def _days(first: int, n_days: int = 5, n_events: int = 60) -> Records:
    """As many days of a user each, an event every quarter of an hour."""
    return [
        record(ts=first + day * _DAY + number * _HOUR // 4, userId="7", sessionId=day)
        for day in range(n_days)
        for number in range(n_events)
    ]


WRONG = [
    record(ts=millis("2015-01-01 23:50:00"), userId="8"),
    record(ts=millis("2031-01-01 00:30:00"), userId="9"),
]
LOG = _days(_START)


@pytest.fixture
def lakehouse(tmp_path: Path) -> LocalLakehouse:
    return LocalLakehouse(str(tmp_path))


@pytest.fixture
def config() -> IngestConfig:
    return load_config().ingest


def _span(lakehouse: Any) -> LogSpan:
    return read_log_dates(lakehouse).span


def test_events_of_wrong_clocks_are_set_aside_and_counted(
    lakehouse: LocalLakehouse, config: IngestConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(lakehouse, LOG + WRONG, 0)
    rollups.run(lakehouse, config, _ALL)
    said = "2 events out of place set aside: 2015-01-01, 2031-01-01"
    assert [line for line in capsys.readouterr().out.splitlines() if said in line]
    assert _span(lakehouse) == _SPAN
    assert_up_to_date(lakehouse, LOG)
    aside = rows_of(lakehouse, LOG_DATES).filter(place="out of place")
    assert aside.select("event_date", "n_events").rows() == [
        (date(2015, 1, 1), 1),
        (date(2031, 1, 1), 1),
    ]
    assert read_event_days(lakehouse).sum([date(2031, 1, 1)], "event") == 1
    assert rows_of(lakehouse, EVENTS).height == len(LOG + WRONG)


@pytest.mark.parametrize("steps", [_ALL, session_days.STEP])
def test_days_that_prove_to_be_of_the_log_come_back_in_every_table(
    steps: Any, lakehouse: LocalLakehouse, config: IngestConfig
) -> None:
    deliver(lakehouse, LOG + WRONG, 0)
    rollups.run(lakehouse, config, _ALL)
    # An older part of the log is loaded, and the stray day is within.
    older = _days(millis("2014-12-30 06:00:00"))
    deliver(lakehouse, older, 1)
    rollups.run(lakehouse, config, steps)
    rollups.run(lakehouse, config, _ALL)
    assert_up_to_date(lakehouse, [*older, *LOG, WRONG[0]])
    assert _span(lakehouse) == LogSpan(date(2014, 12, 30), _SPAN.end)


def test_days_that_prove_to_be_wrong_go_from_every_table(
    lakehouse: LocalLakehouse, config: IngestConfig
) -> None:
    # The log is young: nothing can be told of it.
    deliver(lakehouse, [*LOG[:5], *WRONG], 0)
    rollups.run(lakehouse, config, _ALL)
    assert_up_to_date(lakehouse, [*LOG[:5], *WRONG])
    deliver(lakehouse, LOG[5:], 1)
    rollups.run(lakehouse, config, transitions.STEP)
    assert_up_to_date(lakehouse, LOG)


def test_a_rerun_after_a_kill_sets_aside_the_same(
    lakehouse: LocalLakehouse, config: IngestConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(lakehouse, LOG[:5], 0)
    rollups.run(lakehouse, config, _ALL)
    deliver(lakehouse, [*LOG[5:], *WRONG], 1)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(LocalLakehouse, "replace_rows", killed)
        with pytest.raises(KeyboardInterrupt):
            rollups.run(lakehouse, config, _ALL)
    rollups.run(lakehouse, config, _ALL)
    assert_up_to_date(lakehouse, LOG)
    assert _span(lakehouse) == _SPAN
    done = [lakehouse.version(spec) for spec in (LOG_DATES, SESSION_DAYS, TRANSITIONS)]
    rollups.run(lakehouse, config, _ALL)
    assert [lakehouse.version(spec) for spec in (LOG_DATES, SESSION_DAYS, TRANSITIONS)] == done


def test_span_is_that_of_all_dates_where_an_older_release_has_left_no_more(
    lakehouse: LocalLakehouse, config: IngestConfig
) -> None:
    deliver(lakehouse, LOG, 0)
    rollups.run(lakehouse, config, BOTH)
    lakehouse.drop(LOG_DATES)
    assert _span(lakehouse) == _SPAN


@pytest.mark.parametrize("wrong", [[], WRONG], ids=["right clocks", "wrong clocks"])
def test_event_of_years_ahead_makes_no_label_known_and_hides_no_cancel(
    wrong: Records, lakehouse: Any, config: IngestConfig
) -> None:
    whole = load_config().learning
    labels = whole.labels.model_copy(update={"horizon_days": 3, "gap_days": 1})
    learning = whole.model_copy(update={"labels": labels})
    # Its window ends on the 12th: the log comes to the 11th first, whatever the night's date.
    monday, night = date(2018, 10, 8), date(2018, 10, 13)
    cancels = record(ts=_START + 9 * _DAY, userId="8", page="Cancellation Confirmation")
    visits = [record(ts=_START + day * _DAY, userId="8", sessionId=day) for day in range(9)]
    known, due = [], []
    for number, days in enumerate((_days(_START, 10), _days(_START + 10 * _DAY, 2))):
        deliver(lakehouse, days if number else [*days, *visits, cancels, *wrong], number)
        rollups.run(lakehouse, config, _ALL)
        log = read_log_dates(lakehouse, night)
        snapshots.run(lakehouse, [monday, night], learning, log)
        rows = rows_of(lakehouse, LABELS).filter(pl.col("as_of") == monday)
        known.append(dict(rows.select("user_id", "label").iter_rows()))
        due.append(monday in unseen_dates(log, learning, night, monday))
    assert known == [{"7": None, "8": None}, {"7": 0, "8": 1}]
    assert due == [False, True]
