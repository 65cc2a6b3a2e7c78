"""A job over several dates: one after the other, in one session, gone on with after a kill.

Each date is done as if it had been run alone. Which are done is noted beside the tables, after
each: the same command goes on with the others. The note ends with the last date.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import date as Date
from typing import Final

from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.errors import ExitCode, UnreadFilesError
from churn_spark.hashing import content_hash
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.console import say, warn
from churn_spark.pipeline.run_record import note_code, note_date
from churn_spark.wording import count_of, duration

_FOLDER: Final = "_checkpoints/backfill"
_WORST_LAST: Final = (
    ExitCode.DONE,
    ExitCode.ALERT,
    ExitCode.RETRAINING_ASKED,
    ExitCode.MISTAKE,
    ExitCode.HELD,
)
"""How a date may end, in the order in which one of a single date gives way to another."""


class Progress:
    """Which dates of a run over several are done, on storage.

    It is of one command and of one log: another one begins anew.
    """

    def __init__(
        self, lakehouse: Lakehouse, job: str, dates: Sequence[Date], settings: str
    ) -> None:
        """Open it.

        Args:
            lakehouse: of the dates.
            job: that is done for them.
            dates: all of them, in their order.
            settings: all that the job is called with.
        """
        self._files, self._path = lakehouse.files, f"{_FOLDER}/{job}.json"
        # A night itself brings new session days.
        log = None if job == "nightly" else lakehouse.version(SESSION_DAYS)
        self._of = content_hash([settings, [str(day) for day in dates], log])

    def read(self) -> dict[Date, ExitCode]:
        """The dates that are done, and how each has ended."""
        content = self._files.read(self._path)
        told = json.loads(content) if content else {}
        if told.get("of") != self._of:
            return {}
        return {Date.fromisoformat(day): ExitCode(code) for day, code in told["done"].items()}

    def write(self, done: dict[Date, ExitCode]) -> None:
        """Note what is done."""
        told = {"of": self._of, "done": {str(day): int(code) for day, code in done.items()}}
        self._files.exchange(self._path, json.dumps(told).encode())

    def forget(self) -> None:
        """All is done: the same command will begin anew."""
        self._files.delete(self._path)


def run(
    lakehouse: Lakehouse,
    job: str,
    dates: Sequence[Date],
    settings: str,
    do: Callable[[Date], ExitCode | None],
    *,
    is_noted: bool,
) -> ExitCode:
    """Do a job for several dates, and say how far it is and how long it will take.

    Args:
        lakehouse: in which it is noted which are done.
        job: its name.
        dates: in the order in which they are done.
        settings: all that the job is called with: another call begins anew.
        do: does it for one date, and gives how it ended.
        is_noted: which are done; not of a job that only reads.

    Returns:
        How the worst date ended: held before files that could not be opened, before asked for a
        retraining, before an alert.
    """
    progress = Progress(lakehouse, job, dates, settings)
    done = progress.read() if is_noted else {}
    if done:
        say(job, f"{count_of(len(done), 'date')} of {len(dates)} done before it was interrupted")
    left = [day for day in dates if day not in done]
    started = time.monotonic()
    for n, day in enumerate(left):
        say(job, f"--date {day}, {len(done) + 1} of {len(dates)}{_time_left(started, n, left)}")
        note_date(day)
        done[day] = _do_one(do, day)
        note_code(done[day])
        if is_noted:
            # Done again by the same command, as files may have become readable.
            progress.write({one: code for one, code in done.items() if code != ExitCode.MISTAKE})
    if is_noted:
        progress.forget()
    say(job, f"{count_of(len(dates), 'date')} done", time.monotonic() - started)
    return max(done.values(), key=_WORST_LAST.index)


def _do_one(do: Callable[[Date], ExitCode | None], day: Date) -> ExitCode:
    """Do one date; files that could not be opened keep none of the others from being done."""
    try:
        return do(day) or ExitCode.DONE
    except UnreadFilesError as error:
        warn(f"{day}: {error}")
        return error.exit_code


def _time_left(started: float, n_done: int, left: Sequence[Date]) -> str:
    """By what the dates before have taken in this run."""
    if not n_done:
        return ""
    seconds = (time.monotonic() - started) / n_done * (len(left) - n_done)
    return f"; about {duration(seconds)} left"
