"""Which terms of a margin are told as reasons, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_spark.arrays import Floats, Ints
from churn_spark.config import ScoringConfig
from churn_spark.contracts.features.topics import SCORE
from churn_spark.models.reasons import Reason
from churn_spark.models.terms import Term


@dataclass(frozen=True)
class _Topic:
    """The terms of one topic, told as one.

    Attributes:
        terms: of the topic.
        total: what they add together, in log-odds, shape (rows,).
        speaker: place of the term that is named, shape (rows,): the largest of those that pull the
            same way and whose value is not the typical one.
        can_speak: whether there is one, shape (rows,).
    """

    terms: list[Term]
    total: Floats
    speaker: Ints
    can_speak: NDArray[np.bool_]

    def reason(self, row: int) -> Reason:
        """The topic's part in a row's risk."""
        term = self.terms[self.speaker[row]]
        return Reason(
            term.feature_of(row),
            float(self.total[row]),
            term.value_of(row),
            term.typical_of(row),
        )


def choose_reasons(terms: Sequence[Term], config: ScoringConfig) -> list[list[Reason]]:
    """The reasons of each row: what raises the risk first, the largest before the others.

    Terms of one topic are one reason, named by the largest of them. Told is what moves the odds
    and differs from what is typical by as much as is configured. Where nothing that raises the risk
    is as large, the first that does is told all the same. What lowers the risk follows where it is
    below the typical one; of other rows nothing that lowers it is told.

    Args:
        terms: what the margins are made of, beside a constant.
        config: how many reasons, and how large they must be.
    """
    topics = _group(terms, config.min_difference)
    if not topics:
        return [[] for _ in terms[0].contributions] if terms else []
    by_a_little = _group(terms, 0.0)
    totals = np.array([topic.total for topic in topics])
    is_above = np.sum([term.contributions for term in terms], axis=0) >= 0
    found = []
    for row, by_size in enumerate(np.argsort(-totals, axis=0, kind="stable").T):
        told = [place for place in by_size if topics[place].can_speak[row]]
        sizes = totals[:, row]
        raising = [topics[p] for p in told if sizes[p] >= config.min_contribution]
        if not raising:
            # Somebody is called for a reason, be it a small one.
            small = (by_a_little[p] for p in by_size if sizes[p] > 0)
            raising = [topic for topic in small if topic.can_speak[row]][:1]
        chosen = raising
        if not is_above[row]:
            lowering = [topics[p] for p in reversed(told) if -sizes[p] >= config.min_contribution]
            chosen = [*raising[:1], *lowering]
        found.append([topic.reason(row) for topic in chosen[: config.n_reasons]])
    return found


def _group(terms: Sequence[Term], min_difference: float) -> list[_Topic]:
    """The topics, in the order of their first terms; a score is none."""
    by_topic: dict[str, list[Term]] = {}
    for term in terms:
        if term.topic != SCORE:
            by_topic.setdefault(term.topic, []).append(term)
    return [_join(several, min_difference) for several in by_topic.values()]


def _join(terms: list[Term], min_difference: float) -> _Topic:
    contributions = np.array([term.contributions for term in terms])
    total = contributions.sum(axis=0)
    may_speak = np.array([term.are_apart(min_difference) for term in terms])
    sizes = np.where(may_speak & (contributions * total > 0), np.abs(contributions), 0.0)
    return _Topic(terms, total, sizes.argmax(axis=0), sizes.max(axis=0, initial=0.0) > 0)
