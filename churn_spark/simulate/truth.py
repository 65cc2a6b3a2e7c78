"""What is known of a simulated world and stands in no log: written beside it, for tests."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from churn_spark.arrays import Bools, Ints
from churn_spark.simulate.degrading import (
    CONTENT,
    OFFER_EVERY_DAYS,
    Course,
    is_offered,
)
from churn_spark.simulate.lives import Outcome
from churn_spark.simulate.next_event import IS_GONE, Lives
from churn_spark.simulate.own_files import temporary_of
from churn_spark.simulate.pages import unpack_state
from churn_spark.simulate.personas import PERSONA_NAMES
from churn_spark.simulate.population import Population, user_ids
from churn_spark.simulate.settings import DAY_S, Period, SimulationSettings
from churn_spark.simulate.states import STAYED, Tally
from churn_spark.timeline import day_number

_UTC_SECONDS: Final = pa.timestamp("s", tz="UTC")
_TS_BITS: Final = 38  # seconds since the epoch fit into so many bits until the year 9999


def truth_file(out: Path, name: str, block: int = 0) -> Path:
    """Give the file of a part of a table of the truth."""
    return out / "truth" / name / f"block-{block:05}.parquet"


def planned_truth(settings: SimulationSettings, period: Period) -> list[str]:
    """Name the tables of the truth, partition folders included, that a period writes."""
    states = [_states_at_end(day) for day in period.dates]
    return ["users", *states, *(_offers_on(day) for day in _campaigns(settings, period))]


def _states_at_end(day: date) -> str:
    return f"states/as_of={day + timedelta(days=1)}"


def _offers_on(day: date) -> str:
    return f"offers/offered_on={day}"


def _campaigns(settings: SimulationSettings, period: Period) -> list[date]:
    """The days of the period on which a campaign begins; none before the first is due."""
    if settings.regime != "degrading":
        return []
    return [
        day
        for day in period.dates
        if day != settings.start and not (day - settings.start).days % OFFER_EVERY_DAYS
    ]


def write_truth(table: pa.Table, out: Path, name: str, block: int = 0) -> None:
    """Write a part of a table of the truth under a hidden name, then rename.

    Args:
        table: its rows.
        out: folder of the log.
        name: name of the table, partition folders included.
        block: number of the part.

    Raises:
        OSError: if the file can't be written.
    """
    path = truth_file(out, name, block)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_of(path)
    try:
        pq.write_table(table, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_users(out: Path, block: int, people: Population, tally: Tally) -> None:
    """Write `truth/users`: what each user's life was made from.

    Grain: user with an event in the log. Gaps are the user's own means in seconds; `n_events`
    and `n_sessions` count what is in the log up to its end, events without a userId included;
    `cancel_ts` is the time of the Cancellation Confirmation, null for users who stayed.

    Raises:
        OSError: if the file can't be written.
    """
    seen = np.flatnonzero(tally.n_events > 0)
    cancelled = tally.cancelled[seen]
    table = pa.table(
        {
            "user_id": user_ids(people.number[seen]),
            "user_number": people.number[seen],
            "persona": pa.array([PERSONA_NAMES[p] for p in people.persona[seen].tolist()]),
            "event_gap_s": people.event_gap[seen],
            "session_gap_s": people.session_gap[seen],
            "registration_ts": pa.array(people.registered[seen], _UTC_SECONDS),
            "cancel_ts": pa.array(cancelled, _UTC_SECONDS, mask=cancelled == STAYED),
            "n_events": tally.n_events[seen],
            "n_sessions": tally.n_sessions[seen],
        }
    )
    write_truth(table, out, "users", block)


def _states_at(lives: Lives, lived: Outcome, moment: int) -> tuple[Ints, Bools]:
    """Give each user's state before a moment, and whether the next event is of that session.

    The state is that of the last event, -1 where there is none; both have shape (users,).
    """
    events, rows = lived.events, np.arange(len(lives.row))
    keys = (events.row.astype(np.int64) << _TS_BITS) | events.ts
    after = np.searchsorted(keys, (rows << _TS_BITS) | moment)
    owners = np.append(events.row, -1)
    has_event, has_next = (after > 0) & (owners[after - 1] == rows), owners[after] == rows
    sessions, states = np.append(events.session, -2), np.append(events.state, 0)
    session = np.where(has_event, sessions[after - 1], lives.session)
    state = np.where(has_event, states[after - 1], np.where(lives.session >= 0, lives.state, -1))
    goes_on = np.where(has_next, sessions[after] == session, lived.is_in_session)
    return state, goes_on & (state >= 0)


def write_states(
    out: Path,
    block: int,
    people: Population,
    lives: Lives,
    lived: Outcome,
    course: Course | None,
    period: Period,
) -> None:
    """Write `truth/states/as_of=YYYY-MM-DD`: where each user stands as of a date.

    Grain: as-of date and user who has had an event before it and hasn't cancelled. `auth`,
    `level` and `page` are of the last event; `is_in_session` tells whether the next one
    belongs to the same session; `fading_days` is null for content users and where the world
    has no memory.

    Args:
        out: folder of the log.
        block: number of the block.
        people: its users.
        lives: where they stood at the start of the period, by row.
        lived: what the period brought.
        course: how their interest went.
        period: the days; the as-of dates are the ends of each.

    Raises:
        OSError: if a file can't be written.
    """
    ids = np.array(user_ids(people.number))
    names = [
        np.array(column) for column in zip(*map(unpack_state, range(len(IS_GONE))), strict=True)
    ]
    for number, day in enumerate(period.dates, start=1):
        state, is_in_session = _states_at(lives, lived, (day_number(day) + 1) * DAY_S)
        here = np.flatnonzero((state >= 0) & ~IS_GONE[state])
        fading = np.full(len(ids), CONTENT) if course is None else course.fading_days[number]
        table = pa.table(
            {
                "user_id": pa.array(ids[here]),
                **{
                    name: pa.array(column[state[here]]).dictionary_encode()
                    for name, column in zip(("auth", "level", "page"), names, strict=True)
                },
                "is_in_session": is_in_session[here],
                "fading_days": pa.array(fading[here], mask=fading[here] == CONTENT),
            }
        )
        write_truth(table, out, _states_at_end(day), block)


def write_offers(
    settings: SimulationSettings,
    out: Path,
    block: int,
    people: Population,
    period: Period,
) -> None:
    """Write `truth/offers/offered_on=YYYY-MM-DD` for campaigns that begin in the period.

    Grain: campaign and user there is, cancelled ones included. `is_offered` is the toss of a
    fair coin.

    Raises:
        OSError: if a file can't be written.
    """
    for day in _campaigns(settings, period):
        here = np.flatnonzero(people.arrives < day_number(day) * DAY_S)
        table = pa.table(
            {
                "user_id": user_ids(people.number[here]),
                "is_offered": is_offered(settings, people.number[here], day_number(day)),
            }
        )
        write_truth(table, out, _offers_on(day), block)


def read_truth(out: Path, table: str, as_of: date | None = None) -> pa.Table:
    """Read a table of the truth: `users`, `states` or `offers`.

    Args:
        out: folder of the log.
        table: name of the table.
        as_of: one as-of date of `states`, None for the whole table.

    Returns:
        The table, ordered by block and user.

    Raises:
        FileNotFoundError: if there is no such table or date.
    """
    folder = out / "truth" / table
    if as_of is not None:
        folder = folder / f"as_of={as_of}"
    if not folder.is_dir():
        raise FileNotFoundError(folder)
    partitioning: Any = ds.partitioning(flavor="hive")
    rows = ds.dataset(folder, format="parquet", partitioning=partitioning).to_table()
    return rows.unify_dictionaries()
