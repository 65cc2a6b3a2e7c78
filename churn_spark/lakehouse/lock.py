"""One job at a time writes to a lakehouse: the lock, how it is taken, kept and given back.

When a holder counts as dead is written down in docs/adr/0031.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

from pyspark.sql import SparkSession

from churn_spark.config import LockConfig
from churn_spark.errors import LockedError
from churn_spark.lakehouse.lock_guard import guarded_by
from churn_spark.lakehouse.lock_holder import LockHolder, this_holder
from churn_spark.lakehouse.lock_store import LockStore, open_lock_store
from churn_spark.lakehouse.lock_tenure import HeldLock, Tenure, begin_tenure, find_tenure
from churn_spark.troubles import describe_trouble

_POLL_SECONDS: Final = 1.0
_TOLD_SECONDS: Final = 60.0
"""A wait says so often what it waits for."""
_RENEWALS_WATCHED: Final = 3
"""Clocks of two machines may differ: a silent lock is watched for so many renewals, too."""

logger = logging.getLogger(__name__)


@contextmanager
def hold_lock(
    spark: SparkSession,
    root: str,
    job: str,
    config: LockConfig,
    wait_minutes: float,
    tell: Callable[[str], None],
) -> Iterator[None]:
    """Hold the lock of a lakehouse in the block; without it none of its writes goes through.

    Args:
        spark: whose JVM writes, too.
        root: of the lakehouse.
        job: that writes.
        config: of the lock.
        wait_minutes: for another job to end.
        tell: called with what is waited for.

    Raises:
        LockedError: if another job holds it, and goes on to.
        LockStoreError: if the storage can't tell two writers apart.
        MachineError: if a local folder can't be written to.
    """
    store = open_lock_store(spark, root)
    jvm: Any = spark._jvm
    # The JVM commits, too, and may outlive Python for a moment.
    holder = this_holder(job, [int(jvm.java.lang.ProcessHandle.current().pid())])
    lock = take_lock(store, root, holder, config, wait_minutes, tell)
    with keep_renewed(lock, config.renew_seconds), guarded_by(lock.check):
        yield


def take_lock(
    store: LockStore,
    root: str,
    holder: LockHolder,
    config: LockConfig,
    wait_minutes: float,
    tell: Callable[[str], None],
) -> HeldLock:
    """Take the lock as soon as it is free.

    Raises:
        LockedError: if another job holds it, and goes on to.
        LockStoreError: if the lock can't be read.
    """
    until = time.monotonic() + wait_minutes * 60
    watched, since, told, is_renewed = None, 0.0, -_TOLD_SECONDS, False
    while True:
        found = find_tenure(store)
        if found != watched:
            is_renewed = bool(watched and found and watched.number == found.number)
            watched, since = found, time.monotonic()
        watched_for = time.monotonic() - since
        if found is None or found.holder.is_released or is_dead(found, watched_for, config):
            if lock := begin_tenure(store, found, holder):
                if found is not None and not found.holder.is_released:
                    tell(f"goes on after {found.describe()}: it is gone")
                return lock
            continue
        # Whoever renews the lock before one's eyes is alive, whatever their clock says.
        is_silent = not found.holder.is_here and found.silent_for >= _patience(config)
        is_doubtful = is_silent and not is_renewed
        if time.monotonic() >= until and not is_doubtful:
            raise _locked(root, found, config, wait_minutes)
        if time.monotonic() - told >= _TOLD_SECONDS:
            told = time.monotonic()
            tell(f"waits for {found.describe()}")
        time.sleep(_POLL_SECONDS)


def seems_dead(found: Tenure, config: LockConfig) -> bool:
    """Whether a holder looks dead at one look: where it is elsewhere, by this machine's clock."""
    if found.holder.is_here:
        return found.holder.is_gone
    return found.silent_for >= _patience(config)


def is_dead(found: Tenure, watched_for: float, config: LockConfig) -> bool:
    """Whether a holder that hasn't released the lock will write no more.

    On this machine: all its processes have ended. On another one: it has been silent for
    `lock.stale_minutes` by this machine's clock, and for some renewals before its eyes; or for all
    of that time before its eyes, whatever the holder's clock has said.

    Args:
        found: the tenure.
        watched_for: seconds since it was first seen as it is.
        config: of the lock.
    """
    if found.holder.is_here:
        return found.holder.is_gone
    is_watched = watched_for >= _RENEWALS_WATCHED * config.renew_seconds
    was_silent = timedelta(seconds=watched_for) >= _patience(config)
    return is_watched and (was_silent or seems_dead(found, config))


@contextmanager
def keep_renewed(lock: HeldLock, seconds: float) -> Iterator[None]:
    """Renew the lock every so many seconds in the block, and release it at its end."""
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(seconds):
            try:
                lock.renew()
            except Exception as error:
                # The next time may go well; whoever takes the lock meanwhile is met at a commit.
                told = describe_trouble(error) or f"{type(error).__name__}: {error}"
                logger.warning(
                    "the lock of the lakehouse could not be renewed, and is tried again in %g s; "
                    "silent for lock.stale_minutes, it may be taken over: %s",
                    seconds,
                    " ".join(told.split())[:300],
                )

    thread = threading.Thread(target=renew, name="renew-lock", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        lock.release()


def _locked(root: str, found: Tenure, config: LockConfig, waited: float) -> LockedError:
    if found.holder.is_here:
        way_out = "or end that process: a lock whose process is gone is taken over"
    else:
        way_out = f"a holder that is dead is silent, and after {config.stale_minutes:g} minutes "
        way_out += "its lock is taken over"
    after = f" after {waited:g} minutes" if waited else ""
    return LockedError(
        f"found {root} in use{after} by {found.describe()}, expected no other job that writes: "
        f"run this again when it has ended, or with --wait MINUTES; {way_out}"
    )


def _patience(config: LockConfig) -> timedelta:
    return timedelta(minutes=config.stale_minutes)
