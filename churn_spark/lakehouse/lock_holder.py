"""Who holds the lock of a lakehouse: a machine, processes, a job; and whether they are gone."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_PROC: Final = Path("/proc")
_GONE_STATES: Final = ("Z", "X")
"""A process that has ended and whose parent hasn't asked yet writes nothing any more."""


@dataclass(frozen=True)
class Process:
    """A process of a machine.

    Attributes:
        pid: its number, which another process gets later.
        started: when it began, as its system counts: with the number it names one process.
    """

    pid: int
    started: str

    @property
    def is_gone(self) -> bool:
        """Whether it has ended; only for a process of this machine."""
        return find_process(self.pid) != self and not is_hidden(self.pid)


@dataclass(frozen=True)
class LockHolder:
    """One tenure of the lock, as it is written down.

    Attributes:
        owner: name of the user.
        host: name of the machine.
        machine: tells it from others of the same name, and from itself before it was restarted;
            processes of two containers are on two machines.
        processes: that write: Python and its JVM.
        job: that they do.
        taken_at: when it took the lock.
        renewed_at: when it last said that it was alive.
        is_released: whether it has given the lock back.
    """

    owner: str
    host: str
    machine: str
    processes: Sequence[Process]
    job: str
    taken_at: datetime
    renewed_at: datetime
    is_released: bool = False

    @classmethod
    def from_json(cls, content: bytes) -> LockHolder:
        """What was written down.

        Raises:
            ValueError: if it is something else.
        """
        try:
            told: dict[str, Any] = json.loads(content)
            told["processes"] = [Process(**one) for one in told["processes"]]
            told |= {name: datetime.fromisoformat(told[name]) for name in _TIMES}
            return cls(**told)
        except (KeyError, TypeError) as error:
            raise ValueError(str(error)) from error

    def to_json(self) -> bytes:
        """What is written down."""
        told = asdict(self) | {name: getattr(self, name).isoformat() for name in _TIMES}
        return json.dumps(told, indent=1).encode()

    @property
    def is_here(self) -> bool:
        """Whether its processes are ones of this machine, and can be looked for."""
        is_machine = (self.host, self.machine) == (socket.gethostname(), machine_id())
        return is_machine and not any(is_hidden(process.pid) for process in self.processes)

    @property
    def is_gone(self) -> bool:
        """Whether all its processes have ended; only where `is_here`."""
        return all(process.is_gone for process in self.processes)

    def renewed(self, *, is_released: bool = False) -> LockHolder:
        """The same, alive now."""
        return replace(self, renewed_at=datetime.now(UTC), is_released=is_released)

    def describe(self) -> str:
        """Who it is, in words."""
        pid = self.processes[0].pid if self.processes else "unknown"
        return f"{self.job} (process {pid} of {self.owner} on {self.host})"


_TIMES: Final = ("taken_at", "renewed_at")


def this_holder(job: str, pids: Sequence[int]) -> LockHolder:
    """This process, and others of this machine, as holder from now on."""
    now = datetime.now(UTC)
    found = [find_process(pid) for pid in (os.getpid(), *pids)]
    processes = [process for process in found if process is not None]
    return LockHolder(
        _user(), socket.gethostname(), machine_id(), processes, job, taken_at=now, renewed_at=now
    )


def find_process(pid: int) -> Process | None:
    """A running process of this machine; none where there is no such."""
    if not _PROC.joinpath("self").exists():
        return _ask_ps(pid)
    try:
        told = _PROC.joinpath(str(pid), "stat").read_text()
    except OSError:
        return None
    # The name, which is in parentheses, may itself have some.
    state, *others = told.rpartition(")")[2].split()
    return None if state in _GONE_STATES else Process(pid, others[18])


def is_hidden(pid: int) -> bool:
    """Whether a process is there that can't be looked at.

    Where `/proc` is mounted with `hidepid`, that is each one of another user; and any, for who has
    no file descriptor left. Taken for ended, a living holder would lose its lock.
    """
    if not _PROC.joinpath("self").exists():
        return False
    try:
        _PROC.joinpath(str(pid), "stat").read_text()
    except OSError:
        return _is_there(pid)
    return False


def _is_there(pid: int) -> bool:
    try:
        # No signal is sent: it is only asked whether one could be.
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def machine_id() -> str:
    """Tells this machine, since it was started, and this container from others."""
    try:
        boot = _PROC.joinpath("sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {_PROC.joinpath('self/ns/pid').readlink()}"
    except OSError:
        return ""


def _ask_ps(pid: int) -> Process | None:
    """The same where there is no `/proc`, as on macOS."""
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    state, _, started = told.strip().partition(" ")
    is_there = bool(started) and not state.startswith(_GONE_STATES)
    return Process(pid, started.strip()) if is_there else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have a number and no name.
        return str(os.getuid())
