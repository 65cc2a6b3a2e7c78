"""What `make bench-speed` has measured, as tables and a picture in `docs/speed.md`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import matplotlib as mpl

from bench.processes import START
from bench.speed_run import NIGHTS, PIPELINE, SCRIPTS, Run
from churn_spark.reports.canvas import ACCENT, GOLD, MUTED, STYLE, WARM, canvas

BEGIN: Final = "<!-- figures: written by `make bench-speed`, none by hand -->"
END: Final = "<!-- /figures -->"
_COLORS: Final = {PIPELINE: ACCENT, "DuckDB": GOLD, "Polars": WARM}
_RUN_HEAD: Final = (
    "| | wall, s | CPU, s | memory, MB | driver, MB | workers, MB | Spark jobs | written, MB "
    "| features |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
_STEP_HEAD: Final = (
    "| step | wall, s | CPU, s | Spark jobs | written, MB | wall, s | CPU, s | Spark jobs "
    "| written, MB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)

_WITHOUT_START: Final = (
    "Here the CPU of scripts and engines is without their start (Python, libraries, the JVM), "
    "where this project's is with it; wall time is with it for all."
)


@dataclass(frozen=True)
class Size:
    """All runs on one log.

    Attributes:
        name: of the log, in words.
        users: in it.
        log_mb: its size.
        machine: on which they ran.
        command: that has measured them.
        runs: in the order in which they ran.
    """

    name: str
    users: int
    log_mb: float
    machine: str
    command: str
    runs: list[Run]

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """What `asdict` and JSON have made of one."""
        return cls(**{**values, "runs": [Run(**run) for run in values["runs"]]})

    def run_of(self, who: str, night: str) -> Run | None:
        """The run of someone in a night, if there was one."""
        return next((r for r in self.runs if (r.who, r.night) == (who, night)), None)


def merge(before: Sequence[Size], measured: Sequence[Size]) -> list[Size]:
    """Those of an earlier run, but for the logs that were measured again; by their users."""
    sizes = {size.users: size for size in (*before, *measured)}
    return [sizes[users] for users in sorted(sizes)]


def describe(sizes: Sequence[Size]) -> str:
    """The figures as Markdown."""
    parts = ["![Wall time](speed.svg)"]
    for size in sizes:
        parts += [
            f"### {size.name}: {size.users:,} users, {size.log_mb:,.0f} MB",
            f"Machine: {size.machine}. Command: `{size.command}`.",
            "\n".join([_RUN_HEAD, *map(_run_row, size.runs)]),
            *([_WITHOUT_START] if _is_start_missing(size) else []),
            "Ratios of wall time: " + "; ".join(_ratios(size)) + ".",
            _describe_steps(size),
        ]
    return "\n\n".join(parts)


def update_page(text: str, figures: str) -> str:
    """A page with the figures between its marks.

    Raises:
        ValueError: if the marks are not there.
    """
    found = re.subn(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n{figures}\n{END}", text, flags=re.S)
    if found[1] != 1:
        raise ValueError(f"found no {BEGIN} ... {END}, expected both in the page")
    return found[0]


def draw(sizes: Sequence[Size], path: Path) -> None:
    """Two pictures side by side: wall time by users, and the steps of the largest log."""
    with mpl.rc_context(STYLE):
        figure, (lines, bars) = canvas(9.5, 3.8, columns=2)
        for who in (PIPELINE, *SCRIPTS):
            for night, style in zip(NIGHTS, ("-", "--"), strict=True):
                runs = [(size.users, size.run_of(who, night)) for size in sizes]
                known = [(users, run.wall_s) for users, run in runs if run]
                lines.plot(*zip(*known, strict=True), style, marker="o", markersize=4,
                           color=_COLORS[who], label=f"{who}, {night}")  # fmt: skip
        lines.set(xscale="log", yscale="log", xlabel="users", ylabel="wall time, s")
        lines.set_title("Wall time of a night")
        lines.legend(fontsize=7)
        _draw_steps(bars, sizes[-1])
        metadata: Any = {"Creator": None, "Date": None, "Format": None, "Type": None}
        figure.savefig(path, format="svg", metadata=metadata)


def _draw_steps(axes: Any, size: Size) -> None:
    names = _step_names(size)
    for row, (night, color) in enumerate(zip(NIGHTS, (ACCENT, MUTED), strict=True)):
        run = size.run_of(PIPELINE, night)
        walls = {step["name"]: step["wall_s"] for step in run.steps} if run else {}
        places = [place + 0.4 * row - 0.2 for place in range(len(names))]
        axes.barh(places, [walls.get(n, 0) for n in names], 0.4, color=color, label=night)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(xlabel="wall time, s")
    axes.set_title(f"Its steps, {size.users:,} users")
    axes.legend(fontsize=7)


def _is_start_missing(size: Size) -> bool:
    others = (run for run in size.runs if run.who != PIPELINE)
    return any(START not in {step["name"] for step in run.steps} for run in others)


def _step_names(size: Size) -> list[str]:
    runs = [run for night in NIGHTS if (run := size.run_of(PIPELINE, night))]
    return list(dict.fromkeys(step["name"] for run in runs for step in run.steps))


def _run_row(run: Run) -> str:
    is_ours = run.who == PIPELINE
    jobs = f"{run.total('jobs'):,.0f}" if is_ours else ""
    written = f"{run.total('written_mb'):,.1f}" if is_ours else ""
    equal = "" if is_ours else "; ".join(run.differences) or "equal"
    return (
        f"| {run.who}, {run.night} | {run.wall_s:,.1f} | {run.cpu_s:,.1f} | {run.peak_mb:,.0f} "
        f"| {run.driver_mb:,.0f} | {run.workers_mb:,.0f} | {jobs} | {written} | {equal} |"
    )


def _ratios(size: Size) -> list[str]:
    found = []
    for night in NIGHTS:
        ours = size.run_of(PIPELINE, night)
        for script in SCRIPTS:
            theirs = size.run_of(script, night)
            if ours and theirs:
                found.append(f"{night}, {ours.wall_s / theirs.wall_s:.1f} times {script}")
    return found


def _describe_steps(size: Size) -> str:
    rows = [_STEP_HEAD.replace("step |", f"{NIGHTS[0]}, then {NIGHTS[1]} |", 1)]
    for name in _step_names(size):
        cells = [_step_cells(size.run_of(PIPELINE, night), name) for night in NIGHTS]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _step_cells(run: Run | None, name: str) -> str:
    found = [step for step in run.steps if step["name"] == name] if run else []
    if not found:
        return " |  |  | "
    wall, cpu, jobs, written = (
        sum(step[key] for step in found) for key in ("wall_s", "cpu_s", "jobs", "written_mb")
    )
    return f"{wall:.1f} | {cpu:.1f} | {jobs:,.0f} | {written:,.1f}"
