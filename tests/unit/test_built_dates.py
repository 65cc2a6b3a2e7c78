"""Snapshots and labels are built again where the log has changed under them, and nowhere else."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from churn_spark.config import LearningConfig, load_config
from churn_spark.contracts.tables import BUILT_DATES, LABELS, SESSION_DAYS, SNAPSHOTS, USER_TOTALS
from churn_spark.lakehouse.small_tables import SmallTables
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import snapshots
from churn_spark.pipeline.built_dates import BuiltDates
from churn_spark.pipeline.dates import read_log_dates
from tests.local_lakehouse import open_local, rows_of
from tests.session_days import START, instant, session_days_of

_AS_OF = (START + timedelta(days=60), START + timedelta(days=67))
_N_DAYS = 90


def _log(n_days: int = _N_DAYS) -> pl.DataFrame:
    """Two users, here on every second day, of whom one cancels on the 70th."""
    rows = [
        {
            "user_id": user,
            "session_id": number,
            "event_date": day,
            "n_events": 3,
            "n_songs": number % 5,
            "last_ts": instant(day, 2),
            "cancel_ts": instant(day, 3) if (user, number) == ("a", 70) else None,
        }
        for user in "ab"
        for number in range(0, n_days, 2)
        for day in [START + timedelta(days=number)]
    ]
    return session_days_of(rows)


def _write(lakehouse: Lakehouse, log: pl.DataFrame, dates: set[date]) -> None:
    rows = log.filter(pl.col("event_date").is_in(dates))
    lakehouse.replace_rows(rows.to_arrow(), SESSION_DAYS, {"event_date": dates})


def _stale(lakehouse: Lakehouse, config: LearningConfig) -> set[date]:
    return BuiltDates.read(lakehouse, read_log_dates(lakehouse), config).stale(_AS_OF)


@pytest.fixture
def config() -> LearningConfig:
    """The base configuration: two weeks and a day."""
    return load_config().learning


@pytest.fixture
def built(tmp_path: Path, config: LearningConfig) -> Lakehouse:
    """A lakehouse with both dates built."""
    lakehouse = open_local(tmp_path)
    log = _log()
    _write(lakehouse, log, {*log["event_date"]})
    snapshots.run(lakehouse, _AS_OF, config, read_log_dates(lakehouse))
    return lakehouse


def test_dates_are_built_once(
    built: Lakehouse, config: LearningConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "run", None)
    snapshots.run_stale(built, _AS_OF, config, read_log_dates(built))


@pytest.mark.parametrize(
    ("day", "stale"),
    [
        (START, {*_AS_OF}),
        (_AS_OF[0] - timedelta(days=1), {*_AS_OF}),
        (_AS_OF[0], {*_AS_OF}),
        (_AS_OF[0] + timedelta(days=14), {*_AS_OF}),
        (_AS_OF[0] + timedelta(days=15), {_AS_OF[1]}),
        (_AS_OF[1] + timedelta(days=15), set()),
    ],
)
def test_dates_are_stale_where_an_event_before_or_in_the_window_is_late(
    day: date, stale: set[date], built: Lakehouse, config: LearningConfig
) -> None:
    late = {"user_id": "c", "session_id": 1, "event_date": day, "n_events": 1, "n_songs": 1}
    of_day = pl.concat([_log(), session_days_of([{**late, "last_ts": instant(day, 1)}])])
    _write(built, of_day, {day})
    assert _stale(built, config) == stale


def test_stale_dates_become_what_they_are_without_anything_built_before(
    built: Lakehouse, config: LearningConfig, tmp_path: Path
) -> None:
    log = _log().with_columns(pl.col("n_songs") + 1)
    _write(built, log, {START})
    snapshots.run_stale(built, _AS_OF, config, read_log_dates(built))
    assert _stale(built, config) == set()
    anew = open_local(tmp_path / "anew")
    _write(anew, rows_of(built, SESSION_DAYS), {*log["event_date"]})
    snapshots.run(anew, _AS_OF, config, read_log_dates(anew))
    for spec in (SNAPSHOTS, LABELS):
        assert_frame_equal(rows_of(built, spec), rows_of(anew, spec), check_row_order=False)


@pytest.mark.parametrize("n_writes", range(4))
def test_tables_are_the_same_after_a_run_that_was_killed(
    n_writes: int,
    built: Lakehouse,
    config: LearningConfig,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    last = [START + timedelta(days=_N_DAYS)]
    snapshots.run(built, last, config)
    killed = open_local(tmp_path / "killed")
    _write(killed, rows_of(built, SESSION_DAYS), {*_log()["event_date"]})
    snapshots.run(killed, _AS_OF, config, read_log_dates(killed))
    calls = iter(range(4))
    write = SmallTables.replace_rows

    def write_some(*arguments: Any) -> None:
        if next(calls) == n_writes:
            raise KeyboardInterrupt
        write(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(SmallTables, "replace_rows", write_some)
        with pytest.raises(KeyboardInterrupt):
            snapshots.run(killed, last, config)
    snapshots.run_stale(killed, [*_AS_OF, *last], config, read_log_dates(killed))
    for spec in (SNAPSHOTS, LABELS, USER_TOTALS, BUILT_DATES):
        found, expected = rows_of(killed, spec), rows_of(built, spec)
        # Their files have other names.
        hashes = [name for name in found.columns if name.endswith("_of") and name != "as_of"]
        assert_frame_equal(found.drop(hashes), expected.drop(hashes), check_row_order=False)


def test_date_is_stale_while_its_labels_are_unknown_and_the_log_goes_on(
    tmp_path: Path, config: LearningConfig
) -> None:
    lakehouse, log = open_local(tmp_path), _log()
    days = {*log["event_date"]}
    short = {day for day in days if day < _AS_OF[1] + timedelta(days=14)}
    _write(lakehouse, log, short)
    snapshots.run(lakehouse, _AS_OF, config, read_log_dates(lakehouse))
    assert _stale(lakehouse, config) == set()
    _write(lakehouse, log, days - short)
    assert _stale(lakehouse, config) == {_AS_OF[1]}
    # A later night labels the date without building its snapshot again.
    snapshots.run(lakehouse, [START + timedelta(days=_N_DAYS)], config)
    assert _stale(lakehouse, config) == set()
    labels = rows_of(lakehouse, LABELS).filter(pl.col("as_of") == _AS_OF[1])
    assert dict(labels.select("user_id", "label").iter_rows()) == {"a": 1, "b": 0}


def test_dates_are_stale_under_another_configuration(
    built: Lakehouse, config: LearningConfig
) -> None:
    active = config.snapshots.model_copy(update={"active_days": 30})
    assert _stale(built, config.model_copy(update={"snapshots": active})) == {*_AS_OF}
    labels = config.labels.model_copy(update={"horizon_days": 10})
    assert _stale(built, config.model_copy(update={"labels": labels})) == {*_AS_OF}


@pytest.mark.parametrize(("churn", "is_stale"), [("lapse", True), ("inactivity", False)])
def test_a_late_end_from_before_the_date_makes_a_label_stale(
    churn: str, is_stale: bool, tmp_path: Path
) -> None:
    overrides = [f"labels.churn={churn}", "snapshots.active_days=14"]
    learning = load_config(overrides=overrides).learning
    lakehouse, log = open_local(tmp_path), _log()
    _write(lakehouse, log, {*log["event_date"]})
    snapshots.run(lakehouse, _AS_OF, learning, read_log_dates(lakehouse))
    # An end may have been told long before the days in which the population was here.
    for n_days, stale in (1, is_stale), (14, is_stale), (15, is_stale):
        late = _AS_OF[0] - timedelta(days=n_days)
        of_day = log.with_columns(event_date=pl.lit(late)).filter(pl.int_range(pl.len()) == 0)
        _write(lakehouse, of_day, {late})
        notes = BuiltDates.read(lakehouse, read_log_dates(lakehouse), learning)
        assert (_AS_OF[0] in notes.stale_labels()) == stale, n_days
        snapshots.run(lakehouse, _AS_OF, learning, read_log_dates(lakehouse))
