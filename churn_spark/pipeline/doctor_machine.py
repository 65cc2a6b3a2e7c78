"""What the jobs need of a machine: Python, packages, Java, jars, memory, room."""

from __future__ import annotations

import ctypes
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from churn_spark.config import Config, shipped_path
from churn_spark.pipeline.doctor_findings import Finding, Verdict, is_well, look
from churn_spark.runtime.jars import listed_jars, packages_for
from churn_spark.runtime.java import find_java, state_dir
from churn_spark.wording import count_of, name_some

_PYTHON: Final = (3, 11)
_GB: Final = 1e9
_PYTHON_BYTES: Final = int(1e9)
"""What the driver's Python takes beside the JVM, about: a demo holds 2 GB of both."""
_LITTLE_ROOM: Final = int(5e9)
_NO_ROOM: Final = int(1e9)
_SIZES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
_SHOWN: Final = 5
_AGAIN: Final = "run `make setup`, or install the wheel with its lock into a new environment"


def look_at_python() -> Iterator[Finding]:
    """Whether interpreter and packages are those that the project is made for."""
    yield from look("python", lambda: judge_python(sys.version_info[:2], sys.prefix))
    yield from look("packages", _look_at_packages)


def look_at_machine(config: Config) -> Iterator[Finding]:
    """What the jobs need of this machine, as they are configured."""
    places = config.lakehouse, config.ingest.events
    yield from look("libgomp", _look_at_openmp)
    yield from look("java", _look_at_java)
    yield from look("spark jars", lambda: judge_jars(len(listed_jars(packages_for(*places)))))
    heap = parse_size(config.spark.driver_memory)
    yield from look("memory", lambda: judge_memory(*read_memory(), heap))
    yield from look("scratch disk", _look_at_scratch)


def judge_python(found: tuple[int, ...], prefix: str) -> Finding:
    """Whether the interpreter is of the line that the packages are locked for."""
    told = f"{'.'.join(map(str, found))} in {prefix}"
    if found == _PYTHON:
        return is_well("python", told)
    wanted = ".".join(map(str, _PYTHON))
    advice = f"install Python {wanted}, and run `make setup PYTHON=path`"
    return Finding("python", Verdict.ERROR, f"{told}, expected {wanted}", advice)


def judge_packages(where: str, pinned: Mapping[str, str], there: Mapping[str, str]) -> Finding:
    """Whether the packages are those of the lock.

    Args:
        where: the lock is.
        pinned: package -> version.
        there: the same of those that are installed.
    """
    missing = sorted(name for name in pinned if name not in there)
    others = [
        f"{name} {there[name]} (locked: {one})"
        for name, one in sorted(pinned.items())
        if there.get(name, one) != one
    ]
    if missing:
        found = f"{name_some(missing, _SHOWN)} of {where} missing"
        return Finding("packages", Verdict.ERROR, found, _AGAIN)
    if others:
        found = (
            f"{count_of(len(others), 'package')} of another version than in {where}: "
            f"{name_some(others, _SHOWN)}"
        )
        return Finding("packages", Verdict.WARNING, found, f"not what was tried: {_AGAIN}")
    return is_well("packages", f"{count_of(len(pinned), 'package')}, versions as in {where}")


def read_lock() -> tuple[str, dict[str, str]]:
    """Where the lock is that the environment was made from, and its pins.

    Without set-up it is the lock that came with the code: what the jobs need, and no tools.
    """
    made_from = state_dir() / "installed.lock"
    lock = made_from if made_from.is_file() else shipped_path("requirements/base.lock")
    return str(lock), dict(_PIN.findall(lock.read_text(encoding="utf-8")))


def judge_jars(n_jars: int) -> Finding:
    """Whether set-up has fetched the jars of Spark's extensions.

    Args:
        n_jars: that are on the list and on the disk, where this user can see them.
    """
    if n_jars:
        return is_well("spark jars", f"{count_of(n_jars, 'jar')} beside Spark's own")
    return Finding(
        "spark jars",
        Verdict.WARNING,
        "found none that this user can read: each job asks Maven Central for them when it starts",
        "fetch them once, as the user who runs the jobs, by `make setup` or "
        f"`{sys.executable} -m churn_spark.runtime.jars`",
    )


def judge_memory(available: int, total: int, heap: int) -> Finding:
    """Whether the driver's JVM and Python fit into the memory.

    Args:
        available: bytes that nobody uses.
        total: bytes of the machine, or of the container.
        heap: bytes of `spark.driver_memory`.
    """
    found = (
        f"{available / _GB:.1f} of {total / _GB:.1f} GB are free; the driver's JVM may take "
        f"{heap / _GB:.1f} GB (spark.driver_memory), its Python about {_PYTHON_BYTES / _GB:.0f} GB"
    )
    if heap > total:
        advice = "give the job a larger machine or container, or a smaller spark.driver_memory"
        return Finding("memory", Verdict.ERROR, found, advice)
    if heap + _PYTHON_BYTES > available:
        advice = "end what else is running, or set a smaller spark.driver_memory"
        return Finding("memory", Verdict.WARNING, found, advice)
    return is_well("memory", found)


def judge_room(check: str, place: str, free: int) -> Finding:
    """Whether a disk has room for a job.

    Args:
        check: what the disk is for.
        place: a folder on it.
        free: bytes that this user may still write.
    """
    found = f"{free / _GB:.1f} GB are free in {place}"
    if free >= _LITTLE_ROOM:
        return is_well(check, found)
    verdict = Verdict.ERROR if free < _NO_ROOM else Verdict.WARNING
    found += f", expected {_LITTLE_ROOM / _GB:.0f} or more"
    return Finding(check, verdict, found, "make room, or name another place")


def read_memory() -> tuple[int, int]:
    """Bytes that are free, and of all: of the container where it has a bound, else the machine."""
    told = Path("/proc/meminfo").read_text(encoding="ascii")
    free, total = (int(_field(name, told)) * 1024 for name in ("MemAvailable", "MemTotal"))
    group = Path("/sys/fs/cgroup")
    try:
        bound = int((group / "memory.max").read_text())
        # Files that were read are given back when there is need, as in MemAvailable.
        told_of_group = (group / "memory.stat").read_text()
        of_files = re.search(r"^inactive_file (\d+)$", told_of_group, re.MULTILINE)
        used = int((group / "memory.current").read_text()) - int(of_files[1] if of_files else 0)
    except (OSError, ValueError):  # no container, or one without a bound: "max"
        return free, total
    return min(free, bound - used), min(total, bound)


def parse_size(text: str) -> int:
    """Bytes of `2g`, as Java writes sizes."""
    found = re.fullmatch(r"(\d+)([kmgt]?)b?", text.lower())
    if found is None:
        raise ValueError(f"found {text!r}, expected a size such as 2g")
    return int(found[1]) * _SIZES[found[2]]


def _field(name: str, told: str) -> str:
    found = re.search(rf"^{name}:\s+(\d+) kB", told, re.MULTILINE)
    if found is None:
        raise ValueError(f"found no {name} in /proc/meminfo")
    return found[1]


def _look_at_packages() -> Finding:
    where, pinned = read_lock()
    there = {}
    for name in pinned:
        with suppress(PackageNotFoundError):
            there[name] = version(name)
    return judge_packages(where, pinned, there)


def _look_at_openmp() -> Finding:
    if platform.system() != "Linux":
        return is_well("libgomp", "comes with LightGBM's wheel on this system")
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        found = "no libgomp.so.1, which LightGBM needs"
        return Finding("libgomp", Verdict.ERROR, found, "install the package libgomp1")
    return is_well("libgomp", "libgomp.so.1 loads")


def _look_at_java() -> Finding:
    java = find_java()
    return is_well("java", f"{java.version} of {java.source}, in {java.home}")


def _look_at_scratch() -> Finding:
    folder = tempfile.gettempdir()  # raises where no folder can be written to
    return judge_room("scratch disk", folder, shutil.disk_usage(folder).free)
