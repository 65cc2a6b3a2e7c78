"""The date of a training: none that lies ahead of the log, as no night before it would serve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from local_lakehouse import open_local
from session_days import START

from churn_spark.config import load_config
from churn_spark.contracts.places import AT_EDGE, IN_LOG, OUT_OF_PLACE
from churn_spark.contracts.tables import EVENTS, LOG_DATES, SESSION_DAYS, TRANSITIONS
from churn_spark.errors import InputError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import snapshots, train, tune
from churn_spark.pipeline.plan import plan_of
from churn_spark.pipeline.planner import Planner

NO_REGISTRY = cast(ModelRegistry, None)
N_DAYS = 60
END = START + timedelta(days=N_DAYS)
FAR = END.replace(year=2109)


@pytest.fixture
def lakehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """Sixty days of log; a training there ends where it would begin to learn."""
    found = open_local(tmp_path)
    for spec in (EVENTS, SESSION_DAYS, TRANSITIONS):
        found.create(spec)
    place_days(found)
    monkeypatch.setattr(snapshots, "run_stale", lambda *_: None)
    monkeypatch.setattr(train, "finish_interrupted", lambda *_: None)
    monkeypatch.setattr(train, "train", lambda *_, **__: "1")
    return found


def place_days(
    lakehouse: Lakehouse, at_edge: Sequence[date] = (), out_of_place: Sequence[date] = ()
) -> None:
    days = dict.fromkeys((START + timedelta(days=n) for n in range(N_DAYS)), IN_LOG)
    days |= dict.fromkeys(at_edge, AT_EDGE) | dict.fromkeys(out_of_place, OUT_OF_PLACE)
    rows = [(day, 1 if place != IN_LOG else 100, place) for day, place in days.items()]
    lakehouse.replace_rows(rows, LOG_DATES, {})


def run(lakehouse: Lakehouse, day: date, *overrides: str, **options: Any) -> str:
    learning = load_config(overrides=overrides).learning
    return train.run(lakehouse, NO_REGISTRY, day, learning, **options)


def after(n_days: int) -> date:
    return END + timedelta(days=n_days)


@pytest.mark.parametrize("day", [after(1), FAR])
def test_date_ahead_of_the_log_is_refused(lakehouse: Lakehouse, day: date) -> None:
    with pytest.raises(InputError, match=f"found the date {day} .*{END} or an earlier one"):
        run(lakehouse, day)
    assert InputError.exit_code == 2


@pytest.mark.parametrize("day", [END, after(-20)])
def test_date_up_to_the_day_after_the_last_event_is_taken(lakehouse: Lakehouse, day: date) -> None:
    assert run(lakehouse, day) == "1"


@pytest.mark.parametrize(
    ("job", "what"), [("train_model", "a model of "), ("tune_model", "ml/training_rows")]
)
def test_plan_refuses_what_the_training_would(lakehouse: Lakehouse, job: str, what: str) -> None:
    plan = plan_of(Planner(lakehouse, load_config(), {}), job)
    with pytest.raises(InputError, match=f"found the date {FAR} "):
        [*plan(FAR)]
    [step] = plan(END)
    assert what in step.what


def test_days_with_few_events_at_the_end_are_of_the_log(lakehouse: Lakehouse) -> None:
    # Two quiet holidays; a clock that is ten days ahead; one that is ninety years ahead.
    place_days(lakehouse, [END, after(1), after(10)], [FAR])
    assert run(lakehouse, after(2)) == "1"
    with pytest.raises(InputError, match=f"expected {after(2)} or an earlier one"):
        run(lakehouse, after(3))


def test_day_without_any_event_among_them_is_no_end(lakehouse: Lakehouse) -> None:
    place_days(lakehouse, [END, after(2)])
    assert run(lakehouse, after(3)) == "1"
    with pytest.raises(InputError, match=f"the log ends with {after(2)}"):
        run(lakehouse, after(4))


def test_what_describes_the_past_has_any_date(lakehouse: Lakehouse) -> None:
    assert run(lakehouse, FAR, "labels.kind=lifetime") == "1"


def test_night_whose_checks_have_passed_trains_as_of_its_own_date(lakehouse: Lakehouse) -> None:
    assert run(lakehouse, after(2), waits=False) == "1"


def test_search_ahead_of_the_log_is_refused(lakehouse: Lakehouse) -> None:
    config = load_config()
    with pytest.raises(InputError, match=f"found the date {FAR} "):
        tune.run(lakehouse, NO_REGISTRY, FAR, config.learning, config.tuning)
