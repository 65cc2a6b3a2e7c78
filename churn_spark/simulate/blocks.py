"""One block of users over a period: lived, numbered, and laid down for the days to be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from churn_spark.arrays import Ints
from churn_spark.simulate import degrading
from churn_spark.simulate.block_lives import Block, live
from churn_spark.simulate.dirt import LATE, choose_dirt
from churn_spark.simulate.lines import encode_profiles
from churn_spark.simulate.lives import Events, begin
from churn_spark.simulate.next_event import IS_GONE, Lives
from churn_spark.simulate.pages import CONTEXTS, PAGES
from churn_spark.simulate.population import (
    Population,
    block_of,
    build_first_users,
    build_newcomers,
    build_profiles,
)
from churn_spark.simulate.settings import DAY_S, Period, SimulationSettings
from churn_spark.simulate.states import BlockState, Tally
from churn_spark.simulate.treatment import Treated
from churn_spark.simulate.truth import write_offers, write_states, write_users
from churn_spark.simulate.truth_contacts import write_contacted
from churn_spark.simulate.twins import Twins, twins_file
from churn_spark.timeline import day_number

EVENT_TYPE: Final = np.dtype(
    [
        ("delivered", "i4"),
        ("ts", "i8"),
        ("row", "i4"),
        ("state", "i2"),
        ("session_id", "i8"),
        ("item", "i4"),
        ("song", "i4"),
        ("dirt", "i1"),
    ]
)
_HAS_ID: Final = np.array([auth in ("Logged In", "Cancelled") for auth, _ in CONTEXTS])


@dataclass(frozen=True)
class BlockFacts:
    """What a block has laid down.

    Attributes:
        bounds: where the rows of each day of the period begin, and the end, length days + 1.
        users: users with an event in the log up to now.
        users_seen: those of them with an event that has a userId, in this period.
        events: events in this period.
        cancels: users who cancelled in this period.
    """

    bounds: tuple[int, ...]
    users: int
    users_seen: int
    events: int
    cancels: int


def events_path(work: Path, block: int) -> Path:
    """Give the file of a block's events, rows of `EVENT_TYPE` in the order of delivery."""
    return work / f"events-{block:05}.npy"


def profiles_path(work: Path, block: int) -> Path:
    """Give the file of a block's encoded profiles."""
    return work / f"profiles-{block:05}.arrow"


def _populate(
    settings: SimulationSettings, block: int, period: Period, before: BlockState | None
) -> tuple[Population, Lives, Ints]:
    """Give everybody who lives in the period, where they stand and how long they have faded."""
    if before is None:
        people = build_first_users(settings, block)
        lives, n_newcomers = begin(people, 0), 0
        fading = degrading.first_fading_days(settings, people)
    else:
        people, lives, fading = before.population, before.lives, before.fading_days
        n_newcomers = before.n_newcomers(settings, block)
    days = np.array([day_number(day) for day in period.dates])
    new = build_newcomers(settings, block, days, n_newcomers)
    joined = people.join(new)
    begun = begin(new, len(people.number))
    lives = Lives(
        *(np.concatenate([getattr(lives, f.name), getattr(begun, f.name)]) for f in fields(Lives))
    )
    return joined, lives, np.concatenate([fading, degrading.first_fading_days(settings, new)])


def _lay_down(
    settings: SimulationSettings,
    people: Population,
    events: Events,
    session_ids: Ints,
    late_before: npt.NDArray[Any],
    period: Period,
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Order events by delivery; give those of the period and those delivered after it."""
    rows = np.zeros(len(events.ts), dtype=EVENT_TYPE)
    for name in ("ts", "row", "state", "item", "song"):
        rows[name] = getattr(events, name)
    rows["session_id"] = session_ids
    rows["dirt"] = choose_dirt(settings, people.number[events.row], events.ts, events.item)
    rows["delivered"] = events.ts // DAY_S + (rows["dirt"] == LATE)
    rows = np.concatenate([late_before, rows])
    rows = rows[np.lexsort((rows["item"], rows["row"], rows["ts"], rows["delivered"]))]
    is_after = rows["delivered"] >= day_number(period.end)
    return rows[~is_after], rows[is_after]


def simulate_block(
    settings: SimulationSettings,
    period: Period,
    out: Path,
    work: Path,
    source: Path | None,
    contacts: Sequence[Treated],
    block: int,
) -> BlockFacts:
    """Simulate a block of users over a period.

    Leaves its events and profiles in `work`, its truth in `out/truth`, and where it stands at
    the end in `work/world`.

    Args:
        settings: the world.
        period: the days.
        out: folder of the log.
        work: folder for what only this run needs.
        source: folder of the states at the start of the period, None at the start of the world.
        contacts: all there have been and are, of any users.
        block: number of the block.

    Raises:
        OSError: if a file can't be written.
    """
    before = None if source is None else BlockState.load(source, block)
    people, lives, fading = _populate(settings, block, period, before)
    tally = Tally.empty() if before is None else before.tally
    tally = tally.for_users(len(people.number))
    twins = None if source is None else Twins.load(twins_file(source, block))
    theirs = [one for one in contacts if block_of(settings, one.number) == block]
    lived = live(settings, Block(block, people, lives, fading, tally, twins), theirs, period)
    outcome = lived.outcome
    is_logged = outcome.events.ts >= settings.start_ts
    events = Events(*(getattr(outcome.events, f.name)[is_logged] for f in fields(Events)))
    counted = lived.tally.with_events(events, tally.session, IS_GONE)
    no_rows = np.zeros(0, dtype=EVENT_TYPE)
    rows, late = _lay_down(
        settings,
        people,
        events,
        lived.session_ids[is_logged],
        no_rows if before is None else before.late,
        period,
    )
    np.save(events_path(work, block), rows)
    profiles = build_profiles(settings.seed, people.number)
    encoded = encode_profiles(settings.style, profiles, people.registered)
    path = str(profiles_path(work, block))
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, encoded.schema) as writer:
        writer.write_table(encoded)
    write_users(out, block, people, counted)
    write_states(out, block, people, lives, outcome, lived.course, period)
    write_offers(settings, out, block, people, period)
    write_contacted(settings, out, block, people, theirs, lived.twins)
    BlockState(
        population=people,
        lives=outcome.lives,
        fading_days=fading if lived.course is None else lived.course.fading_days[-1],
        tally=counted,
        late=late,
    ).save(work / "world", block)
    if lived.twins is not None:
        lived.twins.save(twins_file(work / "world", block))
    days = [day_number(day) for day in period.dates]
    bounds = np.searchsorted(rows["delivered"], [*days, days[-1] + 1])
    has_id = _HAS_ID[events.state // len(PAGES)]
    return BlockFacts(
        bounds=tuple(bounds.tolist()),
        users=int((counted.n_events > 0).sum()),
        users_seen=len(np.unique(events.row[has_id])),
        events=len(rows),
        cancels=int(IS_GONE[events.state].sum()),
    )


def day_rows(work: Path, block: int, first: int, last: int) -> npt.NDArray[Any]:
    """Read a block's events from one position to another.

    Raises:
        OSError: if the block hasn't been simulated.
    """
    rows: npt.NDArray[Any] = np.load(events_path(work, block), mmap_mode="r")[first:last]
    return rows
