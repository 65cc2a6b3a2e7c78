"""How a block of users lives through a period, contacted or not, and the ids of the sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.simulate import degrading
from churn_spark.simulate.kinds import kinds_of
from churn_spark.simulate.lives import Events, Outcome, simulate_lives
from churn_spark.simulate.next_event import Lives
from churn_spark.simulate.personas import PERSONA_NAMES
from churn_spark.simulate.population import Population, count_blocks
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.states import Tally
from churn_spark.simulate.treatment import Treated, build_treatment
from churn_spark.simulate.twins import (
    Twins,
    find_twins,
    number_contacted,
    untreated_events,
    untreated_tally,
)
from churn_spark.timeline import day_number


@dataclass(frozen=True)
class BlockLives:
    """What a period brought to a block.

    Attributes:
        outcome: all events, and where everybody stands.
        course: how interest went, None in a regime without memory.
        session_ids: of the events, shape (events,).
        tally: with the sessions of the period counted.
        twins: of the contacted users at the end, None where nobody was contacted.
    """

    outcome: Outcome
    course: degrading.Course | None
    session_ids: Ints
    tally: Tally
    twins: Twins | None


@dataclass(frozen=True)
class Block:
    """A block of users at the start of a period.

    Attributes:
        number: of the block.
        people: everybody who lives in the period.
        lives: where they stand, by row.
        fading_days: of the degrading regime, shape (users,).
        tally: what was counted.
        twins: of users who have been contacted, None where there are none.
    """

    number: int
    people: Population
    lives: Lives
    fading_days: Ints
    tally: Tally
    twins: Twins | None = None


def live(
    settings: SimulationSettings, block: Block, contacts: Sequence[Treated], period: Period
) -> BlockLives:
    """Let a block of users live through a period.

    Args:
        settings: the world.
        block: its users.
        contacts: with any of them, before the period and in it.
        period: the days.
    """
    people = block.people
    kind = kinds_of(settings, people.number, people.persona, people.session_gap)
    last = day_number(period.dates[-1])
    treatment = build_treatment(settings, contacts, people.number, kind, last)
    days = range(day_number(period.first), last + 1)
    keeps = None if treatment is None else treatment.keeps(days)
    course = _course(settings, block, period, keeps)
    outcome = simulate_lives(settings, people, block.lives, course, period, treatment)
    n_blocks = count_blocks(settings)
    rows = np.flatnonzero(np.isin(people.number, [one.number for one in contacts]))
    if not len(rows):
        ids, tally = number_sessions(
            outcome.events, people.persona, block.tally, block.number, n_blocks
        )
        return BlockLives(outcome, course, ids, tally, None)
    twins = find_twins(block.twins, block.lives, block.tally.cancelled, rows)
    alone = simulate_lives(
        settings, people, twins.lives, _course(settings, block, period, None), period
    )
    untreated = untreated_events(outcome.events, alone.events, rows)
    untreated_ids, counted = number_sessions(
        untreated, people.persona, untreated_tally(block.tally, twins), block.number, n_blocks
    )
    ids = np.zeros(len(outcome.events.row), dtype=np.int64)
    ids[~np.isin(outcome.events.row, rows)] = untreated_ids[~np.isin(untreated.row, rows)]
    is_apart = number_contacted(
        (outcome.events, ids),
        (untreated, untreated_ids),
        twins,
        block.tally,
        n_blocks,
    )
    tally = _noted(block.tally, outcome.events, ids, counted.counters)
    return BlockLives(outcome, course, ids, tally, twins.after(alone, is_apart))


def _course(
    settings: SimulationSettings, block: Block, period: Period, keeps: Floats | None
) -> degrading.Course | None:
    if settings.regime != "degrading":
        return None
    return degrading.simulate_course(settings, block.people, block.fading_days, period, keeps)


def number_sessions(
    events: Events, persona: Ints, tally: Tally, block: int, n_blocks: int
) -> tuple[Ints, Tally]:
    """Give each event its sessionId: a running number of its persona's sessions in the block.

    The counters of the personas run apart, so that users share ids, as in the real log; ids
    of the blocks interleave.

    Args:
        events: ordered by user and time.
        persona: of each user, shape (users,).
        tally: what was counted before.
        block: number of the block.
        n_blocks: how many blocks there are.

    Returns:
        Session ids, shape (events,), and the tally with the sessions counted.
    """
    starts = np.flatnonzero(
        np.diff(events.row, prepend=-1).astype(bool)
        | np.diff(events.session, prepend=-1).astype(bool)
    )
    row = events.row[starts]
    is_new = events.session[starts] != tally.session[row]
    ids, counters = tally.session_id[row].copy(), tally.counters.copy()
    for number in range(len(PERSONA_NAMES)):
        chosen = np.flatnonzero(is_new & (persona[row] == number))
        order = np.lexsort((row[chosen], events.ts[starts][chosen]))
        ids[chosen[order]] = (counters[number] + np.arange(len(chosen))) * n_blocks + block + 1
        counters[number] += len(chosen)
    lengths = np.diff(np.append(starts, len(events.row)))
    of_events = np.repeat(ids, lengths)
    return of_events, _noted(tally, events, of_events, counters)


def _noted(tally: Tally, events: Events, ids: Ints, counters: Ints) -> Tally:
    """Note the last session of each user; of several the last one is written last."""
    session_id, session = tally.session_id.copy(), tally.session.copy()
    session_id[events.row], session[events.row] = ids, events.session
    return tally.with_sessions(session, session_id, counters)
