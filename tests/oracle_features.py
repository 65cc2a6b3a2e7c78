"""The features, read off single events: slow, obvious, without Spark."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from statistics import fmean, pstdev
from typing import Any

from tests.oracles import (
    Event,
    everybody_before,
    listened_micros,
    millis_of,
    newest,
    population_as_of,
    visits,
)

_DAY = 86_400_000
_COUNTED = (
    *("NextSong", "Thumbs Up", "Thumbs Down", "Add Friend", "Add to Playlist", "Roll Advert"),
    *("Home", "Settings", "Save Settings", "Help", "About", "Error", "Upgrade", "Submit Upgrade"),
    *("Downgrade", "Submit Downgrade", "Logout"),
)
_HAZARDS = ("Downgrade", "Settings", "Roll Advert", "Thumbs Down")
_CHANGES = ("Submit Upgrade", "Submit Downgrade")
_TYPICAL_PER_SONG = {
    "downgrades": ("Downgrade", 0.008),
    "settings": ("Settings", 0.007),
    "adverts": ("Roll Advert", 0.018),
    "thumbs_down": ("Thumbs Down", 0.012),
    "thumbs_up": ("Thumbs Up", 0.055),
    "playlist": ("Add to Playlist", 0.029),
    "friends": ("Add Friend", 0.018),
    "home": ("Home", 0.045),
    "help": ("Help", 0.007),
    "about": ("About", 0.004),
    "logouts": ("Logout", 0.014),
}


def features_as_of(
    events: Iterable[Event], as_of: date, active_days: int = 60
) -> dict[str, dict[str, Any]]:
    """User of the population -> the features as of the date."""
    found = list(events)
    return _describe(found, population_as_of(found, as_of, active_days), as_of)


def lifetime_features(events: Iterable[Event], as_of: date) -> dict[str, dict[str, Any]]:
    """Everybody who was ever logged in before the date -> the features as of the date."""
    found = list(events)
    return _describe(found, everybody_before(found, as_of), as_of)


def _describe(
    events: list[Event], users: dict[str, list[Event]], as_of: date
) -> dict[str, dict[str, Any]]:
    log_start = min(event.day for event in events)
    return {
        user: report_features(mine, millis_of(as_of)) | activity_features(mine, as_of, log_start)
        for user, mine in users.items()
    }


def report_features(logged_in: list[Event], as_of_millis: int) -> dict[str, Any]:
    """All of the set `report`, of one user's logged-in events before the date."""
    songs = visits(logged_in, "NextSong")
    sessions = len({event.session_id for event in logged_in})
    registration = newest(logged_in, "registration")
    return {
        "tenure_days": None if registration is None else (as_of_millis - registration) / 86_400_000,
        "total_songs_played": songs,
        "total_listen_time": listened_micros(logged_in) / 1e6,
        "num_thumbs_up": visits(logged_in, "Thumbs Up"),
        "num_thumbs_down": visits(logged_in, "Thumbs Down"),
        "num_sessions": sessions,
        "avg_songs_per_session": songs / sessions,
        "num_friends_added": visits(logged_in, "Add Friend"),
        "num_downgrades": visits(logged_in, "Downgrade"),
        "num_submit_downgrades": visits(logged_in, "Submit Downgrade"),
        "last_subscription_level": newest(logged_in, "level"),
        "gender": newest(logged_in, "gender"),
        "location": newest(logged_in, "location"),
        "os": newest(logged_in, "os"),
        "browser": newest(logged_in, "browser"),
    }


def activity_features(events: Iterable[Event], as_of: date, log_start: date) -> dict[str, Any]:
    """All of it, of one user's logged-in events before the date."""
    mine = [event for event in events if event.is_logged_in and event.day < as_of]
    sessions = _sessions(mine)
    whole = mine
    mine = [event for event in whole if event.page != "Cancel"]
    pages = Counter(event.page for event in mine)
    registered = newest(whole, "registration")
    begin = max(millis_of(log_start), registered if registered is not None else -math.inf)
    exposure = max((millis_of(as_of) - begin) / _DAY, 0.0)
    last = max(event.ts for event in mine)
    level = newest(whole, "level")
    changed = [event.day for event in mine if event.page in _CHANGES]
    found: dict[str, Any] = {"exposure_days": exposure}

    def within(days: int, upto: int = 1) -> list[Event]:
        return [e for e in mine if upto <= (as_of - e.day).days <= days]

    def opened(days: int, upto: int = 1) -> int:
        return sum(upto <= (as_of - event.day).days <= days for event in sessions)

    for days in (1, 3, 7, 14, 28):
        found[f"sessions_{days}d"] = opened(days)
        found[f"songs_{days}d"] = _count(within(days), "NextSong")
    for days in (7, 14, 28):
        found[f"active_days_{days}d"] = len({event.day for event in within(days)})
    for days in (7, 28):
        found[f"listen_hours_{days}d"] = listened_micros(within(days)) / 3.6e9
        found[f"downgrades_{days}d"] = _count(within(days), "Downgrade")
        found[f"adverts_{days}d"] = _count(within(days), "Roll Advert")
        found[f"thumbs_down_{days}d"] = _count(within(days), "Thumbs Down")
    found["settings_28d"] = _count(within(28), "Settings")
    found["page_kinds_28d"] = len({e.page for e in within(28) if e.page in _COUNTED})
    found["sessions_decayed"] = sum(
        opened(7 * week, 7 * week - 6) / 2 ** (week - 1) for week in range(1, 9)
    )
    found["visit_rate"] = 7 * (len(sessions) + 0.2 * 7) / (exposure + 7)
    hazards = sum(pages[page] for page in _HAZARDS)
    found["hazard_pages_a_week"] = 7 * (hazards + 0.6 * 7) / (exposure + 7)
    for name, (page, typical) in _TYPICAL_PER_SONG.items():
        share = (pages[page] + 200 * typical) / (pages["NextSong"] + 200)
        found[f"{name}_per_song"] = 1000 * share
    for of_level in ("free", "paid"):
        found[f"adverts_while_{of_level}"] = found["adverts_per_song"] * (level == of_level)
    thumbs = pages["Thumbs Up"] + pages["Thumbs Down"]
    found["thumbs_up_share"] = (pages["Thumbs Up"] + 8.3) / (thumbs + 10)
    found |= _shares_of_sessions(sessions, mine) | _gaps(mine, as_of, last)
    found["hours_since_last_event"] = (millis_of(as_of) - last) / 3_600_000
    days = sorted({event.day for event in mine})
    of_day: dict[date, list[Event]] = defaultdict(list)
    for event in whole:
        of_day[event.day].append(event)
    paid = [newest(of_day[day], "level") == "paid" for day in days]
    found["paid_share"] = fmean(paid)
    found["level_changes"] = len(changed)
    found["days_since_level_change"] = float((as_of - max(changed)).days) if changed else None
    weeks = [(7 * week, 7 * week - 6) for week in range(1, 5)]
    found |= _movement("sessions", [opened(*week) for week in weeks])
    found |= _movement("songs", [_count(within(*week), "NextSong") for week in weeks])
    for days in (7, 14, 28):
        rate = (len(sessions) - opened(days) + 1.4) / (max(exposure - days, 0.0) + 7)
        surprise = (opened(days) - days * rate) / math.sqrt(days * rate + 0.5)
        found[f"sessions_surprise_{days}d"] = surprise
    since = (millis_of(as_of) - last) / _DAY
    found["missed_sessions"] = since * (len(sessions) + 1.4) / (exposure + 7)
    age = None if registered is None else (millis_of(as_of) - registered) / _DAY
    found["billing_day"] = None if age is None else age % 30
    found |= _billing_ahead(as_of, registered)
    found |= {
        f"own_pace_{days}d": _own_pace(opened(days), len(sessions), days, exposure)
        for days in (14, 28)
    }
    found |= {
        f"slowdown_{days}d": _slowdown(opened(days), len(sessions), days, exposure)
        for days in (7, 14, 21, 28, 42)
    }
    before = max(exposure - since, 0.0) + 7
    found["pause_log_survival"] = -(len(sessions) + 1.4) * math.log(1 + since / before)
    for name, page in (("thumbs_down", "Thumbs Down"), ("thumbs_up", "Thumbs Up")):
        found[f"{name}_trend"] = _trend([_count(within(*week), page) for week in weeks])
    return found


def _billing_ahead(as_of: date, registered: int | None) -> dict[str, float | None]:
    """Counted date by date."""
    if registered is None:
        return {"days_to_billing": None, "billing_days_ahead": None}
    first = (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=registered)).date()
    coming = [((as_of - first).days + day) % 30 for day in range(31)]
    return {
        "days_to_billing": coming.index(0),
        "billing_days_ahead": sum(day < 3 for day in coming[1:15]),
    }


def _own_pace(recent: int, all_of_them: int, days: int, exposure: float) -> float:
    lately = min(days, exposure)
    rate = (all_of_them - recent + 1.4) / (exposure - lately + 7)
    return (recent + 1) / (rate * lately + 1)


def _slowdown(recent: int, all_of_them: int, days: int, exposure: float) -> float:
    """By the gamma integrals of both: a rate for all days, and half of it for the last ones."""
    lately, shape = min(days, exposure), all_of_them + 1.4
    as_before = -shape * math.log(7 + exposure)
    slower = -recent * math.log(2) - shape * math.log(7 + exposure - lately + lately / 2)
    return slower - as_before


def _sessions(mine: list[Event]) -> list[Event]:
    """The first event of each session."""
    first: dict[int, Event] = {}
    for event in sorted(mine, key=lambda e: e.ts):
        first.setdefault(event.session_id, event)
    return list(first.values())


def _count(events: Iterable[Event], page: str) -> int:
    return sum(event.page == page for event in events)


def _opening_hours(sessions: list[Event], mine: list[Event]) -> list[int]:
    """Hour of each session's first event on its first date; Cancel alone has none."""
    first: dict[tuple[int, date], int] = {}
    for event in mine:
        of_date = (event.session_id, event.day)
        first[of_date] = min(event.ts, first.get(of_date, event.ts))
    opened = [first.get((session.session_id, session.day)) for session in sessions]
    return [stamp // 3_600_000 % 24 for stamp in opened if stamp is not None]


def _shares_of_sessions(sessions: list[Event], mine: list[Event]) -> dict[str, float]:
    n = len(sessions)
    hours = _opening_hours(sessions, mine)
    return {
        "weekend_share": (sum(e.day.weekday() >= 5 for e in sessions) + 1.0) / (n + 5),
        "morning_share": (sum(4 <= hour < 12 for hour in hours) + 1.25) / (n + 5),
        "evening_share": (sum(hour >= 20 or hour < 4 for hour in hours) + 1.75) / (n + 5),
    }


def _gaps(mine: list[Event], as_of: date, last: int) -> dict[str, float | None]:
    days = sorted({event.day for event in mine})
    gaps = [(b - a) // timedelta(days=1) for a, b in pairwise(days)]
    since = (millis_of(as_of) - last) / _DAY
    return {
        "mean_gap_days": fmean(gaps) if gaps else None,
        "gap_spread_days": pstdev(gaps) if gaps else None,
        "longest_gap_days": max(gaps) if gaps else None,
        "relative_gap": since / (fmean(gaps) + 1) if gaps else None,
    }


def _trend(weeks: list[int]) -> float:
    return (weeks[0] + 1) / (fmean(weeks[1:]) + 1)


def _movement(name: str, weeks: list[int]) -> dict[str, float]:
    times = [1.5, 0.5, -0.5, -1.5]
    return {
        f"{name}_trend": _trend(weeks),
        f"{name}_slope": sum(t * n for t, n in zip(times, weeks, strict=True)) / 5,
        f"{name}_spread": pstdev(weeks) / (fmean(weeks) + 1),
        **{f"{name}_week_{number}": weeks[number - 1] for number in (2, 3, 4)},
    }
