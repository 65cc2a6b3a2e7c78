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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from obstore.store import LocalStore

from bench.killed_night import LIGHT
from bench.kills import KilledNights
from bench.promises import holds
from churn_spark.lakehouse.lock_store import ConditionalStore
from churn_spark.lakehouse.lock_tenure import find_tenure

_WAIT_MINUTES: Final = 30


@dataclass
class NightPairs:
    """A small lakehouse with a first night behind it, in which pairs of nights are lived.

    Attributes:
        world: the log and the lakehouse.
        usual_s: seconds of one night, from the start of its process to its end.
        left: dates in the order in which their nights had the lock -> what they leave.
    """

    world: KilledNights
    usual_s: float = field(default=0.0, init=False)
    left: dict[tuple[date, ...], dict[str, str]] = field(default_factory=dict, init=False)

    def prepare(self) -> None:
        """Live the first night, which trains, and bring the files of two more days."""
        self.world.simulate()
        first = self.world.nights[0]
        self.world.deliver(first)
        self._end(self._begin(first))
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
            for night in order:
                began = time.monotonic()
                self._end(self._begin(night))
                self.usual_s = time.monotonic() - began
            self.left[order] = self.world.content()
        return self.left[order]

    def differences(
        self, nights: Sequence[date], offset_s: float, killed_after_s: float | None
    ) -> list[str]:
        """Live two nights at once, and name what isn't as expected.

        Args:
            nights: their dates; the first is started first.
            offset_s: after which the second is started.
            killed_after_s: after which, from its start, the first is killed.
        """
        self.world.restore()
        first = self._begin(nights[0])
        if killed_after_s is not None:
            second = self._second(nights[1], min(offset_s, killed_after_s))
            time.sleep(max(0.0, killed_after_s - offset_s))
            os.killpg(first.pid, signal.SIGKILL)
            first.communicate()
            self._end(second)
            return _differences(self.expected((nights[1],)), self.world.content())
        second = self._second(nights[1], offset_s)
        self._end(first)
        self._end(second)
        store = ConditionalStore(LocalStore(self.world.lakehouse))
        last = find_tenure(store)
        assert last is not None
        was_first = last.holder.processes[0].pid == second.pid
        order = tuple(nights) if was_first else tuple(reversed(nights))
        return _differences(self.expected(order), self.world.content())

    def differences_of_range(self) -> list[str]:
        """Live both nights by one command, and name what isn't as by two."""
        self.world.restore()
        first, last = map(str, self.dates)
        self._end(self._start("--from", first, "--to", last))
        return _differences(self.expected(self.dates), self.world.content())

    def _second(self, night: date, offset_s: float) -> subprocess.Popen[str]:
        time.sleep(offset_s)
        return self._begin(night)

    def _begin(self, night: date) -> subprocess.Popen[str]:
        return self._start("--date", str(night))

    def _start(self, *dates: str) -> subprocess.Popen[str]:
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

    def _end(self, process: subprocess.Popen[str]) -> None:
        """Wait for the end of a night.

        Raises:
            SystemExit: if it failed, with what it wrote to its standard error.
        """
        _, error = process.communicate()
        if process.returncode:
            raise SystemExit(f"a night ended with {process.returncode}:\n{error}")


def _differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    return sorted(name for name in expected | found if expected.get(name) != found.get(name))


def choose(
    pairs: NightPairs, n_pairs: int, seed: int, killed_every: int
) -> Iterator[tuple[Sequence[date], float, float | None]]:
    """The pairs: their dates, the offset, and when the first is killed, if it is."""
    chance = random.Random(seed)
    day, next_day = pairs.dates
    for n in range(n_pairs):
        offset_s = chance.uniform(0, pairs.usual_s)
        killed_after_s = chance.uniform(0, pairs.usual_s)
        if n % killed_every == killed_every - 1:
            yield (day, day), offset_s, killed_after_s
        else:
            yield chance.choice([(day, day), (day, next_day), (next_day, day)]), offset_s, None


def try_pairs(
    work: Path,
    n_pairs: int,
    seed: int,
    tell: Callable[[str], None] = typer.echo,
    killed_every: int = 4,
) -> list[str]:
    """Live so many pairs, tell of each, and name all that was different."""
    pairs = NightPairs(KilledNights(work))
    pairs.prepare()
    pairs.expected(pairs.dates)
    different = [f"both by one command: {name}" for name in pairs.differences_of_range()]
    for n, (nights, offset_s, killed_after_s) in enumerate(
        choose(pairs, n_pairs, seed, killed_every), 1
    ):
        found = pairs.differences(nights, offset_s, killed_after_s)
        different += [f"pair {n}: {name}" for name in found]
        death = "" if killed_after_s is None else f", the first killed after {killed_after_s:.1f} s"
        named = " and ".join(map(str, nights))
        tell(f"{n}: {named}, {offset_s:.1f} s apart{death}: {found or 'nothing differs'}")
    return different


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
