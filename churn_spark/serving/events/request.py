"""What `POST /predict/events` takes and refuses: one user's events, and the date to look from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from churn_spark.config import ServiceConfig, ServingConfig, SnapshotsConfig
from churn_spark.contracts.pages import PAID, Page
from churn_spark.errors import RequestError
from churn_spark.events.rules import NUMBERS, TEXTS
from churn_spark.events.values import parse_json
from churn_spark.serving.contract import problems_of
from churn_spark.serving.events.days import newest_end, newest_level
from churn_spark.serving.events.records import (
    ANONYMOUS,
    DUPLICATE,
    Event,
    Reading,
    read_records,
    shown_reasons,
)
from churn_spark.serving.events.silence import cut_by_silence
from churn_spark.serving.json_rows import cut_rows
from churn_spark.timeline import (
    MILLIS_PER_DAY,
    Horizon,
    day_number,
    day_of_number,
    day_start_millis,
)

_SHOWN_PROBLEMS: Final = 20
_SHOWN_USERS: Final = 3


def _iso_date(value: object) -> object:
    # pydantic would also take a number of seconds for a date.
    if isinstance(value, str) and len(value) == len("2018-11-30"):
        return value
    raise PydanticCustomError("iso_date", "Input should be a date as YYYY-MM-DD")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    as_of: Annotated[date, BeforeValidator(_iso_date)]
    events: list[Any]


_BEGINNING: Final = 20
_EXPECTED: Final = 'the body doesn\'t fit: expected {"as_of": "YYYY-MM-DD", "events": [...]}'


@dataclass(frozen=True)
class UserEvents:
    """The usable events of a request.

    Attributes:
        as_of: the date to look from.
        user_id: whose they are.
        events: of that user before the date, each once.
        account: what became of the records; its numbers add up to those received.
    """

    as_of: date
    user_id: str
    events: Sequence[Event]
    account: dict[str, Any]


def parse_events(
    body: bytes, config: ServiceConfig, out_of_place: Collection[date] = ()
) -> UserEvents:
    """The events of a body, cleaned as the ingest does it, of a user of the population.

    Args:
        body: of the request.
        config: of the service.
        out_of_place: dates of wrong clocks in the log, whose events no feature counts.

    Raises:
        RequestError: if the body doesn't fit, has too many events, or if they aren't those of one
            user who is in the population as of the date.
    """
    as_of, rows = _cut_body(body, config.serving)
    reading = read_records(map(_record_of, rows), config.ingest)
    user_id = _only_user(reading)
    start = day_start_millis(as_of)
    before = [event for event in reading.events if event.ts < start]
    wrong = {day_number(day) for day in out_of_place}
    seen = [event for event in before if event.day not in wrong]
    n_out_of_place = len(before) - len(seen)
    if config.ingest.mapping and config.ingest.mapping.session.column is None:
        seen = cut_by_silence(seen)
    account = _account(reading, len(rows), len(seen), n_out_of_place)
    if user_id is None or not seen:
        raise RequestError(
            f"no usable event before {as_of} ({_describe(account)}), expected one at least: "
            "send the events of one known user, their ts in milliseconds",
            422,
            account["problems"],
        )
    _check_population(seen, as_of, config.snapshots)
    if config.labels.ending:
        _check_end(seen, as_of, config.labels.ending)
    return UserEvents(as_of, user_id, seen, account)


def _cut_body(body: bytes, config: ServingConfig) -> tuple[date, Sequence[bytes]]:
    """The date, and the records as they were sent: they are read one after the other."""
    advice = "raise serving.max_events, or send the user's features to /predict"
    cut = cut_rows(body, "events", config.max_events, config.max_row_bytes, advice)
    # A body that can't be cut is no object; what else it is can be read off its beginning.
    members = dict(cut.others) if cut else {}
    if cut and cut.rows is not None:
        members["events"] = b"[]"
    text = b", ".join(b'"%s": %s' % (name.encode(), value) for name, value in members.items())
    try:
        is_object = cut is not None and body.lstrip().startswith(b"{")
        asked = _Body.model_validate_json(b"{%s}" % text if is_object else body[:_BEGINNING])
    except ValidationError as error:
        problems = problems_of(error, unknown="no such field")
        raise RequestError(_EXPECTED, 422, problems) from None
    assert cut
    assert cut.rows is not None
    return asked.as_of, cut.rows


def _record_of(row: bytes) -> object:
    """A record, each key with the first value it has, as the ingest reads it."""
    try:
        return parse_json(row.decode())
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is no JSON: {error}") from None


def _only_user(reading: Reading) -> str | None:
    """The one user of all usable events; None where there is no such event."""
    users = list(dict.fromkeys(event.user_id for event in reading.events))
    if len(users) > 1:
        named = ", ".join(repr(user) for user in users[:_SHOWN_USERS])
        more = ", ..." if len(users) > _SHOWN_USERS else ""
        raise RequestError(
            f"found events of {len(users):,} users ({named}{more}), expected those of one: send a "
            "request for each user"
        )
    return users[0] if users else None


def _check_population(events: Sequence[Event], as_of: date, config: SnapshotsConfig) -> None:
    """Refuse whom no snapshot of the date would have."""
    active_days = config.active_days
    cancelled = [event.day for event in events if event.page == Page.CANCELLATION_CONFIRMATION]
    if cancelled:
        raise RequestError(
            f"the user cancelled on {day_of_number(min(cancelled))}, before {as_of}; expected one "
            "who had not: ask as of an earlier date"
        )
    newest = max((event.day for event in events if event.is_logged_in), default=None)
    if newest is None or newest < day_number(as_of) - active_days:
        before = "none before that" if newest is None else f"the last on {day_of_number(newest)}"
        raise RequestError(
            f"found no logged-in event in the {active_days} days before {as_of} ({before}), "
            "expected one: who is away for so long is not in the population "
            "(snapshots.active_days); ask as of an earlier date"
        )
    if config.is_only_paid and (level := newest_level(events)) != PAID:
        raise RequestError(
            f"found the level {level} before {as_of}, expected {PAID}: nobody else is in the "
            "population (snapshots.audience)"
        )


def _check_end(events: Sequence[Event], as_of: date, ending: Horizon) -> None:
    """Refuse whose subscription doesn't run out in the window that is predicted."""
    first, last = (as_of + timedelta(days=n) for n in (ending.gap_days, ending.last_day))
    end = newest_end(events)
    found = None if end is None else day_of_number(end // MILLIS_PER_DAY)
    if found is None or not first <= found <= last:
        told = "no end of the subscription" if found is None else f"one that ends on {found}"
        raise RequestError(
            f"found {told}, expected one from {first} to {last}: nobody else is asked for then "
            "(labels.churn lapse)"
        )


def _account(reading: Reading, n_received: int, n_seen: int, n_out_of_place: int) -> dict[str, Any]:
    kinds = Counter(reading.left_out.values())
    anonymous, duplicates = kinds.pop(ANONYMOUS, 0), kinds.pop(DUPLICATE, 0)
    return {
        "n_received": n_received,
        "n_used": n_seen,
        "n_not_before_as_of": len(reading.events) - n_seen - n_out_of_place,
        "n_out_of_place": n_out_of_place,
        "n_duplicates": duplicates,
        "n_anonymous": anonymous,
        "n_invalid": sum(kinds.values()),
        "problems": shown_reasons(reading, _SHOWN_PROBLEMS),
    }


def _describe(account: dict[str, Any]) -> str:
    """`4 received, 3 anonymous, 1 invalid`."""
    counts = {name.removeprefix("n_").replace("_", " "): n for name, n in account.items()}
    del counts["problems"]
    return ", ".join(f"{n:,} {name}" for name, n in counts.items() if n or name == "received")


_MEANINGS: Final = {
    "ts": "milliseconds since the epoch",
    "userId": "text or number; the same in all events",
    "sessionId": "unique together with the user",
    "itemInSession": "place in the session",
    "page": "what was visited",
    "auth": "Logged In, Logged Out or Cancelled",
    "level": "free or paid",
    "length": "of the song, seconds",
    "registration": "milliseconds since the epoch",
    "subscribedUntil": "end of the subscription, milliseconds since the epoch",
    "gender": "F or M",
    "location": "cities and states, `Boston, MA-NH`",
    "userAgent": "of the browser or device",
}
_EVENT: Final[dict[str, Any]] = {
    "ts": 1543532400000,
    "userId": "7",
    "sessionId": 29,
    "itemInSession": 3,
    "page": Page.NEXT_SONG.value,
    "auth": "Logged In",
    "level": "paid",
    "length": 277.9,
    "registration": 1537000000000,
    "gender": "F",
    "location": "Boston-Cambridge-Newton, MA-NH",
    "userAgent": "Mozilla/5.0 (Windows NT 6.1; WOW64; rv:31.0) Gecko/20100101 Firefox/31.0",
    "artist": "The Sums",
    "song": "Carry",
    "method": "PUT",
    "status": 200,
}
EXAMPLE: Final[dict[str, Any]] = {
    "as_of": "2018-11-30",
    "events": [
        {**_EVENT, "ts": _EVENT["ts"] - 240_000, "itemInSession": 2, "page": Page.HOME.value},
        _EVENT,
    ],
}


def describe_request(max_events: int) -> dict[str, Any]:
    """The JSON schema of the body."""
    fields = {
        name: {
            "type": [kind, "null"],
            **({"description": _MEANINGS[name]} if name in _MEANINGS else {}),
        }
        for names, kind in ((NUMBERS, "number"), (TEXTS, "string"))
        for name in names
    }
    fields["userId"]["type"] = ["string", "integer", "null"]
    record = {
        "type": "object",
        "properties": fields,
        "description": "a record of the JSON logs; one that is no event is left out, and said so",
    }
    return {
        "type": "object",
        "properties": {
            "as_of": {
                "type": "string",
                "format": "date",
                "description": "events at or after its first instant, UTC, are not seen",
            },
            "events": {"type": "array", "items": record, "maxItems": max_events},
        },
        "required": ["as_of", "events"],
        "additionalProperties": False,
        "examples": [EXAMPLE],
    }
