"""The log-odds of a forecast, taken apart: what is due to visits, pages and subscription.

The game: a player that isn't in a coalition is typical. Who came typically came as often as the
median user in as many days; who visited a page typically, as often as the average listener in as
many steps; who has the typical subscription, the one that most have. With all players in it the
worth is the log-odds of the forecast; with none, those of a typical user who was watched as long.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from churn_spark.arrays import Floats
from churn_spark.contracts.features.parts import COUNTED_PARTS, PARTS
from churn_spark.models.behaviour.model import BehaviourModel, Evidence
from churn_spark.models.behaviour.visits import rate_log_weights
from churn_spark.models.offset import log_odds
from churn_spark.models.shapley import shapley_values
from churn_spark.timeline import SECONDS_PER_DAY, Horizon, day_start_millis

_BLOCK_USERS: Final = 256
_LIMITS: Final = log_odds(np.array([0.0, 1.0]))


@dataclass(frozen=True)
class PageEvidence:
    """What is known of users' visits of pages, as `PageWeights` sums it.

    Attributes:
        counts: shape (users, parts).
        typical: shape (users, parts).
        excess: shape (users, classes, parts).
    """

    counts: Floats
    typical: Floats
    excess: Floats


@dataclass(frozen=True)
class Parts:
    """What the log-odds are made of; counted parts are in the order of `COUNTED_PARTS`.

    Attributes:
        watched_days: in which the counts are, shape (users,).
        counts: shape (users, counted parts).
        typical: shape (users, counted parts).
        values: in log-odds, in the order of `PARTS`, shape (users, parts).
        without: log-odds with a typical count, shape (users, counted parts).
        with_other_level: log-odds if the free paid, and the paying did not, shape (users,).
    """

    watched_days: Floats
    counts: Floats
    typical: Floats
    values: Floats
    without: Floats
    with_other_level: Floats


def take_apart(
    model: BehaviourModel,
    evidence: Evidence,
    pages: PageEvidence,
    as_of: date,
    horizon: Horizon,
    typical_level: int | None,
) -> Parts:
    """Take the log-odds of `model.forecast` apart.

    Args:
        model: that forecasts.
        evidence: of the users.
        pages: of the same users.
        as_of: date of the forecast.
        horizon: of the forecast.
        typical_level: index into `cells.LEVELS`; none: nobody's level is taken for untypical.
    """
    exposure = model.exposure_of(evidence, as_of)
    usual_visits = math.exp(model.prior.mean_log) * exposure
    usual_rates, rates = (
        np.exp(rate_log_weights(model.prior, visits, exposure))
        for visits in (usual_visits, evidence.visits)
    )
    window = horizon.gap_days, horizon.gap_days + horizon.days
    survivals = model.survivals(as_of, window)
    level = evidence.level == 1
    usual_level = level if typical_level is None else np.full_like(level, typical_level == 1)
    alive = np.stack(
        [
            _alive(survivals, weights, is_paid)
            for is_paid in (usual_level, level)
            for weights in (usual_rates, rates)
        ],
        axis=-1,
    )
    joint = evidence.log_likelihoods + np.log(model.mixture.shares)
    usual = joint - pages.excess.sum(axis=2)
    found = [
        _share(usual[block], pages.excess[block], alive[block]) for block in _blocks(len(level))
    ]
    values, without = (np.concatenate(several) for several in zip(*found, strict=True))
    return Parts(
        watched_days=_watched_days(model, evidence, as_of),
        counts=np.column_stack([pages.counts, evidence.visits]),
        typical=np.column_stack([pages.typical, usual_visits]),
        values=values,
        without=without,
        with_other_level=_worth(joint[:, None], _alive(survivals, rates, ~level)[..., None])[0],
    )


def parts_columns(parts: Parts) -> dict[str, Floats]:
    """Column of `BEHAVIOUR_PARTS` -> its values."""
    counted = [part.name for part in COUNTED_PARTS]
    groups = (
        ("n", counted, parts.counts),
        ("typical", counted, parts.typical),
        ("part", PARTS, parts.values),
        ("without", counted, parts.without),
    )
    alone = {"watched_days": parts.watched_days, "with_other_level": parts.with_other_level}
    return alone | {
        f"{kind}_{name}": column
        for kind, names, values in groups
        for name, column in zip(names, values.T, strict=True)
    }


def _alive(survivals: Sequence[Floats], rate_weights: Floats, is_paid: NDArray[np.bool_]) -> Floats:
    """Chance of each class to be still subscribed at the horizon's begin, and at its end.

    Returns:
        Shape (users, classes, 2).
    """
    found = []
    for survival in survivals:
        free, paid = (rate_weights @ survival[:, level].T for level in (0, 1))
        found.append(np.where(is_paid[:, None], paid, free))
    return np.stack(found, axis=-1)


def _share(usual: Floats, excess: Floats, alive: Floats) -> tuple[Floats, Floats]:
    """Shapley values of some users, and the log-odds with a typical count of each part.

    Args:
        usual: log of the classes' weights, but for a factor, with typical visits of all pages,
            shape (users, classes).
        excess: what each page adds to it, shape (users, classes, pages).
        alive: by coalition of visits (the first bit) and level, shape (users, classes, 2, 4).
    """
    joint = usual[:, None]
    for page in range(excess.shape[2]):
        joint = np.concatenate([joint, joint + excess[:, None, :, page]], axis=1)
    worth = _worth(joint, alive)
    n_counted = excess.shape[2] + 1
    without = worth[[len(worth) - 1 - 2**player for player in range(n_counted)]]
    return shapley_values(worth).T, without.T


def _worth(joint: Floats, alive: Floats) -> Floats:
    """Log-odds to cancel of each coalition; the bits of pages are the first.

    Args:
        joint: log of the classes' weights, but for a factor, by coalition of pages, shape (users,
            coalitions, classes).
        alive: by coalition of the others, shape (users, classes, 2, coalitions).

    Returns:
        Shape (coalitions, users).
    """
    n_users, n_classes, _, n_others = alive.shape
    # Class by class: a maximum along so short an axis takes longer than all else.
    largest = reduce(np.maximum, (joint[..., number] for number in range(n_classes)))
    weights = np.exp(joint - largest[..., None])
    survivors = weights @ alive.reshape(n_users, n_classes, -1)
    begin, end = survivors[..., :n_others], survivors[..., n_others:]
    with np.errstate(divide="ignore"):
        found: Floats = np.clip(np.log((begin - end) / end), *_LIMITS)
    return found.transpose(2, 1, 0).reshape(-1, n_users)


def _watched_days(model: BehaviourModel, evidence: Evidence, as_of: date) -> Floats:
    """Days, begun ones too, since the later of registration and the log's start."""
    now, start = (day_start_millis(day) / 1000.0 for day in (as_of, model.log_start))
    days = (now - np.fmax(evidence.registered, start)) / SECONDS_PER_DAY
    found: Floats = np.maximum(np.ceil(days - 1e-9), 1.0)
    return found


def _blocks(n_users: int) -> list[slice]:
    """Users that are in memory at once with all their coalitions; one block at least."""
    firsts = range(0, max(n_users, 1), _BLOCK_USERS)
    return [slice(first, first + _BLOCK_USERS) for first in firsts]
