"""Run a command and watch the time and the memory of all its processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from churn_spark.runtime.usage import descendants

START: Final = "start"
"""The step of a measured process that holds all before its first one."""
_EVERY_S: Final = 0.25
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_CPU_FIELDS: Final = slice(11, 13)
"""Of `/proc/PID/stat` behind the name: user and system."""
_BEGIN_FIELD: Final = 19


@dataclass(frozen=True)
class Usage:
    """What a command has used.

    Memory is the proportional set size (shared pages counted once) in MiB, at the moment of
    its highest sum; 0 where the system doesn't tell.

    Attributes:
        seconds: wall time.
        peak_mb: of the process and all processes below it.
        driver_mb: of all but Spark's Python workers.
        workers_mb: of Spark's Python workers.
        last_line: the last line of its standard output.
    """

    seconds: float
    peak_mb: float
    driver_mb: float
    workers_mb: float
    last_line: str


class CpuMeter:
    """CPU seconds of this process and all that were ever seen below it, by a look now and then.

    The system doesn't add up what Spark's Python workers took once they have ended: their parent
    doesn't wait for them. What a process does after the last look at it is missing.
    """

    def __init__(self) -> None:
        """Begin to watch; it ends with the process."""
        self._ticks: dict[tuple[int, bytes], int] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, daemon=True).start()

    def read(self) -> float:
        """CPU seconds so far."""
        with self._lock:
            for pid in descendants(os.getpid()):
                fields = _read(pid, "stat").rpartition(b")")[2].split()
                if fields:
                    # A number may be given again, at another time.
                    self._ticks[pid, fields[_BEGIN_FIELD]] = sum(map(int, fields[_CPU_FIELDS]))
            return sum(self._ticks.values()) / _TICKS

    def _watch(self) -> None:
        while True:
            self.read()
            time.sleep(_EVERY_S)


def age_s() -> float:
    """Seconds since this process was started."""
    fields = _read(os.getpid(), "stat").rpartition(b")")[2].split()
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[_BEGIN_FIELD]) / _TICKS


def run_watched(*arguments: str) -> Usage:
    """Run a module of this project: `run_watched("jobs.simulate_events", "--users", "9")`.

    Raises:
        SystemExit: if it fails, with what it wrote to its standard error.
    """
    started, peak, driver, workers = time.monotonic(), 0, 0, 0
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while True:
            found = [(_is_worker(pid), _pss_kb(pid)) for pid in descendants(process.pid)]
            now = sum(size for is_worker, size in found if is_worker)
            total = sum(size for _, size in found)
            peak, driver, workers = max(peak, total), max(driver, total - now), max(workers, now)
            try:
                # Read meanwhile: a process that says much would wait for its reader for ever.
                out, err = process.communicate(timeout=_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                continue
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{err}")
    return Usage(
        time.monotonic() - started,
        peak / 1024,
        driver / 1024,
        workers / 1024,
        out.strip().splitlines()[-1],
    )


def _is_worker(pid: int) -> bool:
    return b"pyspark.daemon" in _read(pid, "cmdline")


def _pss_kb(pid: int) -> int:
    """The proportional set size of a process, 0 when it is gone."""
    lines = _read(pid, "smaps_rollup").splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith(b"Pss:")), 0)


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
