"""What this process, its JVM and their children have used: CPU time and memory, from /proc."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_CPU_FIELDS: Final = slice(11, 15)
"""Of `/proc/PID/stat` behind the name: user and system, its own and of its ended children."""
_PEAK: Final = "VmHWM:"


def descendants(pid: int) -> list[int]:
    """A process and all below it; itself alone where the system doesn't tell."""
    try:
        # Each thread has children of its own.
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    children = map(int, " ".join(lists).split())
    return [pid, *(below for child in children for below in descendants(child))]


def find_processes(jvm: int) -> set[int]:
    """This process, the JVM and all below them: one of the two has started the other."""
    return {*descendants(os.getpid()), *descendants(jvm)}


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU seconds of the processes so far; of this one alone where the system doesn't tell."""
    ticks = [sum(map(int, fields[_CPU_FIELDS])) for pid in pids if (fields := _stat(pid))]
    return sum(ticks) / _TICKS if ticks else time.process_time()


def peak_bytes(pids: Iterable[int]) -> int | None:
    """The most that each of the processes has ever held, summed; none where nothing is told."""
    lines = [line for pid in pids for line in _read(pid, "status").splitlines()]
    sizes = [int(line.split()[1]) for line in lines if line.startswith(_PEAK)]
    return sum(sizes) * 1024 if sizes else None


def _stat(pid: int) -> list[str]:
    return _read(pid, "stat").rpartition(")")[2].split()


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
