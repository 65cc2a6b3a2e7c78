"""Ingest and rollups killed at random moments and begun again: the same tables.

    python -m bench.loading_kills [--kills N] [--seed N]

A simulated log with bad lines is loaded in batches by Spark's tasks and rolled up, in a process of
its own, which is killed without warning some time after it has begun; the next one goes on from
what it has left. When one comes to its end, the tables are compared with those of a run that was
never disturbed, and all begins anew.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.built_lakehouse import BuiltLakehouse
from bench.promises import holds, judged
from bench.table_differences import compare_tables
from churn_spark.pipeline import event_days, ingest, session_days, transitions
from churn_spark.pipeline.context import open_job
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

console = Console(highlight=False, soft_wrap=True)
BEGUN: Final = "begun"
_BY_TASKS: Final = (
    "ingest.max_driver_bytes=0",
    "ingest.max_driver_events=0",
    "ingest.max_files_per_batch=100",
    "ingest.buckets=4",
    "spark.shuffle_partitions=2",
)


@dataclass
class Loading:
    """A log, and a lakehouse into which it is loaded.

    Attributes:
        events: folder of the log.
        lakehouse: folder of the tables.
        n_kills: how often it was killed.
    """

    events: Path
    lakehouse: Path
    n_kills: int = field(default=0, init=False)

    def run(self, seconds: float | None = None) -> float:
        """Load and roll up; gives the seconds it took, or infinity where it was killed.

        Args:
            seconds: after which it is killed, counted from when the session stands.

        Raises:
            SystemExit: if it failed by itself, with what it wrote to its standard error.
        """
        command = [sys.executable, "-m", "bench.loading_kills", "--load", str(self.events)]
        with subprocess.Popen(
            [*command, "--work", str(self.lakehouse)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            while (line := process.stdout.readline()) and BEGUN not in line:
                pass
            began = time.monotonic()
            try:
                _, error = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
                self.n_kills += 1
                return float("inf")
        if process.returncode:
            raise SystemExit(f"loading ended with {process.returncode}:\n{error}")
        return time.monotonic() - began

    def differences(self, expected: Path) -> list[str]:
        """The tables that aren't those of another lakehouse."""
        before, after = BuiltLakehouse(expected), BuiltLakehouse(self.lakehouse)
        return [
            name
            for name in {*before.tables} | {*after.tables}
            if name not in before.tables
            or name not in after.tables
            or not compare_tables(before.read(name), after.read(name)).is_same
        ]


def load(lakehouse: Path, events: Path) -> None:
    """Ingest and all rollups in this process."""
    with open_job("bench-kills", "local", [f"lakehouse={lakehouse}", *_BY_TASKS]) as context:
        typer.echo(BEGUN)
        settings = context.config.ingest
        ingest.run(context.lakehouse, settings, str(events))
        for step in (session_days, transitions, event_days):
            step.run(context.lakehouse, settings)


def kill_often(work: Path, n_kills: int, seed: int) -> None:
    """Kill the loading so often, and say what differs in the end."""
    settings = SimulationSettings(users=100, seed=seed, dirty_share=0.02)
    simulate_log(settings, work / "world")
    undisturbed = Loading(work / "world" / "events", work / "undisturbed")
    usual_s = undisturbed.run()
    killed = Loading(work / "world" / "events", work / "killed")
    moments = random.Random(seed)
    n_ends, different = 0, set[str]()
    while killed.n_kills < n_kills or n_ends == 0:
        is_last = killed.n_kills >= n_kills
        if killed.run(None if is_last else moments.uniform(0, usual_s)) < float("inf"):
            n_ends += 1
            different |= set(killed.differences(undisturbed.lakehouse))
            typer.echo(f"end {n_ends} after {killed.n_kills} kills: {sorted(different) or 'same'}")
            rmtree(killed.lakehouse)
    console.print(
        f"Killed {killed.n_kills} times in ingest and rollups of {usual_s:.0f} s, {n_ends} times "
        f"to the end; the same tables each time: {holds(killed.n_kills > 0 and not different)}"
    )


@judged
def main(
    kills: Annotated[int, typer.Option(help="How often.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the moments.")] = 0,
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
    to_load: Annotated[Path | None, typer.Option("--load", hidden=True)] = None,
) -> None:
    """Kill ingest and rollups at random moments, and say whether the tables are the same."""
    if to_load is not None:
        assert work is not None
        load(work, to_load)
        # It shows nothing: the one that has started it judges.
        raise typer.Exit
    with tempfile.TemporaryDirectory(prefix="churn_spark-", dir=work) as folder:
        kill_often(Path(folder), kills, seed)


if __name__ == "__main__":
    typer.run(main)
