"""Has the mini night become dearer: `make bench-smoke`, two minutes, in CI.

A first night on a small simulated log, its training included, must not take a tenth more CPU or
a tenth more Spark jobs than `bench/smoke.json` says. What makes it dearer on purpose stores the
new figures with `--store`, and so says it in the commit. Less than half of either is an error
too: a night that does nothing is cheap.

Spark jobs are counted exactly: a run has always the same number, to one or two. CPU seconds are
not: a machine differs from another, and from itself by the hour. So they are given in units of
a calibration loop, which runs in the process above the night before and after it: on a slower
machine, or one whose cores are shared, both grow. Two runs of one commit differ by up to 5 %;
other programs only ever add to it, so a night that seems too dear is run again, and the
cheapest of three counts.
"""

from __future__ import annotations

import json
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final, Self

import typer

from bench.measured_night import MeasuredNight
from bench.processes import run_watched
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

STORED: Final = Path(__file__).with_name("smoke.json")
USERS: Final = 226
MAX_GROWTH: Final = 1.1
MIN_SHARE: Final = 0.5
ATTEMPTS: Final = 3
_ROUNDS: Final = 40

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Cost:
    """What the mini night takes.

    Attributes:
        jobs: Spark jobs.
        loops: CPU time of all its processes, in calibration loops.
    """

    jobs: int
    loops: float

    @classmethod
    def read(cls, path: Path) -> Self:
        """The stored figures."""
        return cls(**json.loads(path.read_text(encoding="utf-8")))

    def write(self, path: Path) -> None:
        """Store the figures."""
        path.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")

    def grown_beyond(self, stored: Cost) -> list[str]:
        """What has grown by more than a tenth, in words."""
        return [
            f"{name}: found {now:,.0f}, expected at most {MAX_GROWTH:g} x {before:,.0f}"
            for name, now, before in self._beside(stored)
            if now > MAX_GROWTH * before
        ]

    def fallen_below(self, stored: Cost) -> list[str]:
        """What is less than half of what it was, in words: perhaps no night was measured."""
        return [
            f"{name}: found {now:,.0f}, expected at least {MIN_SHARE:g} x {before:,.0f}"
            for name, now, before in self._beside(stored)
            if now < MIN_SHARE * before
        ]

    def _beside(self, stored: Cost) -> Iterator[tuple[str, float, float]]:
        yield "Spark jobs", self.jobs, stored.jobs
        yield "CPU in calibration loops", self.loops, stored.loops


def calibrate() -> float:
    """CPU seconds of a fixed piece of work: text to values, values sorted, bytes packed."""
    line = json.dumps({"ts": 1538352117000, "userId": "30", "page": "NextSong", "length": 277.8})
    started = time.process_time()
    for number in range(_ROUNDS):
        rows = [json.loads(line) | {"ts": hash((number, i))} for i in range(5_000)]
        rows.sort(key=lambda row: row["ts"])
        zlib.compress(json.dumps(rows).encode())
    return time.process_time() - started


def measure(log: Path, work: Path) -> Cost:
    """Run the night on a new lakehouse between two calibrations."""
    with tempfile.TemporaryDirectory(dir=work) as lakehouse:
        before = calibrate()
        done = run_watched("bench.measured_night", lakehouse, str(log))
        loop_s = (before + calibrate()) / 2
    night = MeasuredNight.from_json(done.last_line)
    cost = Cost(night.total("jobs"), round(night.total("cpu_s") / loop_s, 1))
    typer.echo(
        f"mini night: {done.seconds:.0f} s, {night.total('cpu_s'):.0f} CPU-seconds = "
        f"{cost.loops:.1f} loops of {loop_s:.2f} s, {cost.jobs} Spark jobs"
    )
    return cost


@app.command()
def main(
    store: Annotated[bool, typer.Option(help="Store the figures instead of judging.")] = False,
) -> None:
    """Measure the mini night and compare it with the stored figures; exit 1 where it is off."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        simulate_log(SimulationSettings(users=USERS), work / "world")
        cost = measure(work / "world" / "events", work)
        if store:
            cost.write(STORED)
            return
        stored = Cost.read(STORED)
        for _ in range(ATTEMPTS - 1):
            if not cost.grown_beyond(stored):
                break
            again = measure(work / "world" / "events", work)
            cost = Cost(min(cost.jobs, again.jobs), min(cost.loops, again.loops))
    if fallen := cost.fallen_below(stored):
        typer.echo(
            f"error: the mini night takes less than half of what {STORED.name} says "
            f"({'; '.join(fallen)}): if it has done all its work, store the new figures: "
            "make bench-smoke STORE=1",
            err=True,
        )
        raise typer.Exit(1)
    dearer = cost.grown_beyond(stored)
    if dearer:
        typer.echo(
            f"error: the mini night is dearer than {STORED.name} says ({'; '.join(dearer)}): "
            "make it cheaper, or store the new figures: make bench-smoke STORE=1",
            err=True,
        )
        raise typer.Exit(1)


if __name__ == "__main__":
    app()
