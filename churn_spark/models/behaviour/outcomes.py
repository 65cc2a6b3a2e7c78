"""How a session ends, by class and level at its start: free, paid or cancelled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Floats
from churn_spark.contracts.pages import LEVEL_AFTER
from churn_spark.models.behaviour.cells import (
    CANCELLED,
    END,
    LEVELS,
    PAGES,
    SHAPE,
    SOURCES,
    START,
    TARGETS,
)
from churn_spark.timeline import SECONDS_PER_DAY

_N_PAGES: Final = len(PAGES)


def _level_after(level: int, page: str) -> int:
    return LEVELS.index(LEVEL_AFTER.get(page, LEVELS[level]))


@dataclass(frozen=True)
class Sessions:
    """What becomes of a session, by class and level at its start.

    Attributes:
        ends: chances that it ends free, paid or cancelled, shape (classes, 2, 3).
        days: mean length, shape (classes, 2).
    """

    ends: Floats
    days: Floats


def solve_sessions(log_chances: Floats, cell_seconds: Floats) -> Sessions:
    """Follow the chains of classes from a session's start to its end.

    A chain of (level, page) is absorbed by the end of the session or the cancellation; the
    chance of each and the time until then are solutions of linear systems (Kemeny and Snell,
    "Finite Markov Chains", 1960).

    Args:
        log_chances: of a mixture, shape (classes, N_CELLS).
        cell_seconds: mean time from a page to the next, by cell, shape (N_CELLS,).

    Raises:
        LinAlgError: if there is a page that never leads to an end.
    """
    chances = np.exp(log_chances).reshape(-1, *SHAPE)
    seconds = cell_seconds.reshape(SHAPE)
    solved = [_solve(one, (one * seconds).sum(axis=-1)) for one in chances]
    return Sessions(*(np.stack(parts) for parts in zip(*solved, strict=True)))


def _solve(chances: Floats, seconds: Floats) -> tuple[Floats, Floats]:
    """Solve one class; the shapes are (levels, sources, targets) and (levels, sources)."""
    n_states = len(LEVELS) * _N_PAGES
    inner, ends = np.zeros((n_states, n_states)), np.zeros((n_states, 3))
    opened, opened_ends = np.zeros((len(LEVELS), n_states)), np.zeros((len(LEVELS), 3))
    cancelled, end = TARGETS.index(CANCELLED), TARGETS.index(END)
    for level in range(len(LEVELS)):
        for number, page in enumerate(SOURCES):
            row = chances[level, number]
            after = _level_after(level, page)
            span = slice(after * _N_PAGES, (after + 1) * _N_PAGES)
            stops = np.zeros(3)
            stops[after] += row[end]
            stops[2] += row[cancelled]
            if page == START:
                opened[level, span], opened_ends[level] = row[:_N_PAGES], stops
            else:
                state = level * _N_PAGES + number - 1
                inner[state, span], ends[state] = row[:_N_PAGES], stops
    solution = np.linalg.inv(np.eye(n_states) - inner)
    found = opened @ solution @ ends + opened_ends
    lasts = opened @ solution @ seconds[:, 1:].ravel()
    return found / found.sum(axis=1, keepdims=True), lasts / SECONDS_PER_DAY
