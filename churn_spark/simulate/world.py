"""One simulated event log, from its settings to its files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np

from churn_spark.errors import InputError
from churn_spark.simulate.catalogue import build_catalogue
from churn_spark.simulate.chains import simulate_lives
from churn_spark.simulate.logs import EVENT_FILE, day_folder, write_events, write_truth
from churn_spark.simulate.pages import CONTEXTS, PAGES, state_of
from churn_spark.simulate.population import DAY_S, Population, build_population
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.steps import Events, Ints

# Long enough that the log opens in the middle of sessions, as a real one does.
_WARM_UP_S: Final = 2 * DAY_S
_GONE: Final = [
    state_of("Cancelled", level, "Cancellation Confirmation") for level in ("free", "paid")
]


@dataclass(frozen=True)
class SimulationFacts:
    """What was written.

    Attributes:
        users: users in the ground truth.
        users_seen: those of them that the log has an event with a userId of.
        events: lines.
        cancels: users who cancelled.
        days: days that have events.
        folder: where the log is; `events/` and `truth/` are within.
    """

    users: int
    users_seen: int
    events: int
    cancels: int
    days: int
    folder: Path

    def describe(self) -> str:
        """One line for people."""
        return (
            f"{self.users:,} users ({self.users_seen:,} seen), {self.events:,} events, "
            f"{self.cancels:,} cancels, {self.days} days in {self.folder}"
        )


def number_sessions(events: Events, population: Population) -> Ints:
    """Give each event its sessionId: a running number of its persona's sessions.

    The counters of the personas run apart, so that users share ids, as in the real log.

    Returns:
        Session ids from 1, shape (events,).

    Raises:
        Nothing: every event has a session.
    """
    session_ids = np.zeros(len(events.ts), dtype=np.int64)
    persona_of_event = population.persona[events.user]
    for persona in np.unique(persona_of_event).tolist():
        rows = np.flatnonzero(persona_of_event == persona)
        sessions = events.user[rows] * (int(events.session.max()) + 1) + events.session[rows]
        _, firsts, inverse = np.unique(sessions, return_index=True, return_inverse=True)
        session_ids[rows] = (np.argsort(np.argsort(firsts)) + 1)[inverse]
    return session_ids


def _check_folder(settings: SimulationSettings, out: Path) -> None:
    """Refuse a folder in which this log would lie among the days of another.

    Raises:
        InputError: if `out` can't be made a folder or has days outside the settings.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InputError(
            f"found {out}, where no folder can be made ({exc.strerror}), expected a folder to "
            "write to: choose another one"
        ) from exc
    last = settings.start + timedelta(days=settings.days - 1)
    expected = {(settings.start + timedelta(days=day)).isoformat() for day in range(settings.days)}
    present = {path.name for path in (out / "events").glob("[!.]*")}
    if strangers := sorted(present - expected):
        raise InputError(
            f"found {strangers[0]} in {out / 'events'}, expected only days from "
            f"{settings.start} to {last}: choose another folder or delete this one"
        )


def _truth_columns(events: Events, users: int) -> tuple[Ints, Ints, Ints]:
    """Count events and sessions and find the cancellation (epoch s or -1) of each user."""
    n_events = np.bincount(events.user, minlength=users)
    pairs = np.unique(np.stack([events.user, events.session]), axis=1)
    n_sessions = np.bincount(pairs[0], minlength=users)
    cancelled = np.full(users, -1, dtype=np.int64)
    gone = events.take(np.isin(events.state, _GONE))
    cancelled[gone.user] = gone.ts
    return n_events, n_sessions, cancelled


def _users_seen(events: Events) -> int:
    """Count users that have an event with a userId."""
    has_id = np.array([auth in ("Logged In", "Cancelled") for auth, _ in CONTEXTS])
    return len(np.unique(events.user[has_id[events.state // len(PAGES)]]))


def simulate_log(settings: SimulationSettings, out: Path) -> SimulationFacts:
    """Simulate a log and write `out/events/YYYY-MM-DD/` and `out/truth/users.parquet`.

    The same settings give the same bytes. Files of an earlier run are replaced one by one;
    no file is ever seen half written.

    Raises:
        InputError: if `out` isn't a folder or holds days of another log.
        OSError: if a file can't be written.
    """
    _check_folder(settings, out)
    population = build_population(
        settings.users, settings.seed, settings.start_ts, settings.days, _WARM_UP_S
    )
    catalogue = build_catalogue()
    lived = simulate_lives(population, catalogue, settings.seed, settings.start_ts, settings.end_ts)
    is_logged = lived.ts >= settings.start_ts
    events = lived.take(is_logged)
    session_ids = number_sessions(lived, population)[is_logged]
    days = write_events(out, population, catalogue, events, session_ids)
    for number in range(settings.days):
        day = settings.start + timedelta(days=number)
        if day not in days:
            (day_folder(out, day) / EVENT_FILE).unlink(missing_ok=True)
    n_events, n_sessions, cancelled = _truth_columns(events, settings.users)
    write_truth(out, population, n_events, n_sessions, cancelled)
    return SimulationFacts(
        users=settings.users,
        users_seen=_users_seen(events),
        events=len(events.ts),
        cancels=int((cancelled >= 0).sum()),
        days=len(days),
        folder=out,
    )
