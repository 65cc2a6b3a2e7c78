"""Campaign years in a light world: what calls do there, and what each learner is given."""

from __future__ import annotations

import numpy as np
import pytest

from bench.campaign_town import EFFECT_WEEKS, Log, Setting, Town, chance_a_week, monday
from bench.campaign_world import LIVES, live_year

SMALL = Setting(users=1500, capacity=150, control_share=0.2, saves=1.0, trees=10, replicas=5)


def test_calls_keep_the_called_for_their_weeks_and_change_nobody_else() -> None:
    quiet, busy = Town(3, SMALL), Town(3, SMALL)
    listed = np.argsort(-chance_a_week(busy.habits))[:150]
    busy.call(0, listed)
    is_called = np.zeros(SMALL.users, dtype=bool)
    is_called[listed] = True
    first = quiet.live(0), busy.live(0)
    assert first[0][listed].any()
    assert not first[1][listed].any()
    for week in range(1, EFFECT_WEEKS + 6):
        alone, called = quiet.live(week), busy.live(week)
        assert (alone[~is_called] == called[~is_called]).all()
        if week < EFFECT_WEEKS:
            assert not called[listed].any()
    assert (quiet.habits[~is_called] == busy.habits[~is_called]).all()


def test_true_chances_are_the_frequencies_of_those_who_are_not_called() -> None:
    town, log = Town(5, Setting(users=40_000)), Log()
    for week in range(3):
        log.habits.append(town.habits.copy())
        log.ids.append(town.ids.copy())
        log.cancels.append(town.live(week))
        log.moved.append(town.moved)
    chances, rows = log.true_chances(0), log.rows(0, knows=True)
    assert "weight" not in rows.columns
    for part in np.array_split(np.argsort(chances), 5):
        error = np.sqrt((chances[part] * (1 - chances[part])).sum()) / len(part)
        assert abs(rows["label"].to_numpy()[part].mean() - chances[part].mean()) < 4 * error


@pytest.mark.parametrize("life", LIVES, ids=lambda life: life.name)
def test_a_year_is_lived_to_its_end_and_calls_keep_users(life: object) -> None:
    years = {one.name: live_year(4, one, SMALL) for one in LIVES if one in (life, LIVES[0])}
    year, alone = years[life.name], years[LIVES[0].name]  # type: ignore[attr-defined]
    assert len(year.auc) == len(year.off) == 51
    assert all(0.5 < auc < 1 for auc in year.auc)
    assert (year.cancels < 0.95 * alone.cancels) == life.calls  # type: ignore[attr-defined]


def test_weeks_begin_on_mondays() -> None:
    assert {monday(week).weekday() for week in range(60)} == {0}
