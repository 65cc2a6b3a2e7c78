"""Does a night cost more the more nights there were: `make bench-nights`.

    python -m bench.many_nights [--users N] [--nights N]

One first night on two months of a simulated log, then one night a day, each in a process of its
own that gets the events of its day. What a night takes is compared with what the tenth took; weeks
differ from each other by their trainings, so the cheapest of seven nights in a row counts.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from bench.measured_night import MeasuredNight
from bench.processes import run_watched
from churn_spark.simulate.settings import SimulationSettings

_DAYS: Final = SimulationSettings().days
_AROUND: Final = 3
_TENTH: Final = 10


def live(users: int, nights: int, work: Path) -> list[MeasuredNight]:
    """A first night and the others after it, in their order."""
    world, incoming = work / "world", work / "incoming"
    days = str(_DAYS + nights)
    run_watched("jobs.simulate_events", "--out", str(world), "--users", str(users), "--days", days)
    start = SimulationSettings().start
    found = []
    for night in range(nights + 1):
        end = start + timedelta(days=_DAYS + night)
        for day in sorted((world / "events").iterdir()):
            if day.name < str(end) and not (incoming / day.name).exists():
                shutil.copytree(day, incoming / day.name, copy_function=os.link)
        done = run_watched("bench.measured_night", str(work / "lakehouse"), str(incoming))
        measured = MeasuredNight.from_json(done.last_line)
        found.append(measured)
        typer.echo(
            f"night {night}: {done.seconds:.1f} s, {measured.total('cpu_s'):.1f} CPU-seconds, "
            f"{measured.total('jobs')} Spark jobs, {measured.total('written_mb'):.1f} MB written, "
            f"{done.driver_mb:,.0f} MB"
        )
    return found


def cheapest(nights: list[MeasuredNight], number: int) -> float:
    """CPU seconds of the cheapest of the seven nights around one, its training left out."""
    around = nights[number - _AROUND : number + _AROUND + 1]
    return float(min(night.total("cpu_s") for night in around))


def main(
    users: Annotated[int, typer.Option(help="Of the log.")] = 2_250,
    nights: Annotated[int, typer.Option(help="After the first.")] = 63,
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
) -> None:
    """Live a first night and others after it, and compare the last ones with the tenth."""
    with tempfile.TemporaryDirectory(prefix="churn_spark-", dir=work) as folder:
        found = live(users, nights, Path(folder))
    last = len(found) - 1 - _AROUND
    before, after = cheapest(found, _TENTH), cheapest(found, last)
    typer.echo(
        f"{users:,} users: night {last} took {after:.1f} CPU-seconds, night {_TENTH} {before:.1f}: "
        f"{after / before:.2f} times as much"
    )


if __name__ == "__main__":
    typer.run(main)
