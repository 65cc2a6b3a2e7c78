"""What contacted users would have done, had nobody been contacted: their untreated twins.

The twins live on beside the contacted. They tell the other potential outcome, and they count the
sessions: ids of sessions run through all users, so if the contacted counted, a contact would
change what the log says of others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from churn_spark.arrays import Bools, Ints
from churn_spark.simulate.lives import Events, Outcome
from churn_spark.simulate.next_event import IS_GONE, Lives
from churn_spark.simulate.states import Tally

_LIVES = [field.name for field in fields(Lives)]


@dataclass(frozen=True)
class Twins:
    """The untreated lives of users who have been contacted; shape (contacted,).

    Attributes:
        lives: where they stand, `row` being the contacted user's.
        cancelled: time of the Cancellation Confirmation, epoch seconds, `STAYED` for others.
        is_apart: whether the contacted user has had a session that the twin has not.
    """

    lives: Lives
    cancelled: Ints
    is_apart: Bools

    def save(self, path: Path) -> None:
        """Write them to a file.

        Raises:
            OSError: if it can't be written.
        """
        columns = {name: getattr(self.lives, name) for name in _LIVES}
        np.savez(path, cancelled=self.cancelled, is_apart=self.is_apart, **columns)

    @classmethod
    def load(cls, path: Path) -> Twins | None:
        """Read them from a file; None where there is none."""
        if not path.is_file():
            return None
        with np.load(path) as saved:
            lives = Lives(**{name: saved[name] for name in _LIVES})
            return cls(lives, saved["cancelled"], saved["is_apart"])

    def after(self, lived: Outcome, is_apart: Bools) -> Twins:
        """Give the twins at the end of a period, by row."""
        gone = IS_GONE[lived.events.state]
        cancelled = self.cancelled.copy()
        cancelled[np.searchsorted(self.lives.row, lived.events.row[gone])] = lived.events.ts[gone]
        return Twins(lived.lives, cancelled, is_apart)


def twins_file(folder: Path, block: int) -> Path:
    """Give the file of a block's twins."""
    return folder / f"twins-{block:05}.npz"


def find_twins(before: Twins | None, lives: Lives, cancelled: Ints, rows: Ints) -> Twins:
    """Give the twins of all contacted users; one contacted just now is as yet their own twin.

    Args:
        before: those who had been contacted before.
        lives: where all users stand.
        cancelled: of all users, as in `Tally`.
        rows: positions of the contacted users, in order.
    """
    own = Twins(lives.take(rows), cancelled[rows], np.zeros(len(rows), dtype=bool))
    if before is None:
        return own
    place = np.searchsorted(rows, before.lives.row)

    def mixed(new: npt.NDArray[Any], old: npt.NDArray[Any]) -> npt.NDArray[Any]:
        both = new.copy()
        both[place] = old
        return both

    columns = {
        name: mixed(getattr(own.lives, name), getattr(before.lives, name)) for name in _LIVES
    }
    return Twins(
        Lives(**columns),
        mixed(own.cancelled, before.cancelled),
        mixed(own.is_apart, before.is_apart),
    )


def untreated_events(events: Events, twins: Events, rows: Ints) -> Events:
    """Put the twins' events in the place of the contacted users', ordered by user and time."""
    others = ~np.isin(events.row, rows)
    columns = {
        field.name: np.concatenate(
            [getattr(events, field.name)[others], getattr(twins, field.name)]
        )
        for field in fields(Events)
    }
    order = np.argsort(columns["row"], kind="stable")
    return Events(**{name: column[order] for name, column in columns.items()})


def untreated_tally(tally: Tally, twins: Twins) -> Tally:
    """Give the tally as the twins' sessions would have left it."""
    session = tally.session.copy()
    session[twins.lives.row] = twins.lives.session
    return replace(tally, session=session)


@dataclass(frozen=True)
class _Session:
    """One session of a period: the user's row, its ordinal, its begin, and where its events lie."""

    row: int
    ordinal: int
    begin: int
    events: slice


def _sessions(events: Events, rows: Ints) -> Iterator[_Session]:
    """The sessions of some users, in the order of the events."""
    starts = np.flatnonzero(
        np.diff(events.row, prepend=-1).astype(bool)
        | np.diff(events.session, prepend=-1).astype(bool)
    )
    ends = np.append(starts[1:], len(events.row))
    chosen = np.isin(events.row[starts], rows)
    for start, end in zip(starts[chosen].tolist(), ends[chosen].tolist(), strict=True):
        place = int(events.row[start]), int(events.session[start]), int(events.ts[start])
        yield _Session(*place, slice(start, end))


def number_contacted(
    happened: tuple[Events, Ints],
    untreated: tuple[Events, Ints],
    twins: Twins,
    tally: Tally,
    step: int,
) -> Bools:
    """Fill in the ids of the contacted users' sessions: the twin's, up to where they part.

    From there on a user's ids run on by themselves. Other users have the same ids: as in the real
    log, only user and id together name a session.

    Args:
        happened: the events, and the ids of their sessions, shape (events,), of which those of
            the contacted are filled in.
        untreated: what would have happened, with all ids.
        twins: as they were before the period.
        tally: what was counted before the period.
        step: from one id to the next.

    Returns:
        Whether each contacted user is apart from the twin now, shape (contacted,).
    """
    rows = twins.lives.row
    of_twin = {
        (one.row, one.ordinal, one.begin): int(untreated[1][one.events.start])
        for one in _sessions(untreated[0], rows)
    }
    apart = dict(zip(rows.tolist(), twins.is_apart.tolist(), strict=True))
    last = {row: int(tally.session_id[row]) for row in apart}
    for one in _sessions(happened[0], rows):
        if one.ordinal != tally.session[one.row]:
            found = of_twin.get((one.row, one.ordinal, one.begin))
            apart[one.row] |= found is None
            if found is None or apart[one.row]:
                found = last[one.row] + step
            last[one.row] = found
        happened[1][one.events] = last[one.row]
    return np.array([apart[row] for row in rows.tolist()])
