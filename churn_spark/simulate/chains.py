"""The lives of all users, from arrival to the end of the log or the cancellation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Final

import numpy as np

from churn_spark.simulate.catalogue import Catalogue
from churn_spark.simulate.clock import SESSION_FLOOR_S
from churn_spark.simulate.draws import Floats, pick, uniforms, user_keys
from churn_spark.simulate.pages import PAGES
from churn_spark.simulate.personas import build_move_table, build_opener_table
from churn_spark.simulate.population import Population
from churn_spark.simulate.steps import (
    DRAWS_A_STEP,
    IS_GONE,
    NO_SONG,
    Events,
    Ints,
    Lives,
    Rules,
    step,
)

_LIFE_STREAM: Final = 2
_BLOCK_CELLS: Final = 100_000  # steps x users drawn at once: a few megabytes
_BLOCK_STEPS: Final = 512
# No persona has a way on from this page: the next event opens a session.
_DEAD_END: Final = PAGES.index("Cancellation Confirmation")


def _begin(population: Population) -> Lives:
    """Put every user where the only way on is the first session."""
    n_users = len(population.user_ids)
    return Lives(
        number=np.arange(n_users, dtype=np.int64),
        persona=population.persona,
        event_gap=population.event_gap,
        session_gap=population.session_gap,
        ts=population.arrives - SESSION_FLOOR_S,
        state=population.context * len(PAGES) + _DEAD_END,
        session=np.full(n_users, -1, dtype=np.int64),
        item=np.zeros(n_users, dtype=np.int64),
        song=np.full(n_users, NO_SONG, dtype=np.int64),
        song_end=np.zeros(n_users, dtype=np.int64),
    )


def _blocks(lives: Lives, weights: Floats, seed: int) -> Iterator[tuple[Floats, Ints, Ints]]:
    """Yield draws and songs of many steps at once, with the numbers of the users they are for."""
    keys = user_keys(seed, _LIFE_STREAM, len(lives.number))
    done = 0
    while len(lives.number):
        n_steps = min(_BLOCK_STEPS, max(1, _BLOCK_CELLS // len(lives.number)))
        draws = uniforms(keys[lives.number], done * DRAWS_A_STEP, n_steps * DRAWS_A_STEP)
        draws = draws.reshape(n_steps, DRAWS_A_STEP, -1)
        yield draws, pick(weights, draws[:, 3]), lives.number
        done += n_steps


def _live(lives: Lives, catalogue: Catalogue, seed: int, rules: Rules) -> Iterator[Events]:
    """Yield one event of every user left, until all have cancelled or passed the end."""
    for draws, songs, numbers in _blocks(lives, catalogue.weights, seed):
        for step_draws, step_songs in zip(draws, songs, strict=True):
            here = np.searchsorted(numbers, lives.number)
            step(lives, step_draws[:, here], step_songs[here], rules)
            yield lives.row()
            alive = (lives.ts < rules.end) & ~IS_GONE[lives.state]
            if not alive.all():
                lives.keep(alive)


def simulate_lives(
    population: Population, catalogue: Catalogue, seed: int, start: int, end: int
) -> Events:
    """Simulate every user from arrival to the end of the log or the cancellation.

    Args:
        population: the users.
        catalogue: what they listen to.
        seed: seed of the log.
        start: begin of the log, epoch seconds; nobody cancels before it.
        end: end of the log, epoch seconds, exclusive.

    Returns:
        All events before `end`, those of the warm-up before `start` included, ordered by ts,
        user and item.

    Raises:
        OverflowError: if the seed is negative.
    """
    lengths = catalogue.lengths.astype(np.int64)
    rules = Rules(build_move_table(), build_opener_table(), lengths, start, end)
    steps = list(_live(_begin(population), catalogue, seed, rules))
    events = Events(
        *(np.concatenate([getattr(step, f.name) for step in steps]) for f in fields(Events))
    )
    within = events.take(events.ts < end)
    return within.take(np.lexsort((within.item, within.user, within.ts)))
