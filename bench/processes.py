"""Run a command and watch its time and the memory of all its processes."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_EVERY_S: Final = 0.25


@dataclass(frozen=True)
class Usage:
    """What a command has used.

    Attributes:
        seconds: wall time.
        peak_mb: highest sum of the proportional set sizes (shared pages counted once) of the
            process and all processes below it, in MiB; 0 where the system doesn't tell.
        last_line: the last line of its standard output.
    """

    seconds: float
    peak_mb: float
    last_line: str


def _descendants(pid: int) -> list[int]:
    """List a process and all below it."""
    try:
        # Each thread has children of its own.
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    children = map(int, " ".join(lists).split())
    return [pid, *(below for child in children for below in _descendants(child))]


def _pss_kb(pid: int) -> int:
    """Give the proportional set size of a process, 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def run_watched(*arguments: str) -> Usage:
    """Run a module of this project: `run_watched("jobs.simulate_events", "--users", "9")`.

    Raises:
        SystemExit: if it fails, with what it wrote to its standard error.
    """
    started, peak = time.monotonic(), 0
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(_pss_kb, _descendants(process.pid))))
            time.sleep(_EVERY_S)
        out, err = process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{err}")
    return Usage(time.monotonic() - started, peak / 1024, out.strip().splitlines()[-1])
