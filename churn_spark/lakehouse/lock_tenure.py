"""The tenures of a lakehouse's lock: numbered files, of which the highest counts.

`_lock/00000001.json` and so on. Whoever makes the next file has the lock, and a file is made once.
So a tenure ends in one of two ways: its holder writes that it is released, or another one finds it
dead and makes the next file, which the old holder, should it be alive after all, meets before its
next commit.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from churn_spark.errors import LockedError, LockStoreError
from churn_spark.lakehouse.lock_holder import LockHolder
from churn_spark.lakehouse.lock_store import LockStore, ReadableLocks

LOCK_FOLDER: Final = "_lock"
_NAME: Final = re.compile(r"(\d{8})\.json")
_SURE_SECONDS: Final = 1.0
"""So long after a look a commit needs no other one."""


@dataclass(frozen=True)
class Tenure:
    """The newest tenure of the lock, as it was found.

    Attributes:
        number: of its file.
        holder: what the file says.
    """

    number: int
    holder: LockHolder

    @property
    def silent_for(self) -> timedelta:
        """Since its last sign of life, by this machine's clock."""
        return datetime.now(UTC) - self.holder.renewed_at

    def describe(self) -> str:
        """Who holds the lock, since when, and how alive it is."""
        taken = f"{self.holder.taken_at:%Y-%m-%d %H:%M:%S} UTC"
        seconds = max(0, round(self.silent_for.total_seconds()))
        return f"{self.holder.describe()} since {taken}, last sign of life {seconds} s ago"


@dataclass
class HeldLock:
    """The lock, held by this process.

    Attributes:
        store: where it is.
        number: of the tenure.
        holder: this process.
    """

    store: LockStore
    number: int
    holder: LockHolder
    _seen: float = field(default=float("-inf"), init=False)
    _is_lost: bool = field(default=False, init=False)
    _taken_by: Tenure | None = field(default=None, init=False)

    def check(self) -> None:
        """Let pass only while the lock is this process's.

        Raises:
            LockedError: if another job has taken it, or its file is gone.
        """
        if not self._is_lost and _now() - self._seen >= _SURE_SECONDS:
            self._look()
        if self._is_lost:
            raise LockedError(f"found {self._what_happened()}: stopped before the next commit")

    def renew(self) -> None:
        """Say that this process is alive, unless the lock was taken from it."""
        if not self._is_lost and self._look():
            self.store.exchange(_path(self.number), self.holder.renewed().to_json())

    def release(self) -> None:
        """Give it back, unless it was taken from this process."""
        if not self._is_lost and self._look():
            content = self.holder.renewed(is_released=True).to_json()
            self.store.exchange(_path(self.number), content)

    def _look(self) -> bool:
        """Whether this tenure is still the newest one."""
        if _numbers(self.store)[-1:] != [self.number]:
            self._is_lost, self._taken_by = True, find_tenure(self.store)
            return False
        self._seen = _now()
        return True

    def _what_happened(self) -> str:
        """How the lock was lost, in words."""
        mine, taker = self.holder.describe(), self._taken_by
        if taker is not None and taker.number > self.number:
            return (
                f"that {taker.describe()} has taken the lock of {mine}, which was silent for too "
                "long, expected to hold it to the end; run the same again when that has ended"
            )
        now = "no job has it now" if taker is None else f"now {taker.describe()} has it"
        return (
            f"no {_path(self.number)} in the lakehouse any more, the lock of {mine} ({now}), "
            "expected it to stay to the end: the lakehouse, or its lock, was moved, deleted or "
            "written over while this ran; put it back, leave the lock alone, and run the same again"
        )


def find_tenure(store: ReadableLocks) -> Tenure | None:
    """The newest tenure; none where the lock was never taken.

    Raises:
        LockStoreError: if its file holds something else.
    """
    for number in reversed(_numbers(store)):
        content = store.read(_path(number))
        if content is None:
            # Gone since the look into the folder: a later one has begun.
            return find_tenure(store)
        try:
            return Tenure(number, LockHolder.from_json(content))
        except ValueError as error:
            raise LockStoreError(
                f"found {_path(number)} in the lakehouse, which says not who holds the lock "
                f"({error}), expected what a job writes: delete it when no job is running"
            ) from error
    return None


def begin_tenure(store: LockStore, last: Tenure | None, holder: LockHolder) -> HeldLock | None:
    """Make the next tenure, and remove those before; none where another one was faster."""
    number = last.number + 1 if last else 1
    if not store.create(_path(number), holder.renewed().to_json()):
        return None
    numbers = _numbers(store)
    if numbers[-1:] != [number]:
        # Others have come and gone since the look, and have removed the file of this number.
        store.delete(_path(number))
        return None
    for older in numbers[:-1]:
        store.delete(_path(older))
    return HeldLock(store, number, holder)


def _numbers(store: ReadableLocks) -> Sequence[int]:
    """Of the tenures whose files are there, lowest first."""
    names = (_NAME.fullmatch(name) for name in store.names(LOCK_FOLDER))
    return sorted(int(name[1]) for name in names if name)


def _path(number: int) -> str:
    return f"{LOCK_FOLDER}/{number:08d}.json"


def _now() -> float:
    """Seconds that pass while the machine sleeps, too."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)
