"""Events -> the user's days before a date: what `session_days` and `user_days` hold of one user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from churn_spark.arrays import Ints
from churn_spark.contracts.features.past import Trailing
from churn_spark.contracts.features.sources import (
    DERIVED_SOURCES,
    EVENING_HOURS,
    HAZARD_COUNTS,
    LEVEL_CHANGE_COUNTS,
    MAX_ITEM,
    MORNING_HOURS,
    PAGE_COUNTS,
    PROFILE_FIELDS,
    SATURDAY,
    THUMB_COUNTS,
)
from churn_spark.contracts.pages import PAID, Page
from churn_spark.serving.events.records import Event
from churn_spark.timeline import MILLIS_PER_DAY, MILLIS_PER_HOUR, day_number, day_start_millis

Known = int | str | None

_COLUMN_OF_PAGE: Final = {page: column for column, page in PAGE_COUNTS.items()}
_GAPS: Final = ("gap_days", "squared_gap_days", "n_gaps")
_COUNTED: Final = (
    *PAGE_COUNTS,
    "listened_micros",
    *(name for name in DERIVED_SOURCES if name not in _GAPS),
)
_EPOCH_WEEKDAY: Final = 3  # a Thursday


@dataclass(frozen=True)
class History:
    """What is known of one user as of a date.

    Attributes:
        as_of: the date.
        days: numbers of the dates with a logged-in event, days since the epoch, rising.
        columns: `PAGE_COUNTS`, `listened_micros` and the derived sources -> a value for each day.
        profile: columns of `PROFILE_FIELDS` -> newest known value.
        instants: `last_ts` and `level_changed_ts` -> milliseconds since the epoch, if any.
        log_start: first date of the log.
    """

    as_of: date
    days: Ints
    columns: Mapping[str, Ints]
    profile: Mapping[str, Known]
    instants: Mapping[str, int | None]
    log_start: date

    def sum_in(self, source: str, days: Trailing) -> int:
        """Sum of a column over some of the days."""
        as_of = day_number(self.as_of)
        is_within = self.days <= as_of - days.last
        if days.first:
            is_within &= self.days >= as_of - days.first
        return int(self.columns[source][is_within].sum())


def build_history(events: Iterable[Event], as_of: date, log_start: date) -> History:
    """The days of one user.

    Args:
        events: of this user; only logged-in ones before the date are looked at.
        as_of: the date.
        log_start: first date of the log.
    """
    end = day_start_millis(as_of)
    seen = [event for event in events if event.is_logged_in and event.ts < end]
    by_day: dict[int, list[Event]] = defaultdict(list)
    for event in seen:
        by_day[event.day].append(event)
    days = sorted(by_day)
    openings = _openings(seen)
    rows = [_count(by_day[day], openings[day], day) for day in days]
    columns = {name: np.array([row[name] for row in rows], dtype=np.int64) for name in _COUNTED}
    last = [event.ts for event in seen if is_activity(event)]
    changed = [day for day, row in zip(days, rows, strict=True) if row["n_level_changes"]]
    return History(
        as_of=as_of,
        days=np.array(days, dtype=np.int64),
        columns={**columns, **_gaps(days, rows)},
        profile=_profile(seen),
        instants={
            "last_ts": max(last, default=None),
            "level_changed_ts": max(changed) * MILLIS_PER_DAY if changed else None,
        },
        log_start=log_start,
    )


def newest_level(events: Iterable[Event]) -> Known:
    """The level of the newest logged-in event that tells one."""
    return _newest((one for one in events if one.is_logged_in), ("level",)).get("level")


def newest_end(events: Iterable[Event]) -> int | None:
    """The end of the subscription, as told by the newest logged-in event that tells one."""
    seen = (one for one in events if one.is_logged_in)
    end = _newest(seen, ("subscribed_until_ts",)).get("subscribed_until_ts")
    return None if end is None else int(end)


def is_activity(event: Event) -> bool:
    """Visiting Cancel is the outcome that is to be foreseen, so it tells nothing of activity."""
    return event.page != Page.CANCEL


def _openings(events: Iterable[Event]) -> Mapping[int, Sequence[int | None]]:
    """Day -> hour at which each session that begins on it does; None where that is by Cancel."""
    of_session: dict[int, list[Event]] = defaultdict(list)
    for event in events:
        of_session[event.session_id].append(event)
    openings: dict[int, list[int | None]] = defaultdict(list)
    for one in of_session.values():
        day = min(event.day for event in one)
        stamps = [event.ts for event in one if event.day == day and is_activity(event)]
        hour = min(stamps) // MILLIS_PER_HOUR % 24 if stamps else None
        openings[day].append(hour)
    return openings


def _count(events: Sequence[Event], openings: Sequence[int | None], day: int) -> dict[str, int]:
    """What the user did on one day, gaps aside."""
    found = dict.fromkeys(PAGE_COUNTS, 0)
    micros = 0
    for event in events:
        if column := _COLUMN_OF_PAGE.get(event.page):
            found[column] += 1
        if event.page == Page.NEXT_SONG and event.song_seconds is not None:
            micros += round(event.song_seconds * 1e6)
    hours = [hour for hour in openings if hour is not None]
    is_active = any(map(is_activity, events))
    is_paid = _newest(events, ("level",)).get("level") == PAID
    n_sessions = len(openings)
    return found | {
        "listened_micros": micros,
        "n_sessions": n_sessions,
        "n_active_days": int(is_active),
        "n_paid_days": int(is_active and is_paid),
        "n_weekend_sessions": n_sessions * ((day + _EPOCH_WEEKDAY) % 7 >= SATURDAY),
        "n_morning_sessions": sum(hour in MORNING_HOURS for hour in hours),
        "n_evening_sessions": sum(hour in EVENING_HOURS for hour in hours),
        "n_level_changes": sum(found[name] for name in LEVEL_CHANGE_COUNTS),
        "n_thumbs": sum(found[name] for name in THUMB_COUNTS),
        "n_hazard_pages": sum(found[name] for name in HAZARD_COUNTS),
    }


def _gaps(days: Sequence[int], rows: Sequence[Mapping[str, int]]) -> dict[str, Ints]:
    """Days since the active date before, on active dates that have one; else 0."""
    gaps = np.zeros(len(days), dtype=np.int64)
    before: int | None = None
    for position, (day, row) in enumerate(zip(days, rows, strict=True)):
        if row["n_active_days"]:
            gaps[position] = 0 if before is None else day - before
            before = day
    has_one = (gaps > 0).astype(np.int64)
    return dict(zip(_GAPS, (gaps, gaps * gaps, has_one), strict=True))


def _profile(events: Sequence[Event]) -> dict[str, Known]:
    found: dict[str, Known] = {}
    for columns in PROFILE_FIELDS.values():
        found |= dict.fromkeys(columns) | _newest(events, columns)
    return found


def _newest(events: Iterable[Event], columns: tuple[str, ...]) -> dict[str, Known]:
    """Values of the newest event that has the first of the columns; empty where none has.

    By time, then by place in the session; the values break what ties are left.
    """
    best = max(
        (
            (event.ts, min(event.item or 0, MAX_ITEM), *(getattr(event, c) for c in columns))
            for event in events
            if getattr(event, columns[0]) is not None
        ),
        default=None,
    )
    return {} if best is None else dict(zip(columns, best[2:], strict=True))
