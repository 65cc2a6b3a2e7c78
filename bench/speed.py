"""How fast a night is, and how fast it could be: `make bench-speed`.

Three logs, two nights each: the pipeline, step by step, and beside it scripts of one library
that compute the same features, and another engine under the same transforms. The figures of
`docs/speed.md` are written by this and by nothing else.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from bench.delivered_log import DeliveredLog, simulate, split
from bench.promises import choose_sections, holds, judged
from bench.speed_page import Size, describe, draw, merge, update_page
from bench.speed_run import PIPELINE, Run, run_nights

SECTIONS: Final = ("mini", "small", "full")
USERS: Final = {"mini": 226, "small": 2_250, "full": 22_277}
PAGE: Final = Path(__file__).parents[1] / "docs" / "speed.md"
_SAMPLE: Final = "customer_churn_mini.json.gz"
console = Console(highlight=False, soft_wrap=True)


def make_log(section: str, work: Path) -> tuple[str, DeliveredLog]:
    """The log of a section, with its name; the sample's mini log where it is at hand."""
    sample = os.environ.get("CHURN_SAMPLE_DATA")
    if section == "mini" and sample:
        return "The mini log", split(Path(sample) / _SAMPLE, work)
    return f"A simulated log, {section}", simulate(USERS[section], work)


def describe_machine() -> str:
    """Cores, memory and load of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cpus = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in cpus if line.startswith("model name")]
    return (
        f"{len(os.sched_getaffinity(0))} cores ({models[0] if models else platform.machine()}), "
        f"{memory:.0f} GiB, load average {os.getloadavg()[0]:.1f} before"
    )


def say_features(section: str, runs: Sequence[Run]) -> None:
    """Print of every other one whether its features are ours."""
    for run in runs:
        if run.who != PIPELINE:
            console.print(
                f"{section}: the features of {run.who}, {run.night}, are ours: "
                f"{holds(not run.differences)}"
            )


def read_sizes(page: Path) -> list[Size]:
    """What the file beside the page has of earlier runs; none where there is no such file."""
    path = page.with_suffix(".json")
    if not path.is_file():
        return []
    return [Size.from_json(one) for one in json.loads(path.read_text(encoding="utf-8"))["sizes"]]


def write_sizes(page: Path, sizes: Sequence[Size]) -> None:
    """Write the figures into the page, the picture and the file with all of them beside it."""
    page.write_text(update_page(page.read_text(encoding="utf-8"), describe(sizes)), "utf-8")
    draw(sizes, page.with_suffix(".svg"))
    figures = json.dumps({"sizes": [asdict(size) for size in sizes]}, indent=1)
    page.with_suffix(".json").write_text(figures, encoding="utf-8")


@judged
def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(SECTIONS)}; all if none.")
    ] = None,
    memory: Annotated[str, typer.Option(help="Of the driver.")] = "2g",
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
    page: Annotated[Path, typer.Option(help="Whose figures are written.")] = PAGE,
) -> None:
    """Measure, and write the figures into the page; a JSON file beside it has them all.

    Sections that aren't asked for keep the figures of the run that has measured them.
    """
    machine, sizes = describe_machine(), []
    for section in SECTIONS:
        if section not in choose_sections(only, SECTIONS):
            continue
        folder = Path(tempfile.mkdtemp(prefix="churn_spark-", dir=work))
        try:
            name, log = make_log(section, folder)
            runs: list[Run] = []
            command = f"make bench-speed{f' ONLY={section}' if only else ''}"
            sizes.append(Size(name, USERS[section], log.size / 1e6, machine, command, runs))
            for run in run_nights(log, folder, memory):
                runs.append(run)
                typer.echo(
                    f"{section}: {run.who}, {run.night}: {run.wall_s:.1f} s, "
                    f"{run.cpu_s:.1f} CPU-seconds, {run.peak_mb:,.0f} MB {run.differences or ''}"
                )
            say_features(section, runs)
        finally:
            shutil.rmtree(folder)
    write_sizes(page, merge(read_sizes(page), sizes))


if __name__ == "__main__":
    typer.run(main)
