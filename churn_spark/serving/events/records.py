"""JSON records -> events of one user, and an account of the records that are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from churn_spark.config import IngestConfig
from churn_spark.contracts.pages import LOGGED_IN
from churn_spark.events.foreign.record import Translator, cut_marker
from churn_spark.events.rules import (
    ANONYMOUS_IDS,
    BROKEN_JSON,
    BROWSER_RULES,
    HASHED_NUMBERS,
    LINE_TOO_LONG,
    MAX_COUNT,
    MAX_END_MILLIS,
    MAX_SONG_SECONDS,
    MISSING_PAGE,
    MISSING_SESSION,
    MISSING_TS,
    MISSPELT_KEY,
    NUMBER_OUT_OF_RANGE,
    NUMBERS,
    OS_RULES,
    TEXTS,
    TS_IN_SECONDS,
    TS_OUT_OF_RANGE,
    WHITE_SPACE,
    WRONG_TYPE,
)
from churn_spark.events.values import family_of, number_of, other_spellings, state_of, text_of
from churn_spark.timeline import MILLIS_PER_DAY, day_start_millis

ANONYMOUS: Final = "anonymous"
DUPLICATE: Final = "duplicate"


@dataclass(frozen=True)
class Event:
    """One event as the ingest would keep it.

    Attributes:
        ts: milliseconds since the epoch.
        user_id: without white space around it.
        session_id: unique together with the user; of a log without sessions the minutes of
            silence that part them, negative.
        item: place in the session; None where it wasn't told.
        page: what was visited.
        auth: `Logged In`, `Cancelled` or another; None where it wasn't told, as all below.
        level: `free` or `paid`.
        song_seconds: length of the song.
        registered_ts: milliseconds since the epoch.
        gender: as given at registration.
        location: state code.
        os: operating system of the user agent.
        browser: of the user agent.
        subscribed_until_ts: milliseconds since the epoch.
        record: `HASHED_NUMBERS` and then `TEXTS`: equal ones are the same event.
    """

    ts: int
    user_id: str
    session_id: int
    item: int | None
    page: str
    auth: str | None
    level: str | None
    song_seconds: float | None
    registered_ts: int | None
    gender: str | None
    location: str | None
    os: str | None
    browser: str | None
    subscribed_until_ts: int | None
    record: tuple[float | str | None, ...]

    @property
    def is_logged_in(self) -> bool:
        """Whether it counts as something that the user did."""
        return self.auth == LOGGED_IN

    @property
    def day(self) -> int:
        """Number of its UTC date, days since the epoch."""
        return self.ts // MILLIS_PER_DAY


@dataclass(frozen=True)
class Reading:
    """What became of some records.

    Attributes:
        events: those of known users, each once, in the order of the request, with the latest end
            of its subscription.
        left_out: position of every other record -> `ANONYMOUS`, `DUPLICATE` or the reason for
            which the ingest would quarantine it.
    """

    events: Sequence[Event]
    left_out: Mapping[int, str]


def read_records(records: Iterable[object], config: IngestConfig) -> Reading:
    """Sort records as the ingest sorts lines; the rules and their order are `events.rules`'."""
    rules = _Rules.of(config)
    events: dict[tuple[float | str | None, ...], Event] = {}
    left_out: dict[int, str] = {}
    for position, record in enumerate(records):
        found = rules.read(record)
        if isinstance(found, str):
            left_out[position] = found
        elif known := events.get(found.record):
            left_out[position] = DUPLICATE
            events[found.record] = max(known, found, key=_end)
        else:
            events[found.record] = found
    return Reading([*events.values()], left_out)


def _end(event: Event) -> int:
    return -1 if event.subscribed_until_ts is None else event.subscribed_until_ts


@dataclass(frozen=True)
class _Rules:
    """The configured limits, prepared for one record after the other."""

    earliest: int
    latest: int
    anonymous_ids: frozenset[str]
    max_bytes: int
    translator: Translator | None
    session: int | None

    @classmethod
    def of(cls, config: IngestConfig) -> _Rules:
        return cls(
            day_start_millis(config.earliest),
            day_start_millis(config.latest),
            frozenset((*ANONYMOUS_IDS, *config.anonymous_user_ids)),
            config.max_line_bytes,
            Translator(config.mapping) if config.mapping else None,
            cut_marker(config.mapping.session) if config.mapping else None,
        )

    def read(self, record: object) -> Event | str:
        """The event of a record, or what else it is."""
        if not isinstance(record, Mapping):
            return BROKEN_JSON
        # A record comes without the bytes of its line; its texts alone may be too many.
        if sum(len(text) for text in record.values() if isinstance(text, str)) > self.max_bytes:
            return LINE_TOO_LONG
        if self.translator:
            record = self.translator.translate(record)
        try:
            numbers = {name: number_of(record.get(name)) for name in NUMBERS}
            texts = {name: text_of(name, record.get(name)) for name in TEXTS}
        except TypeError:
            return WRONG_TYPE
        user_id = (texts["userId"] or "").strip(WHITE_SPACE)
        is_anonymous = user_id in self.anonymous_ids
        reason = self._reason(numbers, texts["page"], is_anonymous=is_anonymous)
        is_nobodys = is_anonymous and not reason and texts["userId"] is None
        lacks_field = is_nobodys or reason in (MISSING_TS, MISSING_PAGE, MISSING_SESSION)
        if lacks_field and other_spellings(record):
            return MISSPELT_KEY
        if reason or is_anonymous:
            return reason or ANONYMOUS
        event = _event(user_id, numbers, texts)
        return event if self.session is None else replace(event, session_id=self.session)

    def _reason(
        self, numbers: Mapping[str, float | None], page: str | None, *, is_anonymous: bool
    ) -> str:
        """Why it can't be an event; empty if it can."""
        ts = numbers["ts"]
        if ts is None:
            return MISSING_TS
        if not (page or "").strip(WHITE_SPACE):
            return MISSING_PAGE
        if self.earliest <= ts * 1000 <= self.latest:
            return TS_IN_SECONDS
        if not self.earliest <= ts <= self.latest:
            return TS_OUT_OF_RANGE
        if _is_wild(numbers, self.latest):
            return NUMBER_OUT_OF_RANGE
        if not is_anonymous and numbers["sessionId"] is None:
            return MISSING_SESSION
        return ""


def _is_wild(numbers: Mapping[str, float | None], latest: int) -> bool:
    limits = {"registration": latest, "length": MAX_SONG_SECONDS, "subscribedUntil": MAX_END_MILLIS}
    for name in (*limits, "sessionId", "itemInSession"):
        value = numbers[name]
        if value is None:
            continue
        if not 0 <= value <= limits.get(name, MAX_COUNT):
            return True
        if name not in limits and not value.is_integer():
            return True
    return False


def _event(
    user_id: str, numbers: Mapping[str, float | None], texts: Mapping[str, str | None]
) -> Event:
    ts, session, page = numbers["ts"], numbers["sessionId"], texts["page"]
    assert ts is not None
    assert session is not None
    assert page is not None
    return Event(
        ts=int(ts),
        user_id=user_id,
        session_id=int(session),
        item=_whole(numbers["itemInSession"]),
        page=page,
        auth=texts["auth"],
        level=texts["level"],
        song_seconds=numbers["length"],
        registered_ts=_whole(numbers["registration"]),
        gender=texts["gender"],
        location=state_of(texts["location"]),
        os=family_of(texts["userAgent"], OS_RULES),
        browser=family_of(texts["userAgent"], BROWSER_RULES),
        subscribed_until_ts=_whole(numbers["subscribedUntil"]),
        record=(*(numbers[name] for name in HASHED_NUMBERS), *texts.values()),
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def shown_reasons(reading: Reading, limit: int) -> list[dict[str, Any]]:
    """The first of the records that the ingest would quarantine, each with its reason."""
    bad = {at: why for at, why in reading.left_out.items() if why not in (ANONYMOUS, DUPLICATE)}
    return [{"event": at, "problem": why} for at, why in list(bad.items())[:limit]]
