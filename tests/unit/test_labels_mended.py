"""Labels of a log that grows: known when the night has come, mended by what comes late."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from churn_spark.config import LearningConfig, load_config
from churn_spark.contracts.tables import LABELS, SCORES, SESSION_DAYS, SNAPSHOTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import snapshots
from churn_spark.pipeline.dates import labelled_dates, read_log_dates, unseen_dates
from tests.local_lakehouse import open_local, rows_of
from tests.session_days import START, instant, session_days_of

_AS_OF = START + timedelta(days=14)
_END = _AS_OF + timedelta(days=15)
_N_DAYS = 14

Row = dict[str, Any]


def _row(user: str, day: date, hour: int = 12, *, cancels: bool = False) -> Row:
    at = instant(day, hour)
    return {
        "user_id": user,
        "session_id": day.toordinal(),
        "event_date": day,
        "n_events": 3,
        "first_ts": at,
        "last_ts": at,
        "cancel_ts": at if cancels else None,
    }


def _days(first: date, end: date, users: str = "ab") -> list[Row]:
    n_days = (end - first).days
    return [_row(user, first + timedelta(days=n)) for n in range(n_days) for user in users]


def _load(lakehouse: Lakehouse, rows: Collection[Row]) -> None:
    """Put the rows beside those of their dates that are there."""
    dates = {row["event_date"] for row in rows}
    before = rows_of(lakehouse, SESSION_DAYS).filter(pl.col("event_date").is_in(dates))
    both = pl.concat([before, session_days_of(rows)])
    lakehouse.replace_rows(both.to_arrow(), SESSION_DAYS, {"event_date": dates})


def _labels(lakehouse: Lakehouse, as_of: date = _AS_OF) -> dict[str, int | None]:
    rows = rows_of(lakehouse, LABELS).filter(pl.col("as_of") == as_of)
    return dict(rows.select("user_id", "label").iter_rows())


@pytest.fixture
def config() -> LearningConfig:
    """The base configuration: a fortnight after a day."""
    return load_config().learning


def test_label_waits_for_the_night_of_its_window_when_the_day_has_only_begun(
    tmp_path: Path, config: LearningConfig
) -> None:
    lakehouse = open_local(tmp_path)
    last = _END - timedelta(days=1)
    _load(lakehouse, _days(START, last))
    # Events of half an hour are in when the night of the window's last day runs.
    _load(lakehouse, [_row("b", last, hour=0)])
    snapshots.run(lakehouse, [_AS_OF, last], config)
    assert _labels(lakehouse) == {"a": None, "b": None}
    _load(lakehouse, [_row("a", last, cancels=True)])
    snapshots.run(lakehouse, [_END], config)
    assert _labels(lakehouse) == {"a": 1, "b": 0}


def test_known_label_is_mended_when_a_cancel_comes_late(
    tmp_path: Path, config: LearningConfig
) -> None:
    lakehouse = open_local(tmp_path)
    _load(lakehouse, _days(START, _END + timedelta(days=9)))
    snapshots.run(lakehouse, [_AS_OF, _END], config)
    assert _labels(lakehouse) == {"a": 0, "b": 0}
    _load(lakehouse, [_row("b", _END - timedelta(days=3), hour=13, cancels=True)])
    snapshots.run(lakehouse, [_END + timedelta(days=9)], config)
    assert _labels(lakehouse) == {"a": 0, "b": 1}


@pytest.mark.parametrize("comes", [_AS_OF + timedelta(days=1), _END + timedelta(days=4)])
@pytest.mark.parametrize("left", [1, 13])
def test_user_who_turns_out_to_have_left_before_the_date_has_no_label(
    left: int, comes: date, tmp_path: Path, config: LearningConfig
) -> None:
    """The snapshot was scored with the user in it: nobody knew of the cancel, then."""
    lakehouse = open_local(tmp_path)
    _load(lakehouse, [*_days(START, _AS_OF, "abc"), *_days(_AS_OF, comes, "a")])
    snapshots.run(lakehouse, [_AS_OF, comes], config)
    if comes > _END:
        assert _labels(lakehouse) == {"a": 0, "b": 0, "c": 0}
    _load(lakehouse, [_row("b", _AS_OF - timedelta(days=left), hour=23, cancels=True)])
    _load(lakehouse, _days(comes, _END + timedelta(days=5), "a"))
    snapshots.run(lakehouse, [_END + timedelta(days=5)], config)
    assert _labels(lakehouse) == {"a": 0, "b": None, "c": 0}
    assert not rows_of(lakehouse, LABELS)["is_gap_cancel"].any()


def test_scored_snapshot_that_a_training_reads_has_no_label_of_who_had_left(
    tmp_path: Path, config: LearningConfig
) -> None:
    lakehouse = open_local(tmp_path)
    _load(lakehouse, _days(START, _END))
    snapshots.run(lakehouse, [_AS_OF, _END], config)
    score = dict.fromkeys(SCORES.column_names) | {"as_of": _AS_OF, "user_id": "a"}
    lakehouse.replace_rows([tuple(score.values())], SCORES, {"as_of": [_AS_OF]})
    _load(lakehouse, [_row("b", _AS_OF - timedelta(days=1), hour=23, cancels=True)])
    snapshots.run_stale(lakehouse, [_AS_OF], config, read_log_dates(lakehouse))
    assert _labels(lakehouse) == {"a": 0, "b": None}
    refreshed = config.model_copy(
        update={"snapshots": config.snapshots.model_copy(update={"refresh": "all"})}
    )
    snapshots.run_stale(lakehouse, [_AS_OF], refreshed, read_log_dates(lakehouse))
    assert _labels(lakehouse) == {"a": 0}


@pytest.mark.parametrize("lateness", [0, 2])
def test_labels_are_learnt_from_and_judged_on_as_late_as_events_may_come(
    lateness: int, tmp_path: Path, config: LearningConfig
) -> None:
    labels = config.labels.model_copy(update={"lateness_days": lateness})
    config = config.model_copy(update={"labels": labels})
    lakehouse = open_local(tmp_path)
    _load(lakehouse, _days(START, _END + timedelta(days=5)))
    for late in (lateness - 1, lateness):
        night = _END + timedelta(days=late)
        snapshots.run(lakehouse, [_AS_OF, night], config)
        is_known = late >= lateness
        assert (_labels(lakehouse)["a"] == 0) is is_known
        log = read_log_dates(lakehouse, night)
        assert (_AS_OF in labelled_dates(log, config, night)) is is_known
        assert (_AS_OF in unseen_dates(log, config, night, _AS_OF)) is is_known
    # Trained on that very night: learnt from, so not to be judged on.
    assert _AS_OF not in unseen_dates(log, config, _END + timedelta(days=5), night)


def test_label_stays_known_when_an_earlier_night_is_done_again(
    tmp_path: Path, config: LearningConfig
) -> None:
    lakehouse = open_local(tmp_path)
    _load(lakehouse, _days(START, _END + timedelta(days=3)))
    for night in (_AS_OF, _END, _AS_OF):
        snapshots.run(lakehouse, [night], config)
    assert _labels(lakehouse) == {"a": 0, "b": 0}
    assert _labels(lakehouse, _END) == {"a": None, "b": None}


def test_night_after_night_gives_the_labels_of_the_log_at_once_when_days_come_late_and_in_halves(
    tmp_path: Path, config: LearningConfig
) -> None:
    labels = config.labels.model_copy(update={"horizon_days": 3})
    config = config.model_copy(update={"labels": labels})
    random, users = Random(7), "abcdefghij"
    gone = {user: START + timedelta(days=random.randint(4, 13)) for user in users[:8]}
    end = START + timedelta(days=_N_DAYS)
    log = [
        _row(user, day, random.randrange(24), cancels=day == gone.get(user))
        for user in users
        for n in range(_N_DAYS)
        if (day := START + timedelta(days=n)) <= gone.get(user, end)
    ]
    # At a quarter past three; of the rest most come the next night, some days later.
    comes = [
        row["event_date"] + timedelta(days=0 if row["last_ts"].hour < 3 else random.choice(late))
        for late in [[1, 1, 1, 2, 3]]
        for row in log
    ]
    live, whole = (open_local(tmp_path / name) for name in ("live", "whole"))
    nights = [START + timedelta(days=n) for n in range(2, _N_DAYS + 3)]
    _load(live, [row for row, day in zip(log, comes, strict=True) if day < nights[0]])
    for night in nights:
        if come := [row for row, day in zip(log, comes, strict=True) if day == night]:
            _load(live, come)
        snapshots.run(live, [night], config)
    _load(whole, log)
    snapshots.run(whole, nights, config)
    keys = ["as_of", "user_id"]
    both = rows_of(live, LABELS).join(rows_of(whole, LABELS), on=keys, suffix="_whole")
    assert both["label"].sum() > 15
    assert both["label"].eq_missing(both["label_whole"]).all()
    # Those whose cancel came after the night: no longer in the snapshots that all is known for.
    gone = rows_of(live, LABELS).join(rows_of(whole, LABELS), on=keys, how="anti")
    assert gone["label"].null_count() == gone.height > 0
    snapshots.run_stale(live, nights, config, read_log_dates(live))
    for spec in (SNAPSHOTS, LABELS):
        assert_frame_equal(rows_of(live, spec), rows_of(whole, spec), check_row_order=False)
