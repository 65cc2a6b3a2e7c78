"""Slow, obvious answers in plain Python: from raw records to features and labels.

Written from the definitions, not from the Spark code. Each function loops over all events again;
nothing is shared between dates, users or features, so that nothing can go wrong together.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

_DAY_MILLIS = 86_400_000
_NUMBERS = ("ts", "sessionId", "itemInSession", "status", "registration", "length")
_TEXTS = (
    *("userId", "page", "auth", "method", "level", "location", "userAgent", "gender"),
    *("lastName", "firstName", "artist", "song"),
)
_OS = {
    r"iPhone|iPad|iPod": "iOS",
    r"Android": "Android",
    r"Windows": "Windows",
    r"Macintosh|Mac OS X": "macOS",
    r"CrOS": "ChromeOS",
    r"Linux|X11": "Linux",
}
_BROWSER = {
    r"Edg(e|A|iOS)?/": "Edge",
    r"OPR/|Opera": "Opera",
    r"MSIE|Trident": "Internet Explorer",
    r"Firefox|FxiOS": "Firefox",
    r"Chrome|CriOS": "Chrome",
    r"Safari|AppleWebKit": "Safari",
}


@dataclass(frozen=True)
class Event:
    """One accepted event of a known user."""

    ts: int
    user_id: str
    session_id: int
    item: int
    page: str
    auth: str | None
    level: str | None
    length: float | None
    registration: int | None
    subscribed_until: int | None
    gender: str | None
    location: str | None
    os: str | None
    browser: str | None

    @property
    def is_logged_in(self) -> bool:
        return self.auth == "Logged In"

    @cached_property
    def day(self) -> date:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self.ts)).date()


@dataclass(frozen=True)
class Label:
    """A horizon label: `value` is None while unknown, and for a cancellation in the gap."""

    value: int | None
    is_known: bool
    is_gap_cancel: bool


def read_records(path: Path) -> list[dict[str, Any]]:
    """The records of a file of JSON lines, plain or gzip, or of all files in a folder."""
    if path.is_dir():
        return [one for file in sorted(path.iterdir()) for one in read_records(file)]
    raw = path.read_bytes()
    content = gzip.decompress(raw) if path.suffix == ".gz" else raw
    return [json.loads(line) for line in content.decode().split("\n") if line.strip()]


def accept_events(
    records: Iterable[Mapping[str, Any]], anonymous_user_ids: Collection[str] = ("1261737",)
) -> list[Event]:
    """The events of known users; records that are equal in all fields count once."""
    accepted = []
    seen = set()
    for record in records:
        everything = fields_of(record)
        if everything in seen:
            continue
        seen.add(everything)
        user_id = "" if record.get("userId") is None else str(record["userId"]).strip()
        if user_id in ("", '""') or user_id in anonymous_user_ids:
            continue
        if record.get("ts") is None or not str(record.get("page") or "").strip():
            continue
        if record.get("sessionId") is None:
            continue
        accepted.append(_event(user_id, record))
    return accepted


def fields_of(record: Mapping[str, Any]) -> tuple[Any, ...]:
    """All fields of a record, however they are written: equal means the same event."""
    numbers = [None if record.get(k) is None else float(record[k]) for k in _NUMBERS]
    texts = [None if record.get(k) is None else str(record[k]) for k in _TEXTS]
    return (*numbers, *texts)


def population_as_of(
    events: Iterable[Event], as_of: date, active_days: int = 60
) -> dict[str, list[Event]]:
    """User of the population -> logged-in events before the date."""
    start_of_day = millis_of(as_of)
    past = [event for event in events if event.ts < start_of_day]
    result = {}
    for user_id, of_user in _by_user(past).items():
        logged_in = [event for event in of_user if event.is_logged_in]
        has_cancelled = any(event.page == "Cancellation Confirmation" for event in of_user)
        is_active = any(e.ts >= start_of_day - active_days * _DAY_MILLIS for e in logged_in)
        if is_active and not has_cancelled:
            result[user_id] = logged_in
    return result


def everybody_before(events: Iterable[Event], as_of: date) -> dict[str, list[Event]]:
    """Everybody who was ever logged in before the date -> logged-in events before it."""
    past = [event for event in events if event.ts < millis_of(as_of) and event.is_logged_in]
    return _by_user(past)


def horizon_label(
    events: Iterable[Event], user_id: str, as_of: date, days: int, gap_days: int, log_end: date
) -> Label:
    """Whether the user's first cancellation is in `[D + gap, D + gap + days)`.

    Nothing is told of who has cancelled before D or in the gap.
    """
    start = millis_of(as_of) + gap_days * _DAY_MILLIS
    end = start + days * _DAY_MILLIS
    is_known = millis_of(log_end) >= end
    cancel = first_cancel(events, user_id)
    if cancel is not None and millis_of(as_of) <= cancel < start:
        return Label(None, is_known, True)
    if not is_known or (cancel is not None and cancel < millis_of(as_of)):
        return Label(None, is_known, False)
    return Label(int(cancel is not None and start <= cancel < end), True, False)


def lifetime_label(events: Iterable[Event], user_id: str, as_of: date) -> int:
    """1 if the user cancelled before the date."""
    cancel = first_cancel(events, user_id)
    return int(cancel is not None and cancel < millis_of(as_of))


def first_cancel(events: Iterable[Event], user_id: str) -> int | None:
    """Milliseconds of the user's first confirmation of a cancellation."""
    cancels = [
        event.ts
        for event in events
        if event.user_id == user_id and event.page == "Cancellation Confirmation"
    ]
    return min(cancels, default=None)


def session_day(
    events: Iterable[Event], user_id: str, session_id: int, day: date, pages: Mapping[str, str]
) -> dict[str, Any]:
    """What one session of a user did on one date; `pages` maps a count's name to its page."""
    rows = [
        event
        for event in events
        if event.user_id == user_id and event.session_id == session_id and event.day == day
    ]
    logged_in = [event for event in rows if event.is_logged_in]
    stamps = [event.ts for event in logged_in if event.page != "Cancel"]
    cancels = [event.ts for event in rows if event.page == "Cancellation Confirmation"]
    counts = {name: visits(logged_in, page) for name, page in pages.items()}
    return {
        "n_events": len(logged_in),
        **counts,
        "n_other_pages": len(logged_in) - sum(counts.values()),
        "listened_micros": listened_micros(logged_in),
        "first_ts": min(stamps, default=None),
        "last_ts": max(stamps, default=None),
        "level": newest(logged_in, "level"),
        "gender": newest(logged_in, "gender"),
        "location": newest(logged_in, "location"),
        "os": newest(logged_in, "os"),
        "browser": newest(logged_in, "browser"),
        "registered_ts": newest(logged_in, "registration"),
        "subscribed_until_ts": newest(logged_in, "subscribed_until"),
        "cancel_ts": min(cancels, default=None),
    }


def transitions(events: Iterable[Event]) -> dict[tuple[Any, ...], tuple[int, int]]:
    """(user, date, level, page, next page) -> count and milliseconds, as the table defines them."""
    counted: dict[tuple[Any, ...], tuple[int, int]] = {}
    visits: dict[tuple[str, int], list[Event]] = {}
    for event in events:
        if event.auth in ("Logged In", "Cancelled") or event.page == "Cancellation Confirmation":
            visits.setdefault((event.user_id, event.session_id), []).append(event)

    def count(event: Event, page: str, next_page: str, millis: int, known: int) -> None:
        if event.level in ("free", "paid"):
            day = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=known)).date()
            key = (event.user_id, day, event.level, page, next_page)
            n, total = counted.get(key, (0, 0))
            counted[key] = (n + 1, total + millis)

    for rows in visits.values():
        rows.sort(key=lambda event: (event.ts, event.item, event.page))
        for number, event in enumerate(rows):
            if number == 0 or event.ts - rows[number - 1].ts > 3_600_000:
                count(event, "START", event.page, 0, event.ts)
            after = rows[number + 1] if number + 1 < len(rows) else None
            if event.page == "Cancellation Confirmation":
                continue
            if after is not None and after.ts - event.ts <= 3_600_000:
                count(event, event.page, after.page, after.ts - event.ts, after.ts)
            else:
                count(event, event.page, "END", 0, event.ts + 3_600_000)
    return counted


def millis_of(day: date) -> int:
    """Milliseconds since the epoch at which the UTC date begins."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def os_of(agent: str | None) -> str | None:
    """Operating system of a user agent."""
    return _family(agent, _OS)


def browser_of(agent: str | None) -> str | None:
    """Browser of a user agent."""
    return _family(agent, _BROWSER)


def state_of(location: str | None) -> str | None:
    """The text behind the last comma, up to the first `-`."""
    if location is None:
        return None
    return location.split(",")[-1].strip().split("-")[0].strip() or None


def _event(user_id: str, record: Mapping[str, Any]) -> Event:
    registration, until = record.get("registration"), record.get("subscribedUntil")
    return Event(
        ts=int(record["ts"]),
        user_id=user_id,
        session_id=int(record["sessionId"]),
        item=int(record.get("itemInSession") or 0),
        page=record["page"],
        auth=record.get("auth"),
        level=record.get("level"),
        length=record.get("length"),
        registration=None if registration is None else int(registration),
        subscribed_until=None if until is None else int(until),
        gender=record.get("gender"),
        location=state_of(record.get("location")),
        os=os_of(record.get("userAgent")),
        browser=browser_of(record.get("userAgent")),
    )


def _by_user(events: Iterable[Event]) -> dict[str, list[Event]]:
    users: dict[str, list[Event]] = {}
    for event in events:
        users.setdefault(event.user_id, []).append(event)
    return users


def visits(events: Iterable[Event], page: str) -> int:
    return sum(event.page == page for event in events)


def listened_micros(events: Iterable[Event]) -> int:
    return sum(
        round(event.length * 1e6)
        for event in events
        if event.page == "NextSong" and event.length is not None
    )


def newest(events: Iterable[Event], field: str) -> Any:
    """The field at the newest event that has it; ties by item, then the largest value.

    Operating system and browser come from the same event, so they break ties as a pair.
    """
    best = None
    for event in events:
        value = getattr(event, field)
        if value is None:
            continue
        tie_break = (event.os, event.browser) if field in ("os", "browser") else (value,)
        order = (event.ts, event.item, tie_break)
        if best is None or order > best[0]:
            best = (order, value)
    return best[1] if best else None


def _family(agent: str | None, families: Mapping[str, str]) -> str | None:
    if agent is None or not agent.strip():
        return None
    for pattern, name in families.items():
        if re.search(pattern, agent):
            return name
    return "other"
