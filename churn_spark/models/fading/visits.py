"""When users came: the visits of some users, in arrays."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.contracts.pages import SILENCE_MILLIS

_NOTHING: Final = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))


@dataclass(frozen=True)
class Visits:
    """Visits, the users' one after the other and each user's in order of time.

    Attributes:
        user: whose it is, a place among the users, rising, shape (visits,).
        begins: epoch seconds, shape (visits,).
        ends: epoch seconds, shape (visits,).
    """

    user: Ints
    begins: Floats
    ends: Floats


def visits_of(days: Iterable[tuple[Any, Any]], until: Floats) -> Visits:
    """The visits of users before an instant.

    Days of sessions that overlap or follow each other within an hour are one visit: a session
    that crosses midnight, or two devices at once.

    Args:
        days: of each user begins and ends of the days of their sessions, epoch milliseconds, in
            any order; nothing where there are none.
        until: of each user, epoch seconds; a day of a session that begins then or later is
            unknown.
    """
    # Of who has none a join leaves None or NaN.
    lists = [one if isinstance(one[0], Sized) else _NOTHING for one in days]
    user = np.repeat(np.arange(len(lists)), [len(begins) for begins, _ in lists])
    begins, ends = (
        np.concatenate([*_NOTHING[:1], *(np.asarray(one[side], dtype=np.int64) for one in lists)])
        for side in (0, 1)
    )
    known = np.flatnonzero(begins < until[user] * 1000.0)
    order = known[np.lexsort((ends[known], begins[known], user[known]))]
    return _join_close(user[order], begins[order], ends[order])


def _join_close(user: Ints, begins: Ints, ends: Ints) -> Visits:
    """One visit of those that no pause lies between; times in milliseconds."""
    if not len(user):
        return Visits(user, begins / 1000.0, ends / 1000.0)
    # Each user's times lie above those of the user before: one running maximum serves all.
    step = ends.max() - begins.min() + 1
    shift = user * step - begins.min()
    reached = np.maximum.accumulate(ends + shift) - shift
    is_other = user[1:] != user[:-1]
    is_first = np.append(True, is_other | (begins[1:] - reached[:-1] > SILENCE_MILLIS))
    last = np.append(np.flatnonzero(is_first)[1:], len(user)) - 1
    return Visits(user[is_first], begins[is_first] / 1000.0, reached[last] / 1000.0)
