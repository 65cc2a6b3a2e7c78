"""Who the users are: profile, persona and habits, each drawn from the user's own stream."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.simulate import people, personas
from churn_spark.simulate.draws import (
    lognormal_mean_one,
    pick,
    poisson,
    uniforms,
    user_keys,
)
from churn_spark.simulate.pages import CONTEXTS
from churn_spark.simulate.settings import DAY_S, WARM_UP_S, SimulationSettings

# Users are simulated in blocks of this many: it bounds the memory, and with it every byte of
# the log is fixed, whatever the number of machines.
BLOCK_USERS: Final = 2048
# Above the id that one published log gives to anonymous visitors, so none is mistaken for it.
_FIRST_USER_ID: Final = 2_000_001
_PROFILE_STREAM: Final = 1
_JOIN_STREAM: Final = 3
_MEAN_AGE_DAYS: Final = 34.0
_FEMALE_SHARE: Final = 0.46
_GOLDEN: Final = 0.6180339887498949


@dataclass(frozen=True)
class Population:
    """Users as columns, all of shape (users,).

    Attributes:
        number: user number, unique in the world.
        persona: index into `personas.PERSONA_NAMES`.
        registered: account creation, epoch seconds.
        arrives: when the simulated life begins, epoch seconds.
        context: index into `pages.CONTEXTS` in which it begins.
        event_gap: mean seconds between two page visits.
        session_gap: mean seconds from the end of a session, plus 30 min, to the next.
    """

    number: Ints
    persona: Ints
    registered: Ints
    arrives: Ints
    context: Ints
    event_gap: Floats
    session_gap: Floats

    def join(self, others: Population) -> Population:
        """Put others behind these users."""
        return Population(
            *(
                np.concatenate([getattr(self, f.name), getattr(others, f.name)])
                for f in fields(self)
            )
        )


@dataclass(frozen=True)
class Profiles:
    """What the log says of each user; every column has length users."""

    user_ids: list[str]
    locations: list[str]
    user_agents: list[str]
    last_names: list[str]
    first_names: list[str]
    genders: list[str]


def count_blocks(settings: SimulationSettings) -> int:
    """Count the blocks of users of a world."""
    return -(-settings.users // BLOCK_USERS)


def count_first_users(settings: SimulationSettings, block: int) -> int:
    """Count the users of a block that are there at the start."""
    return max(0, min(BLOCK_USERS, settings.users - block * BLOCK_USERS))


def _build(settings: SimulationSettings, number: Ints, joined: Ints | None) -> Population:
    """Draw users by number; `joined` is when newcomers join, epoch s, None for the first ones."""
    draws = uniforms(user_keys(settings.seed, _PROFILE_STREAM, number), 0, 13)
    age_draw, paid_draw, out_draw = draws[6:9]
    weights = np.cumsum(settings.persona_mix) / sum(settings.persona_mix)
    # Multiples of the golden ratio fill the shares evenly: the mix holds for any number of users.
    share = (number + 0.5) * _GOLDEN % 1.0
    persona = np.minimum(np.searchsorted(weights, share, side="right"), len(weights) - 1)
    if joined is None:
        arrives = np.full(len(number), settings.start_ts - WARM_UP_S, dtype=np.int64)
        # A thousand seconds at least: no account is created in the second of its first event.
        age = (-np.log1p(-age_draw) * _MEAN_AGE_DAYS * DAY_S).astype(np.int64) + 1000
        is_paid = paid_draw < personas.INITIAL_PAID_SHARE
        is_out = out_draw < personas.INITIAL_LOGGED_OUT_SHARE
        registered, context = arrives - age, 2 * is_out + is_paid
    else:
        arrives, registered = joined, joined - 60
        context = np.full(len(number), CONTEXTS.index(("Guest", "free")))
    event_factor = lognormal_mean_one(personas.EVENT_GAP_SIGMA, draws[9], draws[10])
    session_factor = lognormal_mean_one(personas.SESSION_GAP_SIGMA, draws[11], draws[12])
    return Population(
        number=number,
        persona=persona,
        registered=registered,
        arrives=arrives,
        context=context.astype(np.int64),
        event_gap=personas.EVENT_GAP_S * event_factor,
        session_gap=personas.SESSION_GAP_S * session_factor,
    )


def build_first_users(settings: SimulationSettings, block: int) -> Population:
    """Draw the users of a block that are there at the start.

    Raises:
        ValueError: if the world has no such block.
    """
    if not 0 <= block < count_blocks(settings):
        raise ValueError(f"found block {block}, expected one below {count_blocks(settings)}")
    first = block * BLOCK_USERS
    number = np.arange(first, min(first + BLOCK_USERS, settings.users), dtype=np.int64)
    return _build(settings, number, None)


def build_newcomers(
    settings: SimulationSettings, block: int, days: Ints, n_before: int
) -> Population:
    """Draw the users of a block who join on given days, at `growth` of its users in a year.

    Args:
        settings: the world.
        block: number of the block.
        days: days since the epoch, in order.
        n_before: how many newcomers the block had before.
    """
    n_blocks = count_blocks(settings)
    base = count_first_users(settings, block)
    key = user_keys(settings.seed, _JOIN_STREAM, np.array([block]))
    counts = poisson(
        base * settings.growth / 365.0,
        np.array([uniforms(key, day, 1)[0, 0] for day in days.tolist()]),
    )
    ordinal = n_before + np.arange(counts.sum(), dtype=np.int64)
    number = settings.users + ordinal * n_blocks + block
    moment = uniforms(user_keys(settings.seed, _JOIN_STREAM + 1, number), 0, 1)[0]
    joined = np.repeat(days, counts) * DAY_S + (moment * DAY_S).astype(np.int64)
    return _build(settings, number, joined)


def _choose(names: list[str], draws: Floats) -> list[str]:
    return [names[index] for index in pick(np.ones(len(names)), draws).tolist()]


def _choose_weighted(options: list[tuple[str, float]], draws: Floats) -> list[str]:
    weights = np.array([weight for _, weight in options])
    return [options[index][0] for index in pick(weights, draws).tolist()]


def user_ids(number: Ints) -> list[str]:
    """Give the `userId` of each user."""
    return [str(user_id) for user_id in (number + _FIRST_USER_ID).tolist()]


def number_of(user_id: str) -> int:
    """Give the user number of a `userId` of the log.

    Raises:
        ValueError: if it is no such id.
    """
    return int(user_id) - _FIRST_USER_ID


def block_of(settings: SimulationSettings, number: int) -> int:
    """Give the block in which a user lives."""
    if number < settings.users:
        return number // BLOCK_USERS
    return (number - settings.users) % count_blocks(settings)


def build_profiles(seed: int, number: Ints) -> Profiles:
    """Draw what the log says of users."""
    draws = uniforms(user_keys(seed, _PROFILE_STREAM, number), 0, 5)
    is_female = draws[0] < _FEMALE_SHARE
    women = _choose(people.FEMALE_NAMES, draws[1])
    men = _choose(people.MALE_NAMES, draws[1])
    return Profiles(
        user_ids=user_ids(number),
        locations=_choose_weighted(people.places(), draws[3]),
        user_agents=_choose_weighted(people.user_agents(), draws[4]),
        last_names=_choose(people.LAST_NAMES, draws[2]),
        first_names=np.where(is_female, women, men).tolist(),
        genders=np.where(is_female, "F", "M").tolist(),
    )
