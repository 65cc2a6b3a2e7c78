"""A log that comes in two deliveries: all days but the last whole one, then the rest."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.processes import run_watched
from churn_spark.timeline import MILLIS_PER_DAY


@dataclass(frozen=True)
class DeliveredLog:
    """Two folders with the files of a log.

    Attributes:
        first: all days but the last whole one.
        last: that day, and what little there is after it.
    """

    first: Path
    last: Path

    def deliver(self, target: Path, number: int) -> None:
        """Bring a delivery, 0 or 1, into the folder that the nights read; links, no copies."""
        shutil.copytree(
            (self.first, self.last)[number], target, copy_function=os.link, dirs_exist_ok=True
        )

    @property
    def size(self) -> int:
        """Bytes of both, as they lie there."""
        files = [*self.first.rglob("*.json*"), *self.last.rglob("*.json*")]
        return sum(path.stat().st_size for path in files)


def simulate(users: int, work: Path) -> DeliveredLog:
    """A simulated log of some users."""
    run_watched("jobs.simulate_events", "--out", str(work / "world"), "--users", str(users))
    events = work / "world" / "events"
    newest = max(path.name for path in events.iterdir())
    last = work / "world" / "last"
    last.mkdir()
    (events / newest).rename(last / newest)
    return DeliveredLog(events, last)


def split(file: Path, work: Path) -> DeliveredLog:
    """The log in a file, cut before its newest whole day: the last one may end after minutes."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        dated = [(json.loads(line)["ts"] // MILLIS_PER_DAY, line) for line in lines]
    counts = Counter(day for day, _ in dated)
    whole = median(counts.values()) / 2
    newest = max(day for day, count in counts.items() if count >= whole)
    log = DeliveredLog(work / "first", work / "last")
    for folder, is_last in ((log.first, False), (log.last, True)):
        folder.mkdir(parents=True)
        with (folder / f"{folder.name}.json").open("w", encoding="utf-8") as out:
            out.writelines(line for day, line in dated if (day >= newest) is is_last)
    return log
