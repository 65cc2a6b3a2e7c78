"""Two nights of one log, by the pipeline and by the scripts, each in a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import typer

from bench.delivered_log import DeliveredLog
from bench.measured_night import MeasuredNight
from bench.peers.compare import find_differences
from bench.processes import Usage, run_watched

PIPELINE: Final = "this project"
SCRIPTS: Final = {"DuckDB": "with_duckdb", "Polars": "with_polars"}
ENGINES: Final = ("spark", "sail")
NIGHTS: Final = ("first night", "one more night")
NO_SAIL: Final = "Sail left out: found no pysail, expected it (pip install '.[sail]')"


@dataclass(frozen=True)
class Run:
    """One run of a process.

    Attributes:
        who: the pipeline, a script, or an engine that runs our transforms.
        night: one of `NIGHTS`.
        wall_s: seconds from the process's start to its end.
        cpu_s: CPU seconds of its stages.
        peak_mb: highest sum of the memory of all its processes, MiB.
        driver_mb: the same of the driver, Python and JVM.
        workers_mb: the same of the Python workers.
        steps: what each stage took: `name`, `wall_s`, `cpu_s`, of the pipeline's also `jobs` and
            `written_mb`.
        differences: features that aren't ours, in words.
    """

    who: str
    night: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    driver_mb: float
    workers_mb: float
    steps: list[dict[str, Any]]
    differences: list[str]

    def total(self, name: str) -> float:
        """The sum of a figure over all stages."""
        return float(sum(step.get(name, 0) for step in self.steps))


def run_nights(log: DeliveredLog, work: Path, memory: str) -> Iterator[Run]:
    """Run both nights; what a night has left for the next lies in `work`."""
    incoming, lakehouse = work / "incoming", work / "lakehouse"
    for number, name in enumerate(NIGHTS):
        log.deliver(incoming, number)
        done = run_watched(
            "bench.measured_night", str(lakehouse), str(incoming), f"spark.driver_memory={memory}"
        )
        night = MeasuredNight.from_json(done.last_line)
        yield _run(PIPELINE, name, done, [vars(step) for step in night.steps], [])
        dates = sorted(path.name[6:] for path in lakehouse.glob("gold/snapshots/as_of=*"))
        for script, module in SCRIPTS.items():
            yield _measure(
                script, name, lakehouse, work, f"bench.peers.{module}", str(incoming),
                str(work / "script"), night.night, *dates,
            )  # fmt: skip
    for engine in ENGINES:
        if engine == "sail" and find_spec("pysail") is None:
            typer.echo(NO_SAIL, err=True)
            continue
        try:
            yield _measure(
                engine, NIGHTS[-1], lakehouse, work, "bench.peers.with_sail", engine,
                str(lakehouse), str(work / "script"), *dates,
            )  # fmt: skip
        except SystemExit as error:
            # Another engine may lack what a transform needs; that is a result as well.
            typer.echo(f"{engine} left out: {error}", err=True)
            shutil.rmtree(work / "script", ignore_errors=True)


def _measure(who: str, night: str, lakehouse: Path, work: Path, *command: str) -> Run:
    """Run a script and hold its features against ours."""
    done = run_watched(*command)
    differences = find_differences(lakehouse, work / "script" / "features.parquet")
    shutil.rmtree(work / "script")
    return _run(who, night, done, json.loads(done.last_line), differences)


def _run(
    who: str, night: str, done: Usage, steps: list[dict[str, Any]], differences: list[str]
) -> Run:
    cpu = sum(step["cpu_s"] for step in steps)
    return Run(
        who, night, done.seconds, cpu, done.peak_mb, done.driver_mb, done.workers_mb, steps,
        differences,
    )  # fmt: skip
