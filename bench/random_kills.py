"""Nights killed at random moments and done again: the same tables, pages and champion.

    python -m bench.random_kills [--kills N] [--seed N] [--work DIR]

Two nights of a small world, each of which trains: one the first model, one a challenger. Each is a
process of its own with its own JVM, killed without warning when it has used so many CPU seconds, at
random from nothing to somewhat more than a whole night; the next one goes on from what it has left,
until one comes to its end. Then all is compared with what undisturbed nights have left.

With `--work` the world, what undisturbed nights leave and the tally stay in that folder, and the
same command with more kills goes on there: hundreds of them may be had in pieces.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from multiprocessing.connection import Connection
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from bench import flow
from bench.killed_night import LIGHT
from bench.kills import KilledNights, differences_of
from bench.promises import holds, judged
from churn_spark.pipeline.console import each_step_told_to
from churn_spark.pipeline.context import open_job
from churn_spark.runtime.usage import cpu_seconds, descendants

console = Console(highlight=False, soft_wrap=True)
_LOOK_S: Final = 0.05
_LONGEST: Final = 1.25
"""Of a night's CPU seconds: a fifth of those that are let live come to their end."""
_NIGHTS: Final = multiprocessing.get_context("forkserver")
# Python's libraries are imported once for all nights, and used by none before it is begun.
_NIGHTS.set_forkserver_preload(["bench.kills", "bench.flow"])


@dataclass
class RandomKills:
    """A small world, whose nights are killed, and what has become of them so far.

    Attributes:
        world: its log and its lakehouse.
        expected: night -> what undisturbed nights up to it leave.
        usual_s: night -> CPU seconds of an undisturbed one, from when it has the lock.
        kills: the last step that each killed night had ended.
        ends: for each night that has come to its end after kills, what was different then.
    """

    world: KilledNights
    expected: dict[str, dict[str, str]] = field(default_factory=dict, init=False)
    usual_s: dict[str, float] = field(default_factory=dict, init=False)
    kills: list[str] = field(default_factory=list, init=False)
    ends: list[list[str]] = field(default_factory=list, init=False)

    def prepare(self) -> None:
        """Make the world and live its nights undisturbed, unless the folder has that already."""
        if self._tally.exists():
            told = json.loads(self._tally.read_text())
            self.expected, self.usual_s = told["expected"], told["usual_s"]
            self.kills, self.ends = told["kills"], told["ends"]
            return
        self.world.prepare()
        self.world.keep()
        for night in self.world.nights:
            self.usual_s[str(night)], _ = self.live(night)
            self.expected[str(night)] = self.world.content()
        self.keep_tally()

    def live_killed(self, n_kills: int, chance: random.Random) -> None:
        """Live both nights again and again, until so many of them have been killed in all."""
        while len(self.kills) < n_kills or not self.ends:
            self.world.restore()
            rmtree(self.world.work / "incoming")
            self.world.deliver(self.world.nights[0])
            for night in self.world.nights:
                self._end(night, n_kills, chance)

    def _end(self, night: date, n_kills: int, chance: random.Random) -> None:
        """Live a night until it comes to its end, and compare."""
        longest = self.usual_s[str(night)] * _LONGEST
        is_over = False
        while not is_over:
            is_last = len(self.kills) >= n_kills
            _, step = self.live(night, None if is_last else chance.uniform(0, longest))
            is_over = step is None
            if step is not None:
                self.kills.append(step)
                self.keep_tally()
        found = differences_of(self.expected[str(night)], self.world.content())
        self.ends.append(found)
        self.keep_tally()
        typer.echo(f"{night} done after {len(self.kills)} kills: {found or 'same'}")

    def live(self, night: date, seconds: float | None = None) -> tuple[float, str | None]:
        """Do a night, up to some CPU seconds; gives those it took, and its last step if killed.

        Raises:
            SystemExit: if it failed by itself, with what it has said.
        """
        self.world.deliver(night)
        said = self.world.work / "said.txt"
        here, there = _NIGHTS.Pipe()
        arguments = str(said), str(self.world.lakehouse), str(self.world.work / "incoming")
        process = _NIGHTS.Process(target=_live, args=(there, *arguments, str(night)))
        process.start()
        there.close()
        steps, before_s, used_s = list[str](), 0.0, 0.0
        while (pid := process.pid) is not None and process.is_alive():
            now_s = cpu_seconds(descendants(pid))
            if here.poll(_LOOK_S) and not _took_all(here, steps):
                break
            if len(steps) == 1:
                before_s = before_s or now_s
            used_s = max(used_s, now_s - before_s)
            if steps and seconds is not None and used_s >= seconds:
                os.killpg(pid, signal.SIGKILL)
                break
        process.join()
        here.close()
        if process.exitcode not in (0, -signal.SIGKILL):
            raise SystemExit(f"the night of {night} failed:\n{said.read_text()}")
        return used_s, steps[-1] if process.exitcode else None

    def keep_tally(self) -> None:
        """Write down what is known."""
        told: dict[str, Any] = {"expected": self.expected, "usual_s": self.usual_s}
        told |= {"kills": self.kills, "ends": self.ends}
        self._tally.write_text(json.dumps(told, indent=1))

    @property
    def _tally(self) -> Path:
        return self.world.work / "tally.json"


def _took_all(pipe: Connection, steps: list[str]) -> bool:
    """Take the names of ended steps that have come; returns whether more may come."""
    try:
        while pipe.poll():
            steps.append(pipe.recv())
    except EOFError:
        return False
    return True


def _live(pipe: Connection, said: str, lakehouse: str, events: str, night: str) -> None:
    """Do a night in this process, whose group is its own and its JVM's."""
    os.setsid()
    with Path(said).open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    with open_job("nightly", "local", [f"lakehouse={lakehouse}", *LIGHT]) as context:
        assert context.lakehouse.root == lakehouse
        pipe.send("lock")
        with each_step_told_to(lambda step, _: pipe.send(step)):
            flow.nightly(context, date.fromisoformat(night), events)


def say_tally(kills: RandomKills) -> None:
    """Say how often and where nights were killed, and what differed afterwards."""
    different = sorted({name for found in kills.ends for name in found})
    counts, is_tried = Counter(kills.kills), bool(kills.kills and kills.ends)
    where = ", ".join(f"{step} {counts[step]}" for step in sorted(counts, key=counts.__getitem__))
    console.print(
        f"Nights with a training killed {len(kills.kills)} times at random moments, "
        f"{len(kills.ends)} nights to the end; the same tables, pages, registry and champion each "
        f"time: {holds(is_tried and not different)}\n  the last step that had ended: {where}"
    )
    for name in different:
        console.print(f"  {name}")


@judged
def main(
    kills: Annotated[int, typer.Option(help="How many in all, those of the tally too.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the moments.")] = 0,
    work: Annotated[Path | None, typer.Option(help="Folder to go on in; else a new one.")] = None,
) -> None:
    """Kill nights at random moments, and say whether they leave the same."""
    with tempfile.TemporaryDirectory(prefix="churn_spark-") as folder:
        found = RandomKills(KilledNights((work or Path(folder)).resolve()))
        found.prepare()
        # Moments of a later piece are others.
        found.live_killed(kills, random.Random(f"{seed} {len(found.kills)}"))
    say_tally(found)


if __name__ == "__main__":
    typer.run(main)
