"""The lives of users over a period: all their events, and where they stand at its end."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.contracts.pages import Page
from churn_spark.simulate.catalogue import build_catalogue
from churn_spark.simulate.clock import SESSION_FLOOR_S
from churn_spark.simulate.degrading import NEVER, Course
from churn_spark.simulate.draws import (
    Keys,
    pick,
    uniforms,
    user_keys,
)
from churn_spark.simulate.next_event import (
    DRAWS_A_STEP,
    IS_GONE,
    NO_SONG,
    Habits,
    Lives,
    Rules,
    step,
)
from churn_spark.simulate.pages import PAGES
from churn_spark.simulate.personas import (
    build_opener_table,
    build_world_table,
    world_row,
)
from churn_spark.simulate.population import Population
from churn_spark.simulate.settings import DAY_S, Period, SimulationSettings
from churn_spark.simulate.treatment import NONE, Treatment
from churn_spark.timeline import day_number

_LIFE_STREAM: Final = 2
_DRAWN_CELLS: Final = 100_000  # steps x users drawn at once: a few megabytes
_DRAWN_STEPS: Final = 512
# No persona has a way on from this page: the next event opens a session.
_DEAD_END: Final = PAGES.index(Page.CANCELLATION_CONFIRMATION)
_LIVES: Final = fields(Lives)


@dataclass(frozen=True)
class Events:
    """Events as columns of shape (events,), ordered by user and time.

    Attributes:
        row: position of the user in the population.
        ts: epoch seconds.
        state: see `pages.unpack_state`.
        session: ordinal of the session among the user's own, from 0.
        item: position within the session, from 0.
        song: song number, `NO_SONG` on other pages.
    """

    row: Ints
    ts: Ints
    state: Ints
    session: Ints
    item: Ints
    song: Ints


_COLUMN_TYPES: Final = {
    "row": np.int32,
    "ts": np.int64,
    "state": np.int16,
    "session": np.int32,
    "item": np.int32,
    "song": np.int32,
}


@dataclass(frozen=True)
class Outcome:
    """What a period brought.

    Attributes:
        events: those before the end of the period.
        lives: where everybody stands at its end, by row.
        is_in_session: whether the next event of each belongs to the same session, by row.
    """

    events: Events
    lives: Lives
    is_in_session: Bools


def begin(population: Population, first_row: int) -> Lives:
    """Put users where the only way on is their first session; their rows count from `first_row`."""
    n_users = len(population.number)
    return Lives(
        row=first_row + np.arange(n_users, dtype=np.int64),
        n_steps=np.zeros(n_users, dtype=np.int64),
        ts=population.arrives - SESSION_FLOOR_S,
        state=population.context * len(PAGES) + _DEAD_END,
        session=np.full(n_users, -1, dtype=np.int64),
        item=np.zeros(n_users, dtype=np.int64),
        song=np.full(n_users, NO_SONG, dtype=np.int64),
        song_end=np.zeros(n_users, dtype=np.int64),
        pace=np.ones(n_users),
    )


def build_rules(settings: SimulationSettings, is_treated: bool) -> Rules:
    """Lay out what every step of a world needs, of users under an offer if there are any.

    Raises:
        InputError: if the drift leaves a chance outside 0 to 1.
    """
    return Rules(
        moves=build_world_table(settings, is_treated),
        openers=build_opener_table(),
        lengths=build_catalogue().lengths.astype(np.int64),
        start=settings.start_ts,
    )


def _compact(lives: Lives) -> tuple[Ints, ...]:
    """Keep of lives what their events are, in as few bytes as they need."""
    return tuple(getattr(lives, name).astype(kind) for name, kind in _COLUMN_TYPES.items())


def _ordered(parts: list[tuple[Ints, ...]]) -> Events:
    """Put events in the order of users and time; each part has one event a user at most."""
    if not parts:
        return Events(*(np.zeros(0, dtype=kind) for kind in _COLUMN_TYPES.values()))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Events(*(column[order] for column in columns))


def simulate_lives(
    settings: SimulationSettings,
    population: Population,
    lives: Lives,
    course: Course | None,
    period: Period,
    treatment: Treatment | None = None,
) -> Outcome:
    """Simulate users to the end of a period, or to their cancellation.

    A life is left at its last event within the period; what comes next is drawn again, to the
    same result, when a later period goes on from there.

    Args:
        settings: the world.
        population: the users.
        lives: where they stand, by row.
        course: how their interest goes, None in a regime without memory.
        period: the days.
        treatment: what contacts do to them, None where there are none.

    Returns:
        The events, the warm-up's too, and where everybody stands.

    Raises:
        InputError: if the drift leaves a chance outside 0 to 1.
    """
    rules, weights = build_rules(settings, treatment is not None), build_catalogue().weights
    keys = user_keys(settings.seed, _LIFE_STREAM, population.number)
    days = np.array([day_number(day) for day in period.dates])
    pace = None if course is None else course.pace(days)
    cancels_at = np.full(len(keys), NEVER) if course is None else course.cancels_at
    if treatment is not None:
        cancels_at = np.minimum(cancels_at, treatment.woken_at(range(days[0], days[-1] + 1)))
    is_gone = IS_GONE[lives.state] & (lives.session >= 0)
    seen, ended, goes_on = [], [lives.take(is_gone)], [np.zeros(int(is_gone.sum()), dtype=bool)]
    left = lives.take(~is_gone)
    while len(left.row):
        draws, songs = _draw(keys, weights, left)
        here = np.arange(len(left.row))
        for step_draws, step_songs in zip(draws, songs, strict=True):
            habits = _habits(settings, population, cancels_at, treatment, left)
            moved = step(left, habits, step_draws[:, here], step_songs[here], rules)
            is_within = moved.ts < period.end_ts
            if not is_within.all():
                ended.append(left.take(~is_within))
                goes_on.append((moved.session == left.session)[~is_within])
                moved, here = moved.take(is_within), here[is_within]
            if pace is not None:
                day = np.clip((moved.ts - period.first_ts) // DAY_S, 0, len(pace) - 1)
                moved = replace(moved, pace=pace[day, moved.row])
            seen.append(_compact(moved))
            is_gone = IS_GONE[moved.state]
            if is_gone.any():
                ended.append(moved.take(is_gone))
                goes_on.append(np.zeros(int(is_gone.sum()), dtype=bool))
                moved, here = moved.take(~is_gone), here[~is_gone]
            left = moved
            if not len(left.row):
                break
    columns = {f.name: np.concatenate([getattr(part, f.name) for part in ended]) for f in _LIVES}
    by_row = np.argsort(columns["row"])
    return Outcome(_ordered(seen), Lives(**columns).take(by_row), np.concatenate(goes_on)[by_row])


def _draw(keys: Keys, weights: Floats, lives: Lives) -> tuple[Floats, Ints]:
    """Draw for the next steps of lives: shapes (steps, draws, lives) and (steps, lives)."""
    n_steps = min(_DRAWN_STEPS, max(1, _DRAWN_CELLS // len(lives.row)))
    first = lives.n_steps * DRAWS_A_STEP
    draws = uniforms(keys[lives.row], first, n_steps * DRAWS_A_STEP)
    draws = draws.reshape(n_steps, DRAWS_A_STEP, -1)
    return draws, pick(weights, draws[:, 3])


def _habits(
    settings: SimulationSettings,
    population: Population,
    cancels_at: Ints,
    treatment: Treatment | None,
    lives: Lives,
) -> Habits:
    """Look up how lives go on from where they stand."""
    after = lives.ts >= settings.drift_ts
    offer = np.full(len(lives.row), NONE)
    if treatment is not None:
        offer = treatment.saving(lives.ts // DAY_S, lives.row)
    return Habits(
        table=world_row(population.persona[lives.row], after, offer),
        event_gap=population.event_gap[lives.row],
        session_gap=population.session_gap[lives.row],
        cancels_at=cancels_at[lives.row],
    )
