"""The filter of the simulator's rules, beside sums over all states of one user at a time."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from bench.fading_ceiling import forecast_true
from churn_spark.simulate import degrading
from churn_spark.simulate.settings import DAY_S, SimulationSettings
from churn_spark.timeline import Horizon, day_number

SETTINGS = SimulationSettings(users=10, regime="degrading")
PERSONA = np.array([[0.0, 1.0, 0.0, 0.0]])
NOBODY = {"user_id": pl.String, "first_ts": pl.Datetime("us"), "last_ts": pl.Datetime("us")}


def forecast(session_days: pl.DataFrame, registered_day: float, as_of: date) -> float:
    registered = SETTINGS.start_ts + registered_day * DAY_S
    users = pl.DataFrame({"user_id": ["u"], "registered": [registered]})
    found = forecast_true(SETTINGS, session_days, users, PERSONA, as_of, Horizon(14, 1))
    return float(found[0])


def chance_of_who_just_came(onset_factor: float) -> float:
    """By dictionaries: content on day 0, then day by day; cancel, or change state."""
    first = day_number(SETTINGS.start)
    states, cancelled = {degrading.CONTENT: 1.0}, {}
    for day in range(first, first + 16):
        after: dict[int, float] = {}
        gone = 0.0
        onset = float(degrading.onset_of(SETTINGS, np.array(onset_factor), day))
        for state, weight in states.items():
            registered, offered = np.array(SETTINGS.start_ts), np.array(False)
            age = np.array(state)
            cancel = float(degrading.cancel_chance(SETTINGS, registered, offered, age, day))
            gone += weight * cancel
            stays = weight * (1 - cancel)
            moves = (
                {degrading.CONTENT: 1 - onset, 0: onset}
                if state == degrading.CONTENT
                else {
                    degrading.CONTENT: degrading.RECOVERY_A_DAY,
                    state + 1: 1 - degrading.RECOVERY_A_DAY,
                }
            )
            for target, chance in moves.items():
                after[target] = after.get(target, 0.0) + stays * chance
        states, cancelled[day - first] = after, gone
    before = sum(cancelled[day] for day in (0, 1))
    return sum(cancelled[day] for day in range(2, 16)) / (1 - before)


def test_who_just_came_and_was_not_seen_is_told_by_the_rules_alone() -> None:
    """The mean over own tendencies to fade, which differ little in a sum that is nearly linear."""
    found = forecast(pl.DataFrame(schema=NOBODY), 0.0, SETTINGS.start + timedelta(days=1))
    typical = chance_of_who_just_came(float(degrading.ONSET_OF_PERSONA[1]))
    assert found == pytest.approx(typical, rel=0.1)


def test_who_stays_away_is_likelier_to_cancel() -> None:
    as_of = SETTINGS.start + timedelta(days=30)

    def seen(days: range) -> pl.DataFrame:
        noon = datetime.combine(SETTINGS.start, time(12))
        stamps = [noon + timedelta(days=day) for day in days]
        return pl.DataFrame({"user_id": ["u"] * len(stamps), "first_ts": stamps, "last_ts": stamps})

    daily, gone = (forecast(seen(range(last)), -25.5, as_of) for last in (30, 18))
    assert gone > 3 * daily
