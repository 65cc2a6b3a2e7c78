"""Facts of days -> counts for the data checks of a night: tonight's day, and what is usual."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from churn_spark.contracts.event_facts import (
    BATCH,
    CATEGORIES,
    EVENT,
    EVENT_ONCE,
    FIELDS,
    NEWEST_MILLIS,
    NULL,
    OTHERS,
    SONG,
    SONG_WITHOUT_LENGTH,
)
from churn_spark.monitoring.data_quality.checks import ColumnFacts, FeedFacts
from churn_spark.monitoring.data_quality.usual_days import same_weekdays
from churn_spark.timeline import MILLIS_PER_HOUR, day_start_millis

_USUAL_DAYS: Final = 7
_DAYS_OF_ENDS: Final = 28


@dataclass(frozen=True)
class EventDays:
    """What was counted of the events of each day: date -> fact -> value -> count."""

    counts: Mapping[date, Mapping[str, Mapping[str, int]]]

    @staticmethod
    def of(rows: Iterable[tuple[date, str, str, int]]) -> EventDays:
        """Put together the rows of `event_days`: date, fact, value and count of each bucket."""
        counts: dict[date, dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
        for day, fact, value, n in rows:
            found = counts[day][fact]
            if fact == NEWEST_MILLIS:
                found[value] = max(found.get(value, n), n)
            else:
                found[value] = found.get(value, 0) + n
        return EventDays(counts)

    def values(self, day: date, fact: str) -> Mapping[str, int]:
        """Value -> count of one day."""
        return self.counts.get(day, {}).get(fact, {})

    def sum(self, days: Collection[date], fact: str, value: str = "") -> int:
        """The count of all the days."""
        return sum(self.values(day, fact).get(value, 0) for day in days)

    def batches(self, day: date) -> frozenset[str]:
        """The batches that delivered a day."""
        return frozenset(self.values(day, BATCH))


def checked_day(night: date) -> date:
    """The newest day of the log that a night knows."""
    return night - timedelta(days=1)


def measure_feed(
    days: EventDays,
    n_rejected: int,
    log_start: date,
    night: date,
    n_bytes: tuple[int, int] = (0, 0),
    misdated: Collection[date] = (),
    is_holiday: Callable[[date], bool] = lambda _: False,
) -> FeedFacts:
    """Counts of the newest day before the night, and of the batches that delivered it.

    The same tables give the same counts, whichever run has loaded them.

    Args:
        days: all of the log.
        n_rejected: lines that the batches of the day have rejected.
        log_start: first date of the log.
        night: its newest day is the one before.
        n_bytes: of the files of these batches, and of those among them that were changed since.
        misdated: dates out of place.
        is_holiday: whether a day says nothing of usual ones.
    """
    day = checked_day(night)
    holidays = {one for one in days.counts if is_holiday(one)}
    batches = days.batches(day)
    delivered = {
        one: sum(n for batch, n in days.values(one, BATCH).items() if batch in batches)
        for one in days.counts
    }
    n_accepted = sum(delivered.values())
    oldest = min((one for one, n in delivered.items() if n), default=day)
    known = [one for one in days.counts if one < night]
    newest = days.values(max(known), NEWEST_MILLIS)[""] if known else None
    behind = day_start_millis(night) - newest if newest is not None else math.inf
    n_events = days.sum([day], EVENT)
    return FeedFacts(
        n_events=n_events,
        same_weekday=same_weekdays(
            lambda one: days.sum([one], EVENT), day, log_start, holidays - {day}
        ),
        hours_behind=behind / MILLIS_PER_HOUR,
        n_lines=n_accepted + n_rejected,
        n_quarantined=n_rejected,
        n_duplicates=n_events - days.sum([day], EVENT_ONCE),
        is_backfill=(day - oldest).days > _USUAL_DAYS
        # A single late event is no reason to let the whole day pass.
        and 2 * n_events <= n_accepted,
        n_misdated=sum(delivered.get(one, 0) for one in misdated),
        n_misdated_ever=days.sum(misdated, EVENT),
        n_bytes=n_bytes[0],
        n_bytes_changed=n_bytes[1],
        usual_hours_behind=_ends_before(days, day, log_start),
        is_holiday=is_holiday(day),
    )


def _ends_before(days: EventDays, day: date, log_start: date) -> tuple[float, ...]:
    """Hours from the newest event of each of the days before to its end."""
    before = (day - timedelta(days=number) for number in range(1, _DAYS_OF_ENDS + 1))
    newest = [
        (one, days.values(one, NEWEST_MILLIS)[""])
        for one in before
        if one >= log_start and "" in days.values(one, NEWEST_MILLIS)
    ]
    ends = ((day_start_millis(one + timedelta(days=1)), at) for one, at in newest)
    return tuple((end - at) / MILLIS_PER_HOUR for end, at in ends)


def measure_events(days: EventDays, night: date) -> list[ColumnFacts]:
    """Nulls and new values of the newest day's events, against the week before.

    The length of a song is asked for where a song was played.

    A field that the service renames is null from that day on, and a page that it renames is new.
    """
    today = [checked_day(night)]
    week = [today[0] - timedelta(days=number) for number in range(1, _USUAL_DAYS + 1)]

    def both(fact: str, value: str = "") -> tuple[int, int]:
        return days.sum(week, fact, value), days.sum(today, fact, value)

    def unseen(category: str) -> tuple[int, int]:
        usual = {value for day in week for value in days.values(day, category)}
        # What is rarer than the nameless ones of a day may have been one of them.
        nameless = max(days.values(day, category).get(OTHERS, 0) for day in week)
        found = days.values(today[0], category).items()
        return 0, sum(n for value, n in found if value not in usual and n > nameless)

    rows = both(EVENT)
    fields = [ColumnFacts(f"events.{name}", rows, both(NULL, name)) for name in FIELDS]
    categories = [
        ColumnFacts(f"events.{name}", rows, both(NULL, name), n_unseen=unseen(name))
        for name in CATEGORIES
    ]
    songs = ColumnFacts("events.song_seconds", both(SONG), both(SONG_WITHOUT_LENGTH))
    return [*fields, *categories, songs]
