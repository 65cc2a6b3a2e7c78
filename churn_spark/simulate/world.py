"""A simulated world: its first days, and every day that follows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from churn_spark.errors import InputError
from churn_spark.simulate.blocks import BlockFacts, simulate_block
from churn_spark.simulate.contacts import Reached, read_contacts, save_contacts, take_contacts
from churn_spark.simulate.logs import write_day
from churn_spark.simulate.offers import Offer
from churn_spark.simulate.own_files import (
    FILES,
    WORK,
    claim,
    read_own,
    remove,
    settle,
    temporary_of,
)
from churn_spark.simulate.places import later_files, planned_files, settings_file, state_folder
from churn_spark.simulate.population import count_blocks
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.treatment import Treated

Task = TypeVar("Task")
Result = TypeVar("Result")


class Runner(Protocol):
    """Runs one function on every task, here or on many machines, results in the tasks' order."""

    def __call__(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
        """Run them all."""


def run_here(function: Callable[[Task], Result], tasks: Sequence[Task]) -> list[Result]:
    """Run the tasks one after the other in this process."""
    return [function(task) for task in tasks]


@dataclass(frozen=True)
class SimulationFacts:
    """What was written.

    Attributes:
        users: users with an event since the start of the world.
        users_seen: users with an event in these days that has a userId.
        events: events, the copies of dirty lines not counted.
        cancels: users who cancelled in these days.
        days: days that have events.
        folder: where the log is; `events/` and `truth/` are within.
    """

    users: int
    users_seen: int
    events: int
    cancels: int
    days: int
    folder: Path

    def describe(self) -> str:
        """One line for people."""
        return (
            f"{self.users:,} users ({self.users_seen:,} of them with events), {self.events:,} "
            "events, "
            f"{self.cancels:,} cancellations, {self.days} days in {self.folder}"
        )


def has_log(out: Path) -> bool:
    """Tell whether `out` holds a log that was written to its end."""
    return settings_file(out).is_file()


def read_settings(out: Path) -> SimulationSettings:
    """Read what the world in `out` is determined by.

    Raises:
        InputError: if there is no world.
    """
    path = settings_file(out)
    if not path.is_file():
        raise InputError(
            f"found no simulated world in {out}, expected {path}: simulate its first days "
            "without --from"
        )
    saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for name in ("start", "drift_date"):
        saved[name] = date.fromisoformat(saved[name])
    for name in ("persona_mix", "saved_share", "lost_share", "dog_share"):
        saved |= {name: tuple(saved[name])} if name in saved else {}
    if "offers" in saved:
        saved["offers"] = tuple(Offer(**offer) for offer in saved["offers"])
    return SimulationSettings(**saved)


def log_end(out: Path) -> date:
    """Give the day after the last one of the world in `out`.

    Raises:
        InputError: if there is no world.
    """
    read_settings(out)
    return max(date.fromisoformat(path.name) for path in (out / "world").glob("*-*-*"))


def _check_folder(period: Period, out: Path) -> None:
    """Refuse a folder in which this log would lie among other files or days.

    Raises:
        InputError: if `out` can't be made a folder, or holds files that no simulation there has
            written or days outside the period.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(
            f"found {out}, where no folder can be made ({exc.strerror}), expected a folder to "
            "write to: choose another one"
        ) from exc
    read_own(out)
    expected = {day.isoformat() for day in period.dates}
    present = {path.name for path in (out / "events").glob("[!.]*")}
    if strangers := sorted(present - expected):
        raise InputError(
            f"found {strangers[0]} in {out / 'events'}, expected only days from "
            f"{period.first} to {period.dates[-1]}: choose another folder or delete this one"
        )


def simulate_log(
    settings: SimulationSettings, out: Path, run: Runner = run_here
) -> SimulationFacts:
    """Simulate the first days of a world: `out/events/YYYY-MM-DD/` and `out/truth/`.

    The same settings give the same bytes, wherever the parts are run. Files of an earlier run
    with the same settings are replaced one by one, those of another are deleted first; files
    that no simulation has written are never touched. No file is ever seen half written.

    Args:
        settings: the world and its first days.
        out: a folder that all machines of `run` see.
        run: how the blocks and days are worked off.

    Raises:
        InputError: if `out` isn't a folder, or holds other files or days of another log.
        OSError: if a file can't be written.
    """
    _check_folder(settings.period, out)
    if not (has_log(out) and read_settings(out) == settings):
        # The settings go first, lest half a world pass for one; the list of own files stays.
        remove([settings_file(out), *(read_own(out) - {out / FILES})], out)
    return _simulate(settings, settings.period, out, None, (), run)


def continue_log(
    out: Path, period: Period, run: Runner = run_here, contacts: Sequence[Reached] = ()
) -> SimulationFacts:
    """Simulate further days of a world, as if it had been simulated in one go.

    The states of the world at the begin and at the end of the last period are kept, so the
    last period can be simulated again. With fewer days than before, the others are deleted.

    Args:
        out: folder of the world.
        period: the days; they begin where a state was kept.
        run: how the blocks and days are worked off.
        contacts: that act on these days; those that acted before are known.

    Raises:
        InputError: if there is no world, or no state at the start of the period; if contacts
            don't fit, see `take_contacts`.
        OSError: if a file can't be written.
    """
    settings = read_settings(out)
    source = state_folder(out, period.first)
    if not source.is_dir():
        kept = ", ".join(sorted(path.name for path in (out / "world").glob("*-*-*")))
        raise InputError(
            f"found no state of the world at {period.first}, expected one of {kept}: "
            "continue from there"
        )
    taken = take_contacts(settings, out, period, read_contacts(source), contacts)
    return _simulate(settings, period, out, source, taken, run)


def _simulate(
    settings: SimulationSettings,
    period: Period,
    out: Path,
    source: Path | None,
    contacts: Sequence[Treated],
    run: Runner,
) -> SimulationFacts:
    """Simulate all blocks, write all days, and last of all keep where the world stands."""
    work = out / WORK
    own = claim(out, planned_files(settings, period, out, bool(contacts)))
    remove([path for path in own if work in path.parents], out)
    # The last period again, with fewer days: what the days after it held is of another run.
    remove(later_files(own, out, period.end), out)
    work.mkdir(exist_ok=True)
    blocks = list(range(count_blocks(settings)))
    facts = run(partial(simulate_block, settings, period, out, work, source, contacts), blocks)
    bounds = np.array([block.bounds for block in facts])
    tasks = [
        (day, list(zip(bounds[:, n].tolist(), bounds[:, n + 1].tolist(), strict=True)))
        for n, day in enumerate(period.dates)
    ]
    n_events = run(partial(write_day, settings, out, work), tasks)
    save_contacts(work / "world", contacts)
    _keep_state(settings, period, out, work)
    return _sum_up(facts, n_events, out)


def _keep_state(settings: SimulationSettings, period: Period, out: Path, work: Path) -> None:
    """Keep the states at both ends of the period, and drop the others."""
    own, target = read_own(out), state_folder(out, period.end)
    remove([path for path in own if path.parent == target], out)
    (work / "world").rename(target)
    temporary = temporary_of(settings_file(out))
    temporary.write_text(json.dumps(asdict(settings), default=str, indent=1), encoding="utf-8")
    temporary.replace(settings_file(out))
    kept = (state_folder(out, period.first), target)
    states = [path for path in own if path.parent.parent == target.parent]
    remove([path for path in states if path.parent not in kept], out)
    remove([path for path in own if work in path.parents], out)
    settle(out)


def _sum_up(facts: list[BlockFacts], n_events: list[int], out: Path) -> SimulationFacts:
    return SimulationFacts(
        users=sum(block.users for block in facts),
        users_seen=sum(block.users_seen for block in facts),
        events=sum(n_events),
        cancels=sum(block.cancels for block in facts),
        days=sum(n > 0 for n in n_events),
        folder=out,
    )
