"""A first night of a 1.4 GB log on a standalone cluster: one worker with one core, then two.

    python -m bench.cluster_speed [--users N] [--repeat N] [--work DIR]

The log is simulated. Each night begins with an empty lakehouse and is started by `spark-submit.sh`;
what its steps took is what they say themselves. All bounds are the product's own: a log of this
size is above those of ingest and rollups, which so run on the executors; its users are below that
of scoring, which is done by the driver. With `--score-by-executors` it isn't. The driver is a
process on the same machine: with two workers and two cores it competes with them.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from bench.executor_tasks import read_tasks
from bench.killed_night import LIGHT
from bench.processes import run_watched
from bench.promises import holds, judged
from bench.standalone import running_cluster

MIN_RATIO: Final = 1.6
_STEPS: Final = {
    "ingest": ("ingest_events",),
    "rollups": ("build_session_days", "build_transitions"),
    "scoring": ("score_users",),
}
_CLOSING: Final = re.compile(r"^(\w+) .*\[([\d.]+) s\]$", re.MULTILINE)
# The models are light ones: what isn't measured shall not take long.
_LIGHT: Final = [one for one in LIGHT if not one.startswith("spark.")]
_ON_EXECUTORS: Final = ["spark.max_local_users=0"]

console = Console(width=110)


@judged
def main(
    users: Annotated[int, typer.Option(help="Of the simulated log; 2,630 make 1.4 GB.")] = 2630,
    repeat: Annotated[int, typer.Option(min=1, help="The best of so many nights counts.")] = 2,
    work: Annotated[Path | None, typer.Option(help="Folder to work in; a temporary one.")] = None,
    score_by_executors: Annotated[
        bool, typer.Option("--score-by-executors", help="However few users there are.")
    ] = False,
) -> None:
    """Print what the steps take with one worker and with two."""
    overrides = [*_LIGHT, *(_ON_EXECUTORS if score_by_executors else ())]
    with tempfile.TemporaryDirectory(dir=work) as folder:
        world = Path(folder) / "world"
        run_watched("jobs.simulate_events", "--out", str(world), "--users", str(users))
        size = sum(path.stat().st_size for path in (world / "events").rglob("*.json"))
        found = {n: best(measure(Path(folder), world, n, repeat, overrides)) for n in (1, 2)}
    console.print(
        f"{size / 1e9:.2f} GB of JSON, {os.cpu_count()} cores; seconds, the best of {repeat}"
    )
    say(found[1], found[2])


def measure(
    folder: Path, world: Path, n_workers: int, repeat: int, overrides: Sequence[str]
) -> Iterator[Mapping[str, float]]:
    """Live a first night, some times; gives what its steps took."""
    for _ in range(repeat):
        lakehouse = folder / "lakehouse"
        rmtree(lakehouse, ignore_errors=True)
        options = [part for one in overrides for part in ("--set", one)]
        options += ["--set", f"lakehouse={lakehouse}", "--events", str(world / "events")]
        place = Path(tempfile.mkdtemp(dir=folder))
        with running_cluster(place, n_workers, memory="3g") as cluster:
            night = cluster.submit("nightly", *options)
            seconds = seconds_of(night.wait())
            tasks = read_tasks(night.event_log).n_tasks
        console.print(
            f"{n_workers} worker{'s' * (n_workers > 1)}: "
            + ", ".join(f"{name} {seconds[name]:.1f}" for name in seconds)
            + f"; tasks of each executor: {sorted(tasks.values())}"
        )
        yield seconds


def seconds_of(said: str) -> dict[str, float]:
    """What the kinds of steps took, by a night's closing lines; and all that was measured."""
    took = {name: float(seconds) for name, seconds in _CLOSING.findall(said)}
    return {kind: sum(took[name] for name in names) for kind, names in _STEPS.items()}


def best(nights: Iterator[Mapping[str, float]]) -> Mapping[str, float]:
    """The night that took least: what else runs on the machine only ever adds."""
    return min(nights, key=lambda seconds: sum(seconds.values()))


def say(one: Mapping[str, float], two: Mapping[str, float]) -> None:
    """Print both and their ratios."""
    shown = Table("step", "one worker", "two workers", "ratio")
    for name in _STEPS:
        shown.add_row(name, *_row([one[name]], [two[name]]))
    shown.add_row("together", *_row([*one.values()], [*two.values()]))
    console.print(shown)
    ratio = sum(one.values()) / sum(two.values())
    console.print(f"At least {MIN_RATIO} times as fast: {holds(ratio >= MIN_RATIO)}")


def _row(one: Sequence[float], two: Sequence[float]) -> list[str]:
    return [f"{sum(one):.1f}", f"{sum(two):.1f}", f"{sum(one) / sum(two):.2f}"]


if __name__ == "__main__":
    typer.run(main)
