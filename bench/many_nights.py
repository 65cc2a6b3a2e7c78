"""Does a night cost more the more nights there were: `make bench-nights`.

    python -m bench.many_nights [--users N] [--nights N] [--tiny]

One first night on two months of a simulated log, then one night a day, each with the events of its
day. What a night takes in a process of its own is compared with what the tenth took; weeks differ
from each other by their trainings, so the cheapest of some nights in a row counts. All that is in
the lakehouse gets a day older with each night, as far as its files' times tell: what is removed
by age is removed.

With `--tiny` a few dozen users have a year of nights: what is left of a night is what it costs to
have many of them behind it. Only the nights around those that are compared have processes of their
own; those between share one.

A year takes hours. With `--work` the folder is kept: broken off, the same command goes on there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.lived_so_far import LivedSoFar
from bench.measured_night import MeasuredNight
from bench.processes import run_watched
from bench.promises import holds, judged
from churn_spark.simulate.settings import SimulationSettings

_DAYS: Final = SimulationSettings().days
_START: Final = SimulationSettings().start
_DAY_S: Final = 86_400
_AROUND: Final = 3
_GROWTH: Final = "1.0"
"""Of the users, in a year: as many as leave, so that nights are alike."""
_COMPARED: Final = (10, 100, 365)
_MOST: Final = 1.2
"""Times as much as the tenth night the last one may cost."""
console = Console(highlight=False, soft_wrap=True)
TINY: Final = (
    "training.min_cancels=2",
    "training.min_validation_cancels=1",
    "policy.min_rows=10",
    "lightgbm.min_data_in_leaf=5",
    "checks.min_volume_ratio=0.01",
    "checks.min_early_ratio=0.01",
)
"""With which so few users have a model, and nights that are judged: their days differ by much."""


def deliver(world: Path, incoming: Path, night: int) -> date:
    """Put the events before a night into the folder that it reads; returns its date."""
    end = _START + timedelta(days=_DAYS + night)
    for day in sorted((world / "events").iterdir()):
        if day.name < str(end) and not (incoming / day.name).exists():
            shutil.copytree(day, incoming / day.name, copy_function=os.link)
    return end


def grow_old(lakehouse: Path) -> None:
    """Make all files of a lakehouse a day older."""
    for path in lakehouse.rglob("*"):
        if path.is_file():
            then = path.stat().st_mtime - _DAY_S
            os.utime(path, (then, then))


def describe_size(lakehouse: Path) -> str:
    """Files, commits and MB of a lakehouse."""
    files = [path for path in lakehouse.rglob("*") if path.is_file()]
    commits = sum(path.suffix == ".json" and path.parent.name == "_delta_log" for path in files)
    size = sum(path.stat().st_size for path in files) / 1e6
    return f"{len(files):,} files, {commits:,} of them commits, {size:,.1f} MB"


def live(
    work: Path, nights: int, measured: Sequence[range], overrides: Sequence[str]
) -> dict[int, MeasuredNight]:
    """A first night and others after it, in their order; returns those that were measured."""
    world, incoming, lakehouse = work / "world", work / "incoming", work / "lakehouse"
    while (night := LivedSoFar.read(work).n_nights) < nights:
        if not any(night in around for around in measured):
            begins = [around.start for around in measured if around.start > night]
            end = min([*begins, nights])
            run_watched("bench.lived_nights", str(work), str(night), str(end), *overrides)
            typer.echo(f"nights {night} to {end - 1}: {describe_size(lakehouse)}")
            continue
        deliver(world, incoming, night)
        done = run_watched("bench.measured_night", str(lakehouse), str(incoming), *overrides)
        grow_old(lakehouse)
        one = MeasuredNight.from_json(done.last_line)
        LivedSoFar.read(work).and_one(one).write(work)
        typer.echo(
            f"night {night}: {done.seconds:.1f} s, {one.total('cpu_s'):.1f} CPU-seconds, "
            f"{one.total('jobs')} Spark jobs, {one.total('written_mb'):.1f} MB written, "
            f"{done.driver_mb:,.0f} MB held; {describe_size(lakehouse)}"
        )
    return dict(LivedSoFar.read(work).measured)


def cheapest(nights: dict[int, MeasuredNight], around: range) -> float:
    """CPU seconds of the cheapest of some nights in a row."""
    return float(min(nights[night].total("cpu_s") for night in around))


def say_costs(users: int, costs: Mapping[int, float]) -> None:
    """Print what nights took, by their number, and hold the last one against the first.

    A night alone is compared with itself, which is no success.
    """
    nights = sorted(costs.items())
    (tenth, usual), (last, cost) = nights[0], nights[-1]
    for night, seconds in nights:
        console.print(
            f"{users:,} users: night {night} took {seconds:.1f} CPU-seconds, "
            f"{seconds / usual:.2f} times as much as night {tenth}"
        )
    is_cheap = last > tenth and cost <= _MOST * usual
    console.print(f"At most {_MOST} times night {tenth}: {holds(is_cheap)}")


@judged
def main(
    users: Annotated[int, typer.Option(help="Of the log.")] = 2_250,
    nights: Annotated[int, typer.Option(help="With the first.")] = 64,
    tiny: Annotated[bool, typer.Option("--tiny", help="40 users, 369 nights.")] = False,
    work: Annotated[
        Path | None, typer.Option(help="Where to write, and to go on; a temporary folder.")
    ] = None,
) -> None:
    """Live a first night and others after it, and compare the last ones with the tenth."""
    if tiny:
        users, nights = 40, max(_COMPARED) + _AROUND + 1 if nights == 64 else nights
    compared = {one for one in _COMPARED if one + _AROUND < nights} | {nights - 1 - _AROUND}
    arounds = [range(one - _AROUND, one + _AROUND + 1) for one in sorted(compared)]
    with tempfile.TemporaryDirectory(prefix="churn_spark-") as temporary:
        folder = work or Path(temporary)
        world = folder / "world"
        days = str(_DAYS + nights)
        sizes = "--users", str(users), "--days", days, "--growth", _GROWTH
        if not LivedSoFar.read(folder).n_nights:
            run_watched("jobs.simulate_events", "--out", str(world), *sizes)
        measured = arounds if tiny else [range(nights)]
        found = live(folder, nights, measured, TINY if tiny else ())
    say_costs(users, {around.start + _AROUND: cheapest(found, around) for around in arounds})


if __name__ == "__main__":
    typer.run(main)
