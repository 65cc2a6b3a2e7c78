"""A job over several dates: one after the other, in one session, gone on with after a kill.

Each date is done as if it had been run alone. Which are done is noted beside the tables, after
each: the same command goes on with the others, while the tables that the job reads are as they were
then. The note ends with the last date.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import date as Date
from typing import Final

from churn_spark.contracts.tables import SNAPSHOTS, TableSpec
from churn_spark.errors import ExitCode, UnreadFilesError
from churn_spark.hashing import content_hash
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import snapshots
from churn_spark.pipeline.catalogue import find_use_case
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
_DONE_AGAIN: Final = (ExitCode.MISTAKE, ExitCode.HELD)
"""Of dates that end so it is not noted that they are done: their input may be mended meanwhile."""


class Progress:
    """Which dates of a run over several are done, on storage.

    It is of one command, and of the tables as they were after the last date that is done: another
    command begins anew, and so does the same one once another job has changed a table. What the
    job itself has changed until then is in the note.
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
        self._lakehouse, self._files = lakehouse, lakehouse.files
        self._path, self._inputs = f"{_FOLDER}/{job}.json", inputs_of(job)
        self._command = [settings, [str(day) for day in dates]]

    def read(self) -> dict[Date, ExitCode]:
        """The dates that are done, and how each has ended."""
        content = self._files.read(self._path)
        told = json.loads(content) if content else {}
        if told.get("of") != self._now():
            return {}
        return {Date.fromisoformat(day): ExitCode(code) for day, code in told["done"].items()}

    def write(self, done: dict[Date, ExitCode]) -> None:
        """Note what is done."""
        told = {"of": self._now(), "done": {str(day): int(code) for day, code in done.items()}}
        self._files.exchange(self._path, json.dumps(told).encode())

    def forget(self) -> None:
        """All is done: the same command will begin anew."""
        self._files.delete(self._path)

    def _now(self) -> str:
        """Hash of the command and of the tables as they are."""
        versions = [(spec.path, self._lakehouse.version(spec)) for spec in self._inputs]
        return content_hash([*self._command, versions])


def inputs_of(job: str) -> list[TableSpec]:
    """The tables that decide what a job writes, without those that only it writes.

    Snapshots are among them where a job brings them up to date on its way: it keeps those that were
    scored, which `build_snapshots --refresh-from` alone makes anew. A night writes all that it
    reads.
    """
    use_case = find_use_case(job)
    if use_case is None:
        return []
    read = dict.fromkeys((*use_case.reads, *use_case.reads_if_there, *use_case.writes))
    own = {*use_case.writes}
    if use_case is not snapshots.USE_CASE:
        own.discard(SNAPSHOTS)
    return [spec for spec in read if spec not in own]


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
            progress.write({one: code for one, code in done.items() if code not in _DONE_AGAIN})
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
