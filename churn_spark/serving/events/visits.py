"""Pages in a row -> what the champion's behaviour model says of one user as of a date.

The counting of `features.transitions` and `behaviour.evidence`; the model's own kernels answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np

from churn_spark.arrays import Floats
from churn_spark.contracts.features.parts import LEVEL_FEATURE
from churn_spark.contracts.features.spec import BEHAVIOUR_FEATURES
from churn_spark.contracts.pages import (
    LEVELS,
    SILENCE_MILLIS,
    VISIT_AUTHS,
    VISIT_END,
    VISIT_START,
    Page,
)
from churn_spark.models.behaviour.cells import N_CELLS, cell_of
from churn_spark.models.behaviour.model import BehaviourModel, Evidence
from churn_spark.models.behaviour.page_weights import page_weights
from churn_spark.models.behaviour.parts import PageEvidence, parts_columns, take_apart
from churn_spark.serving.events.features import Value
from churn_spark.serving.events.hashes import hash_record
from churn_spark.serving.events.records import Event
from churn_spark.timeline import MILLIS_PER_DAY, Horizon, day_start_millis

_SECONDS_PER_DAY: Final = 86_400.0


@dataclass(frozen=True)
class Step:
    """One page after another.

    Attributes:
        level: at the first of them; None where it wasn't told.
        page: the first, or `VISIT_START`.
        next_page: the second, or `VISIT_END`.
        millis: from one to the other.
        known: the instant at which it is known, milliseconds since the epoch.
    """

    level: str | None
    page: str
    next_page: str
    millis: int
    known: int


def follow_pages(events: Iterable[Event]) -> Iterator[Step]:
    """The steps within the user's visits, each session by itself.

    A visit ends when its session is silent for an hour, and that is known when the hour is over.
    """
    of_session: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        if event.auth in VISIT_AUTHS or event.page == Page.CANCELLATION_CONFIRMATION:
            of_session[event.session_id].append(event)
    for one in of_session.values():
        yield from _follow_session(_in_order(one))


@dataclass(frozen=True)
class Seen:
    """What the behaviour model knows of one user as of a date.

    Attributes:
        evidence: of the one user.
        cells: how often they went through each, shape (N_CELLS,).
    """

    evidence: Evidence
    cells: Floats


def see_user(
    events: Iterable[Event], as_of: date, model: BehaviourModel, known: Mapping[str, Value]
) -> Seen:
    """What a behaviour model knows of a user.

    Args:
        events: of the user, before the date.
        as_of: the date.
        model: the champion's.
        known: the snapshot's features: tenure and level are facts of the model, too.
    """
    end = day_start_millis(as_of)
    # Cancel is the outcome that is to be foreseen: transitions to and from it are left out.
    steps = [
        step
        for step in follow_pages(events)
        if step.level in LEVELS
        and step.known < end
        and Page.CANCEL not in (step.page, step.next_page)
    ]
    cells = np.zeros(N_CELLS)
    for step in steps:
        cells[cell_of(str(step.level), step.page, step.next_page)] += 1.0
    tenure = known["tenure_days"]
    days = float("nan") if tenure is None else float(tenure)
    return Seen(
        Evidence(
            log_likelihoods=(model.mixture.log_chances @ cells)[None, :],
            visits=np.array([float(sum(step.page == VISIT_START for step in steps))]),
            visit_days=np.array([sum(step.millis for step in steps) / MILLIS_PER_DAY]),
            registered=np.array([end / 1000.0 - days * _SECONDS_PER_DAY]),
            level=np.array([float(known[LEVEL_FEATURE] == LEVELS[1])]),
        ),
        cells,
    )


def forecast_behaviour(
    seen: Seen, as_of: date, model: BehaviourModel, horizon: Horizon
) -> dict[str, Value]:
    """The features of the set `behaviour`."""
    found = model.forecast(seen.evidence, as_of, horizon)
    values = (found.cancel_probability, found.visits_a_week, found.cancel_per_visit)
    names = (feature.name for feature in BEHAVIOUR_FEATURES)
    return {name: float(one[0]) for name, one in zip(names, values, strict=True)}


def behaviour_parts(
    seen: Seen, as_of: date, model: BehaviourModel, horizon: Horizon, typical_level: str | None
) -> dict[str, Value]:
    """What the log-odds of the forecast are made of: the columns of `BEHAVIOUR_PARTS`."""
    weights = page_weights(model.mixture)
    pages = PageEvidence(
        counts=(weights.counts @ seen.cells)[None],
        typical=(weights.typical @ seen.cells)[None],
        excess=(weights.excess @ seen.cells)[None],
    )
    level = LEVELS.index(typical_level) if typical_level in LEVELS else None
    found = take_apart(model, seen.evidence, pages, as_of, horizon, level)
    return {name: float(one[0]) for name, one in parts_columns(found).items()}


def _in_order(events: Sequence[Event]) -> list[Event]:
    """One session's events by time, place and page; what ties are left, by the record's hash."""

    def place(event: Event) -> tuple[int, int, str]:
        return event.ts, event.item or 0, event.page

    n_at = Counter(map(place, events))
    return sorted(
        events,
        key=lambda event: (
            *place(event),
            hash_record(event.record) if n_at[place(event)] > 1 else 0,
        ),
    )


def _follow_session(events: Sequence[Event]) -> Iterator[Step]:
    before: int | None = None
    for event, following in pairwise([*events, None]):
        assert event is not None
        if before is None or event.ts - before > SILENCE_MILLIS:
            yield Step(event.level, VISIT_START, event.page, 0, event.ts)
        before = event.ts
        if event.page == Page.CANCELLATION_CONFIRMATION:
            continue
        if following is not None and following.ts - event.ts <= SILENCE_MILLIS:
            wait = following.ts - event.ts
            yield Step(event.level, event.page, following.page, wait, following.ts)
        else:
            yield Step(event.level, event.page, VISIT_END, 0, event.ts + SILENCE_MILLIS)
