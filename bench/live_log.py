"""A log as it comes in while the nights run: in parts of a day, some late, some twice."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from churn_spark.timeline import MILLIS_PER_DAY, day_start_millis

HOUR: Final = 3_600_000
MORNING: Final = 3 * HOUR + HOUR // 4
"""When a night runs: its day has begun."""
_PART: Final = 3 * HOUR
"""A file holds what came in so long; the last one is closed a quarter of an hour before."""
_LATE, _LATEST_DAYS, _TWICE = 0.02, 5, 0.01
_WRONG_YEARS: Final = (-4, -2, 2, 13)

Line = tuple[int, bytes]
"""When it comes in, milliseconds since the epoch, and its bytes."""
Record = dict[str, Any]
"""What a line says."""


@dataclass(frozen=True)
class LiveLog:
    """Everything that comes in, in its order.

    Attributes:
        lines: each with its moment.
        n_late: lines that come an hour to some days after they happened.
        n_twice: lines that come once more.
        n_wrong: lines whose clock was wrong by years, one a week.
    """

    lines: Sequence[Line]
    n_late: int
    n_twice: int
    n_wrong: int

    def deliver(self, night: date, folder: Path, *, is_last: bool = False) -> None:
        """Write the files that are closed when a night runs and weren't before.

        Args:
            night: it runs at a quarter past three.
            folder: that the nights read.
            is_last: what is still on its way comes in, too.
        """
        begin, end = (day_start_millis(night) + MORNING - days * MILLIS_PER_DAY for days in (1, 0))
        files = defaultdict[int, list[bytes]](list)
        for moment, line in self.lines:
            closed = -(-moment // _PART) * _PART + HOUR // 4
            if (closed <= end or is_last) and (closed > begin or not folder.exists()):
                files[moment // _PART].append(line)
        folder.mkdir(parents=True, exist_ok=True)
        for part, lines in files.items():
            (folder / f"{night}-{part}.json").write_bytes(b"".join(lines))


def read_lines(folder: Path) -> Iterator[bytes]:
    """The lines of a simulated log."""
    for path in sorted(folder.rglob("*.json*")):
        data = path.read_bytes()
        whole = gzip.decompress(data) if path.suffix == ".gz" else data
        yield from whole.splitlines(keepends=True)


def disturb(lines: Iterable[bytes], start: date, seed: int) -> LiveLog:
    """Let lines come in late and twice, and give one a week a wrong clock.

    Args:
        lines: records, each with its `ts`.
        start: the log's first date.
        seed: same seed, same disturbances.
    """
    rng, come = random.Random(seed), list[Line]()
    n_late = n_twice = 0
    weeks: set[int] = set()
    for line in lines:
        record: dict[str, Any] = json.loads(line)
        ts, sent = record["ts"], line
        week = (ts - day_start_millis(start)) // (7 * MILLIS_PER_DAY)
        # Of somebody known, or no table has it.
        if week not in weeks and rng.random() < 0.001 and record.get("userId"):
            weeks.add(week)
            years = _WRONG_YEARS[week % len(_WRONG_YEARS)]
            wrong = ts + years * 365 * MILLIS_PER_DAY
            sent = json.dumps({**record, "ts": wrong}).encode() + b"\n"
        moment = ts
        if rng.random() < _LATE:
            moment += rng.randrange(HOUR, _LATEST_DAYS * MILLIS_PER_DAY)
            n_late += 1
        come.append((moment, sent))
        if rng.random() < _TWICE:
            come.append((moment + rng.randrange(HOUR, 3 * MILLIS_PER_DAY), sent))
            n_twice += 1
    return LiveLog(sorted(come), n_late, n_twice, len(weeks))


def accept(lines: Iterable[bytes], anonymous_user_ids: Collection[str]) -> list[Record]:
    """The records that an ingest has to accept: those of known users."""
    records = map(json.loads, lines)
    nobody = {"", *anonymous_user_ids}
    return [one for one in records if str(one.get("userId") or "").strip() not in nobody]


def count_by_date(records: Iterable[Record]) -> Counter[date]:
    """How many records there are of each UTC date."""
    return Counter(datetime.fromtimestamp(one["ts"] / 1000, UTC).date() for one in records)


def take_once(records: Iterable[Record]) -> Iterator[Record]:
    """Of records that say the same, one."""
    yield from {json.dumps(one, sort_keys=True): one for one in records}.values()


def mornings(first: date, n_nights: int) -> list[date]:
    """The nights, oldest first."""
    return [first + timedelta(days=number) for number in range(n_nights)]
