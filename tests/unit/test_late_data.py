"""Which past snapshots late events change: those that were never used for a score, by default."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from churn_spark.config import load_config
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import BUILT_DATES, LABELS, SCORES, SESSION_DAYS, SNAPSHOTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import score, snapshots
from churn_spark.pipeline.built_dates import seen_version
from churn_spark.pipeline.dates import read_log_dates
from tests.late_log import DATES, SCORED, UNSCORED, deliver, learning, log_of
from tests.local_lakehouse import open_local, rows_of
from tests.session_days import START


@pytest.fixture
def late(tmp_path: Path) -> Lakehouse:
    """Two dates, one of them scored, and then all events of a third user, who is late."""
    lakehouse = open_local(tmp_path)
    deliver(lakehouse, "ab")
    snapshots.run(lakehouse, DATES, learning(), read_log_dates(lakehouse))
    score = dict.fromkeys(SCORES.column_names) | {"as_of": SCORED, "user_id": "a"}
    lakehouse.replace_rows([tuple(score.values())], SCORES, {"as_of": [SCORED]})
    deliver(lakehouse, "abc")
    return lakehouse


def users_on(lakehouse: Lakehouse) -> list[str]:
    """The users of each date's snapshot, one word a date."""
    rows = rows_of(lakehouse, SNAPSHOTS).sort("as_of", "user_id")
    return ["".join(rows.filter(pl.col("as_of") == day)["user_id"]) for day in DATES]


@pytest.mark.parametrize(
    ("refresh", "expected"),
    [
        ("unscored", ["ab", "abc"]),
        ("all", ["abc", "abc"]),
        ("none", ["ab", "ab"]),
    ],
)
def test_late_user_is_in_the_past_that_the_policy_refreshes(
    refresh: str, expected: list[str], late: Lakehouse
) -> None:
    config = learning(f"snapshots.refresh={refresh}")
    snapshots.run_stale(late, DATES, config, read_log_dates(late))
    assert users_on(late) == expected


def test_default_leaves_what_was_scored(late: Lakehouse) -> None:
    snapshots.run_stale(late, DATES, learning(), read_log_dates(late))
    assert users_on(late) == ["ab", "abc"]


def test_other_definitions_are_no_late_events(late: Lakehouse) -> None:
    shorter = learning("snapshots.active_days=30")
    snapshots.run_stale(late, DATES, shorter, read_log_dates(late))
    assert users_on(late) == ["abc", "abc"]


def test_lakehouse_of_an_older_release_is_brought_up_to_date(late: Lakehouse) -> None:
    noted = rows_of(late, BUILT_DATES).with_columns(pl.lit(None, pl.String).alias("made_by"))
    late.replace_rows(noted.to_arrow(), BUILT_DATES, {"as_of": DATES})
    snapshots.run_stale(late, DATES, learning(), read_log_dates(late))
    assert users_on(late) == ["abc", "abc"]


def test_labels_of_a_snapshot_that_stays_are_mended(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    log = log_of("ac")
    lost = pl.lit(None, log.schema["cancel_ts"]).alias("cancel_ts")
    days = {*log["event_date"]}
    lakehouse.replace_rows(log.with_columns(lost).to_arrow(), SESSION_DAYS, {"event_date": days})
    config = learning("snapshots.refresh=none")
    snapshots.run(lakehouse, DATES, config, read_log_dates(lakehouse))
    deliver(lakehouse, "abc")
    snapshots.run_stale(lakehouse, DATES, config, read_log_dates(lakehouse))
    assert users_on(lakehouse) == ["ac", "ac"]
    labels = rows_of(lakehouse, LABELS).filter(pl.col("as_of") == SCORED).sort("user_id")
    assert labels["label"].to_list() == [0, 1]


def test_refresh_builds_all_from_its_date_on(
    late: Lakehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshots.refresh(late, UNSCORED, learning())
    assert users_on(late) == ["ab", "abc"]
    assert "are of the features before" not in capsys.readouterr().out
    snapshots.refresh(late, SCORED, learning())
    assert f"scores of {SCORED} are of the features before" in capsys.readouterr().out
    anew = open_local(tmp_path / "anew")
    deliver(anew, "abc")
    snapshots.run(anew, DATES, learning(), read_log_dates(anew))
    for spec in (SNAPSHOTS, LABELS):
        assert_frame_equal(rows_of(late, spec), rows_of(anew, spec), check_row_order=False)
    snapshots.refresh(late, SCORED, learning())
    assert "nothing to refresh" in capsys.readouterr().out


def test_it_is_noted_which_past_a_snapshot_saw(late: Lakehouse) -> None:
    assert [seen_version(late, day) for day in DATES] == [0, 0]
    snapshots.run_stale(late, DATES, learning(), read_log_dates(late))
    assert [seen_version(late, day) for day in DATES] == [0, 1]
    assert seen_version(late, START) == -1


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> ModelRegistry:
    """Its champion has a model of behaviour; what it scores is another test's business."""
    bundle = SimpleNamespace(behaviour=object(), fading=None)
    monkeypatch.setattr(score, "load_champion", lambda *_: bundle)
    monkeypatch.setattr(score, "score_night", lambda *_: None)
    return cast(ModelRegistry, SimpleNamespace(state=lambda: RegistryState("1")))


def warning_of(late: Lakehouse, registry: ModelRegistry, capsys: pytest.CaptureFixture[str]) -> str:
    """What is said when a date is scored again."""
    config = load_config()
    capsys.readouterr()
    score.run(late, registry, SCORED, learning(), config.scoring, config.retention_list)
    return capsys.readouterr().err


def test_scores_of_a_snapshot_that_late_events_have_overtaken_are_told_to_mix_two_pasts(
    late: Lakehouse, registry: ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    told = warning_of(late, registry, capsys)
    assert told.startswith(f"warning: days before {SCORED} have changed since its snapshot")
    assert f"run `build_snapshots --refresh-from {SCORED}` first" in told
    snapshots.refresh(late, SCORED, learning())
    assert warning_of(late, registry, capsys) == ""


def test_model_that_knows_a_date_by_its_snapshot_alone_mixes_nothing(
    late: Lakehouse,
    registry: ModelRegistry,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = SimpleNamespace(behaviour=None, fading=None)
    monkeypatch.setattr(score, "load_champion", lambda *_: plain)
    assert warning_of(late, registry, capsys) == ""


def test_events_of_the_date_itself_overtake_nothing(
    tmp_path: Path, registry: ModelRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    lakehouse = open_local(tmp_path)
    deliver(lakehouse, "ab")
    snapshots.run(lakehouse, DATES, learning(), read_log_dates(lakehouse))
    rows = log_of("abc").filter(pl.col("event_date") >= SCORED)
    lakehouse.replace_rows(rows.to_arrow(), SESSION_DAYS, {"event_date": {*rows["event_date"]}})
    assert warning_of(lakehouse, registry, capsys) == ""
