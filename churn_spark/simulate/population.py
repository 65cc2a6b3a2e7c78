"""Who the users are: profile, persona and habits, each drawn from the user's own stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from churn_spark.simulate import people, personas
from churn_spark.simulate.draws import Floats, lognormal_mean_one, pick, uniforms, user_keys
from churn_spark.simulate.pages import CONTEXTS

Ints = npt.NDArray[np.int64]

DAY_S: Final = 86_400
# Above the id that one published log gives to anonymous visitors, so none is mistaken for it.
FIRST_USER_ID: Final = 2_000_001
_PROFILE_STREAM: Final = 1
_YEARLY_GROWTH: Final = 0.10
_MEAN_AGE_DAYS: Final = 34.0
_FEMALE_SHARE: Final = 0.46


@dataclass(frozen=True)
class Population:
    """Users by number; every array has shape (users,).

    Attributes:
        user_ids: the `userId` of the log.
        persona: index into `personas.PERSONAS`.
        first_names, last_names, genders, locations, user_agents: profile fields.
        registered: account creation, epoch seconds.
        arrives: when the simulated life begins, epoch seconds.
        context: index into `pages.CONTEXTS` in which it begins.
        event_gap: mean seconds between two page visits.
        session_gap: mean seconds from the end of a session, plus 30 min, to the next.
    """

    user_ids: Ints
    persona: Ints
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    genders: tuple[str, ...]
    locations: tuple[str, ...]
    user_agents: tuple[str, ...]
    registered: Ints
    arrives: Ints
    context: Ints
    event_gap: Floats
    session_gap: Floats


def _choose(names: list[str], draws: Floats) -> list[str]:
    return [names[index] for index in pick(np.ones(len(names)), draws).tolist()]


def _choose_weighted(options: list[tuple[str, float]], draws: Floats) -> tuple[str, ...]:
    weights = np.array([weight for _, weight in options])
    return tuple(options[index][0] for index in pick(weights, draws).tolist())


def _arrivals(draws: Floats, start: int, days: int, warm_up: int) -> tuple[Ints, Ints, Ints]:
    """Draw registration, begin of the simulated life (epoch s) and the context at that time."""
    is_new_draw, age_draw, paid_draw, out_draw = draws
    growth = _YEARLY_GROWTH * days / 365.0
    is_new = is_new_draw < growth / (1.0 + growth)
    begins = start - warm_up
    joined_within = start + (age_draw * days * DAY_S).astype(np.int64)
    # A thousand seconds at least: no account is created in the second of its first event.
    age = (-np.log1p(-age_draw) * _MEAN_AGE_DAYS * DAY_S).astype(np.int64) + 1000
    registered = np.where(is_new, joined_within, begins - age)
    is_paid = paid_draw < personas.INITIAL_PAID_SHARE
    is_out = out_draw < personas.INITIAL_LOGGED_OUT_SHARE
    context = np.where(is_new, CONTEXTS.index(("Guest", "free")), 2 * is_out + is_paid)
    return registered, np.where(is_new, joined_within, begins), context


def build_population(users: int, seed: int, start: int, days: int, warm_up: int) -> Population:
    """Draw the users of a log.

    Args:
        users: how many.
        seed: seed of the log.
        start: begin of the log, epoch seconds.
        days: length of the log; about `10 % * days / 365` of the users join within it.
        warm_up: seconds before `start` at which the lives of the others begin.

    Returns:
        The users by number.

    Raises:
        OverflowError: if the seed is negative.
    """
    draws = uniforms(user_keys(seed, _PROFILE_STREAM, users), 0, 13)
    numbers = np.arange(users, dtype=np.int64)
    is_female = draws[0] < _FEMALE_SHARE
    women = _choose(people.FEMALE_NAMES, draws[1])
    men = _choose(people.MALE_NAMES, draws[1])
    registered, arrives, context = _arrivals(draws[5:9], start, days, warm_up)
    event_factor = lognormal_mean_one(personas.EVENT_GAP_SIGMA, draws[9], draws[10])
    session_factor = lognormal_mean_one(personas.SESSION_GAP_SIGMA, draws[11], draws[12])
    return Population(
        user_ids=FIRST_USER_ID + numbers,
        persona=np.array(personas.PERSONA_CYCLE)[numbers % len(personas.PERSONA_CYCLE)],
        first_names=tuple(np.where(is_female, women, men).tolist()),
        last_names=tuple(_choose(people.LAST_NAMES, draws[2])),
        genders=tuple(np.where(is_female, "F", "M").tolist()),
        locations=_choose_weighted(people.places(), draws[3]),
        user_agents=_choose_weighted(people.user_agents(), draws[4]),
        registered=registered,
        arrives=arrives,
        context=context,
        event_gap=personas.EVENT_GAP_S * event_factor,
        session_gap=personas.SESSION_GAP_S * session_factor,
    )
