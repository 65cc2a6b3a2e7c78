"""Two nights started at once, at random offsets: the same tables as one after the other.

    python -m bench.night_pairs [--pairs N] [--seed N]

Each night is a process of its own, on one small lakehouse, and waits for the other. Two of a pair
are of one date, or of two dates in either order; in every fourth pair the one that came first is
killed without warning, and the other has to notice. Afterwards tables, registry and published
champion are compared with those that the two leave one after the other, in the order in which they
got the lock. What one command over both dates leaves is compared, too.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from obstore.store import LocalStore

from bench.killed_night import LIGHT
from bench.kills import KilledNights, differences_of
from bench.promises import holds, judged
from churn_spark.lakehouse.lock_store import ConditionalStore
from churn_spark.lakehouse.lock_tenure import find_tenure

_WAIT_MINUTES: Final = 30
_KILLED_EVERY: Final = 4

Night = subprocess.Popen[str]
"""A night that is being lived, in a process group of its own."""
Death = Callable[[Night, Night], Night]
"""Kills one of two nights, and gives it."""


@dataclass
class NightPairs:
    """A small lakehouse with a first night behind it, in which pairs of nights are lived.

    Attributes:
        world: the log and the lakehouse.
        live: how nights are lived that have no other beside them; in processes of their own,
            where nothing is given.
        usual_s: seconds of one of those nights.
        left: dates in the order in which their nights had the lock -> what they leave.
    """

    world: KilledNights
    live: Callable[[date], None] | None = None
    usual_s: float = field(default=0.0, init=False)
    left: dict[tuple[date, ...], dict[str, str]] = field(default_factory=dict, init=False)

    def prepare(self) -> None:
        """Live the first night, which trains, and bring the files of two more days."""
        self.world.simulate()
        first = self.world.nights[0]
        self.world.deliver(first)
        self._live(first)
        self.world.deliver(self.dates[1])
        self.world.keep()

    @property
    def dates(self) -> tuple[date, date]:
        """The two nights after the first one."""
        first = self.world.nights[0]
        return first + timedelta(days=1), first + timedelta(days=2)

    def expected(self, order: tuple[date, ...]) -> dict[str, str]:
        """What the nights leave one after the other."""
        if order not in self.left:
            self.world.restore()
            for n, night in enumerate(order, 1):
                began = time.monotonic()
                self._live(night)
                self.usual_s = time.monotonic() - began
                self.left[order[:n]] = self.world.content()
        return self.left[order]

    def differences(self, nights: Sequence[date], offset_s: float) -> list[str]:
        """Live two nights at once, and name what isn't as one after the other.

        Args:
            nights: their dates; the first is started first.
            offset_s: after which the second is started.
        """
        _, second = both = self._begin_both(nights, offset_s)
        for process in both:
            self._end(process)
        order = tuple(nights)
        # Whoever had the lock last was the later one, whichever was started first.
        if self.holder() != second.pid:
            order = order[::-1]
        return differences_of(self.expected(order), self.world.content())

    def differences_of_killed(self, night: date, offset_s: float, kill: Death) -> list[str]:
        """Live a night twice at once, of which one is killed, and name what isn't as by one."""
        both = self._begin_both((night, night), offset_s)
        killed = kill(*both)
        for process in both:
            if process is killed:
                process.communicate()
            else:
                self._end(process)
        return differences_of(self.expected((night,)), self.world.content())

    def holder(self) -> int | None:
        """The process that has or had the lock last."""
        last = find_tenure(ConditionalStore(LocalStore(self.world.lakehouse)))
        return last.holder.processes[0].pid if last else None

    def differences_of_range(self) -> list[str]:
        """Live both nights by one command, and name what isn't as by two."""
        self.world.restore()
        first, last = map(str, self.dates)
        self._end(self._start("--from", first, "--to", last))
        return differences_of(self.expected(self.dates), self.world.content())

    def _live(self, night: date) -> None:
        if self.live:
            self.live(night)
        else:
            self._end(self._start("--date", str(night)))

    def _begin_both(self, nights: Sequence[date], offset_s: float) -> tuple[Night, Night]:
        self.world.restore()
        first, second = map(str, nights)
        begun = self._start("--date", first)
        time.sleep(offset_s)
        return begun, self._start("--date", second)

    def _start(self, *dates: str) -> Night:
        options = [f"lakehouse={self.world.lakehouse}", *LIGHT]
        command = [sys.executable, "-m", "jobs.nightly", *dates]
        command += ["--events", str(self.world.work / "incoming"), "--wait", str(_WAIT_MINUTES)]
        for option in options:
            command += ["--set", option]
        return subprocess.Popen(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _end(self, process: Night) -> None:
        """Wait for the end of a night.

        Raises:
            SystemExit: if it failed, with what it wrote to its standard error.
        """
        _, error = process.communicate()
        if process.returncode:
            raise SystemExit(f"a night ended with {process.returncode}:\n{error}")


def kill(night: Night) -> Night:
    """Kill a night and the JVM below it."""
    os.killpg(night.pid, signal.SIGKILL)
    return night


def try_pair(pairs: NightPairs, chance: random.Random, is_killed: bool) -> tuple[str, list[str]]:
    """Live a pair as chance will have it; gives what it was, and what was different."""
    day, next_day = pairs.dates
    offset_s = chance.uniform(0, pairs.usual_s)
    killed_after_s = chance.uniform(0, pairs.usual_s)
    if is_killed:
        begun_s = min(offset_s, killed_after_s)

        def kill_first(first: Night, _: Night) -> Night:
            time.sleep(killed_after_s - begun_s)
            return kill(first)

        what = f"{day} twice, {begun_s:.1f} s apart, the first killed after {killed_after_s:.1f} s"
        return what, pairs.differences_of_killed(day, begun_s, kill_first)
    nights = chance.choice([(day, day), (day, next_day), (next_day, day)])
    what = f"{' and '.join(map(str, nights))}, {offset_s:.1f} s apart"
    return what, pairs.differences(nights, offset_s)


def try_pairs(work: Path, n_pairs: int, seed: int) -> list[str]:
    """Live so many pairs, tell of each, and name all that was different."""
    pairs = NightPairs(KilledNights(work))
    pairs.prepare()
    pairs.expected(pairs.dates)
    different = [f"both by one command: {name}" for name in pairs.differences_of_range()]
    chance = random.Random(seed)
    for n in range(1, n_pairs + 1):
        what, found = try_pair(pairs, chance, is_killed=n % _KILLED_EVERY == 0)
        different += [f"pair {n}: {name}" for name in found]
        typer.echo(f"{n}: {what}: {found or 'nothing differs'}")
    return different


@judged
def main(
    pairs: Annotated[int, typer.Option(help="How many.")] = 100,
    seed: Annotated[int, typer.Option(help="Of dates and offsets.")] = 0,
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
) -> None:
    """Start two nights at once, again and again, and say whether anything is different."""
    with tempfile.TemporaryDirectory(prefix="churn_spark-", dir=work) as folder:
        different = try_pairs(Path(folder), pairs, seed)
    typer.echo(
        f"{pairs} pairs of nights started at once: the same tables, registry and champion as one "
        f"after the other: {holds(not different)}"
    )


if __name__ == "__main__":
    typer.run(main)
