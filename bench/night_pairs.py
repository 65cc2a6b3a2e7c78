"""Two nights started at once, at random offsets: the same tables as one after the other.

    python -m bench.night_pairs [--pairs N] [--seed N]

Each night is a process of its own, on one small lakehouse, and waits for the other. Two of a pair
are of one date, or of two dates in either order. In every fourth pair one of the nights is a week
after the first training, and so trains a challenger. In every fourth, too, the night that came
first is killed without warning, and the other has to notice. Afterwards tables, pages, registry
and published champion are compared with those that the two leave one after the other, in the order
in which they got the lock. What one command over two dates leaves is compared, too.
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
from rich.console import Console

from bench.killed_night import LIGHT
from bench.kills import KilledNights, differences_of
from bench.promises import holds, judged
from churn_spark.lakehouse.lock_store import ConditionalStore
from churn_spark.lakehouse.lock_tenure import find_tenure

_WAIT_MINUTES: Final = 30
_EVERY: Final = 4
"""Of so many pairs one trains a challenger, and in one a night is killed."""
console = Console(highlight=False, soft_wrap=True)

Night = subprocess.Popen[str]
"""A night that is being lived, in a process group of its own."""
Death = Callable[[Night, Night], Night | None]
"""Kills one of two nights, and gives it; none where it had ended before."""


@dataclass
class NightPairs:
    """A small lakehouse with a first night behind it, in which pairs of nights are lived.

    Attributes:
        world: the log and the lakehouse.
        live: how nights are lived that have no other beside them; in processes of their own,
            where nothing is given.
        usual_s: date -> seconds of its night when nothing is beside it.
        left: dates in the order in which their nights had the lock -> what they leave.
    """

    world: KilledNights
    live: Callable[[date], None] | None = None
    usual_s: dict[date, float] = field(default_factory=dict, init=False)
    left: dict[tuple[date, ...], dict[str, str]] = field(default_factory=dict, init=False)

    def prepare(self) -> None:
        """Live the first night, which trains, and bring the files of the week after it."""
        self.world.simulate()
        first = self.world.nights[0]
        self.world.deliver(first)
        self._live(first)
        self.world.deliver(self.due)
        self.world.keep()

    @property
    def dates(self) -> tuple[date, date]:
        """The two nights after the first one."""
        first = self.world.nights[0]
        return first + timedelta(days=1), first + timedelta(days=2)

    @property
    def due(self) -> date:
        """A night a week after the first one: it trains a challenger."""
        return self.world.nights[1]

    def expected(self, order: tuple[date, ...]) -> dict[str, str]:
        """What the nights leave one after the other."""
        if order not in self.left:
            self.world.restore()
            for n, night in enumerate(order, 1):
                began = time.monotonic()
                self._live(night)
                self.usual_s.setdefault(night, time.monotonic() - began)
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
        return self._compare(order)

    def differences_of_killed(
        self, night: date, offset_s: float, kill: Death
    ) -> tuple[bool, list[str]]:
        """Live a night twice at once, of which one is killed.

        Returns:
            Whether it was alive when it was to be killed, and what isn't as by one night.
        """
        both = self._begin_both((night, night), offset_s)
        killed = kill(*both)
        for process in both:
            if process is killed:
                process.communicate()
            else:
                self._end(process)
        return killed is not None, self._compare((night,))

    def holder(self) -> int | None:
        """The process that has or had the lock last."""
        last = find_tenure(ConditionalStore(LocalStore(self.world.lakehouse)))
        return last.holder.processes[0].pid if last else None

    def differences_of_range(self) -> list[str]:
        """Live both nights by one command, and name what isn't as by two."""
        self.world.restore()
        first, last = map(str, self.dates)
        self._end(self._start("--from", first, "--to", last))
        return self._compare(self.dates)

    def _compare(self, order: tuple[date, ...]) -> list[str]:
        """Name what isn't as nights leave it one after the other, a missing challenger too."""
        n_versions, found = self.world.n_versions(), self.world.content()
        missing = ["version 2"] if self.due in order and n_versions < 2 else []
        return missing + differences_of(self.expected(order), found)

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


def kill(night: Night) -> Night | None:
    """Kill a night and the JVM below it; gives none where it has ended."""
    if night.poll() is not None:
        return None
    os.killpg(night.pid, signal.SIGKILL)
    return night


@dataclass(frozen=True)
class Pair:
    """What came of two nights started at once.

    Attributes:
        what: it was, in words.
        different: names of what isn't as by one night after the other.
        is_challenged: whether one of them had to train a challenger.
        is_killed: whether one of them was killed while it was alive.
    """

    what: str
    different: list[str]
    is_challenged: bool
    is_killed: bool = False


def try_pair(pairs: NightPairs, chance: random.Random, number: int) -> Pair:
    """Live a pair as chance will have it; its number says whether it trains, or dies."""
    day, next_day = pairs.dates
    if number % _EVERY == 0:
        return _try_killed_pair(pairs, chance)
    is_challenged = number % _EVERY == 1
    other = pairs.due if is_challenged else next_day
    twice = other if is_challenged else day
    nights = chance.choice([(twice, twice), (day, other), (other, day)])
    offset_s = chance.uniform(0, pairs.usual_s[nights[0]])
    what = f"{' and '.join(map(str, nights))}, {offset_s:.1f} s apart"
    return Pair(what, pairs.differences(nights, offset_s), is_challenged)


def _try_killed_pair(pairs: NightPairs, chance: random.Random) -> Pair:
    """Live a night twice at once and kill the one that came first."""
    night = pairs.dates[0]
    killed_after_s = chance.uniform(0, pairs.usual_s[night])
    offset_s = chance.uniform(0, killed_after_s)

    def kill_first(first: Night, _: Night) -> Night | None:
        time.sleep(killed_after_s - offset_s)
        return kill(first)

    is_killed, different = pairs.differences_of_killed(night, offset_s, kill_first)
    end = f"killed after {killed_after_s:.1f} s" if is_killed else "which had ended by itself"
    what = f"{night} twice, {offset_s:.1f} s apart, the first {end}"
    return Pair(what, different, is_challenged=False, is_killed=is_killed)


def try_pairs(work: Path, n_pairs: int, seed: int) -> list[Pair]:
    """Live two nights by one command and then so many pairs, and tell of each."""
    pairs = NightPairs(KilledNights(work))
    pairs.prepare()
    for order in (pairs.dates, (pairs.due,)):
        pairs.expected(order)
    by_range = Pair("both by one command", pairs.differences_of_range(), is_challenged=False)
    chance, tried = random.Random(seed), [by_range]
    for number in range(1, n_pairs + 1):
        tried.append(try_pair(pairs, chance, number))
        typer.echo(f"{number}: {tried[-1].what}: {tried[-1].different or 'nothing differs'}")
    return tried


def say_pairs(tried: Sequence[Pair], n_pairs: int) -> None:
    """Print what came of all pairs; none at all, or none of a kind that was due, is no success."""
    n_challenged = sum(one.is_challenged for one in tried)
    n_killed = sum(one.is_killed for one in tried)
    is_tried = n_challenged > 0 and (n_killed > 0 or n_pairs < _EVERY)
    different = [one for one in tried if one.different]
    for one in different:
        console.print(f"{one.what}: {', '.join(one.different)}")
    console.print(
        f"{n_pairs} pairs of nights started at once, {n_challenged} with a challenger trained, "
        f"{n_killed} with a night killed: the same tables, pages, registry and champion as one "
        f"after the other: {holds(is_tried and not different)}"
    )


@judged
def main(
    pairs: Annotated[int, typer.Option(help="How many.")] = 100,
    seed: Annotated[int, typer.Option(help="Of dates and offsets.")] = 0,
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
) -> None:
    """Start two nights at once, again and again, and say whether anything is different."""
    with tempfile.TemporaryDirectory(prefix="churn_spark-", dir=work) as folder:
        say_pairs(try_pairs(Path(folder), pairs, seed), pairs)


if __name__ == "__main__":
    typer.run(main)
