"""Where a block of users stands at the end of a period, so that the next day can go on from it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from churn_spark.arrays import Bools, Ints
from churn_spark.simulate.lives import Events
from churn_spark.simulate.next_event import Lives
from churn_spark.simulate.personas import PERSONA_NAMES
from churn_spark.simulate.population import Population, count_first_users
from churn_spark.simulate.settings import SimulationSettings

STAYED = -1


@dataclass(frozen=True)
class Tally:
    """What has been counted up to a day; shape (users,) but for `counters`.

    Attributes:
        session: ordinal of the last session, -1 before the first.
        session_id: its sessionId.
        n_events: events in the log.
        n_sessions: sessions in the log.
        cancelled: time of the Cancellation Confirmation, epoch seconds, `STAYED` for others.
        counters: sessions of each persona, shape (personas,).
    """

    session: Ints
    session_id: Ints
    n_events: Ints
    n_sessions: Ints
    cancelled: Ints
    counters: Ints

    @classmethod
    def empty(cls) -> Tally:
        """Count nobody."""
        none = np.zeros(0, dtype=np.int64)
        return cls(none, none, none, none, none, np.zeros(len(PERSONA_NAMES), dtype=np.int64))

    def for_users(self, users: int) -> Tally:
        """Make room for users who weren't counted yet."""
        more = users - len(self.session)
        return Tally(
            session=np.append(self.session, np.full(more, -1)),
            session_id=np.append(self.session_id, np.zeros(more, dtype=np.int64)),
            n_events=np.append(self.n_events, np.zeros(more, dtype=np.int64)),
            n_sessions=np.append(self.n_sessions, np.zeros(more, dtype=np.int64)),
            cancelled=np.append(self.cancelled, np.full(more, STAYED)),
            counters=self.counters,
        )

    def with_sessions(self, session: Ints, session_id: Ints, counters: Ints) -> Tally:
        """Note the last session of each user."""
        return replace(self, session=session, session_id=session_id, counters=counters)

    def with_events(self, events: Events, session_before: Ints, is_gone: Bools) -> Tally:
        """Count the events of a period.

        Args:
            events: ordered by user and time.
            session_before: last session of each user before the period, shape (users,).
            is_gone: whether a state is the Cancellation Confirmation, shape (states,).
        """
        users = len(self.session)
        opens = np.diff(events.row, prepend=-1).astype(bool)
        opens |= np.diff(events.session, prepend=-1).astype(bool)
        opens &= events.session != session_before[events.row]
        cancelled = self.cancelled.copy()
        gone = is_gone[events.state]
        cancelled[events.row[gone]] = events.ts[gone]
        return replace(
            self,
            n_events=self.n_events + np.bincount(events.row, minlength=users),
            n_sessions=self.n_sessions + np.bincount(events.row[opens], minlength=users),
            cancelled=cancelled,
        )


def state_file(folder: Path, block: int) -> Path:
    """Give the file of a block's state."""
    return folder / f"block-{block:05}.npz"


@dataclass(frozen=True)
class BlockState:
    """Where a block of users stands.

    Attributes:
        population: everybody so far.
        lives: the last event of each.
        fading_days: of the degrading regime, shape (users,).
        tally: what was counted.
        late: events that are delivered after the period, rows of `blocks.EVENT_TYPE`.
    """

    population: Population
    lives: Lives
    fading_days: Ints
    tally: Tally
    late: npt.NDArray[Any]

    def n_newcomers(self, settings: SimulationSettings, block: int) -> int:
        """Count those who have joined since the start of the world."""
        return len(self.population.number) - count_first_users(settings, block)

    def save(self, folder: Path, block: int) -> None:
        """Write the state to `folder`.

        Raises:
            OSError: if it can't be written.
        """
        columns = {
            f"{part}.{field.name}": getattr(getattr(self, part), field.name)
            for part, kind in _PARTS.items()
            for field in fields(kind)
        }
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(state_file(folder, block), fading_days=self.fading_days, late=self.late, **columns)

    @classmethod
    def load(cls, folder: Path, block: int) -> BlockState:
        """Read the state of a block from `folder`.

        Raises:
            OSError: if it isn't there.
        """
        with np.load(state_file(folder, block)) as saved:
            parts = {
                part: kind(**{field.name: saved[f"{part}.{field.name}"] for field in fields(kind)})
                for part, kind in _PARTS.items()
            }
            return cls(**parts, fading_days=saved["fading_days"], late=saved["late"])


_PARTS: dict[str, Any] = {"population": Population, "lives": Lives, "tally": Tally}
