"""A foreign record -> one of ours, by the mapping; none of the rules about what is an event.

Plain Python: the service reads single records by it, and has no other library for that.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from xxhash import xxh64_intdigest

from churn_spark.config.mapping import (
    Column,
    LengthColumn,
    LevelColumn,
    LogMapping,
    PageColumn,
    ProfileFile,
    SessionColumn,
    TimeColumn,
    UserColumn,
)
from churn_spark.contracts.pages import FREE, LOGGED_IN, PAID, ROLES, VISIT_AUTHS, Page
from churn_spark.events.foreign.moments import millis_reader
from churn_spark.events.foreign.numbers import number_of_text, whole_of_cell
from churn_spark.events.foreign.profile import (
    FIELDS,
    Profiles,
    find_stamp,
    order_rows,
    read_rows,
)
from churn_spark.events.rules import HASH_SEED, MAX_COUNT, MAX_DEPTH, MAX_END_MILLIS
from churn_spark.events.values import is_too_deep, text_of, word_of
from churn_spark.timeline import MILLIS_PER_DAY

Record = Mapping[str, Any]
_Read = Callable[[Record], object]

UNCUT_SESSION: Final = 0
"""In the place of a session that the log doesn't tell: the kernel replaces it (`cut_marker`)."""
_SESSION_BITS: Final = (1 << 52) - 1
_SEPARATOR: Final = "\x1f"
_NUMBERS: Final = frozenset({"status"})
_NESTED: Final = frozenset({dict, list})
_TOO_DEEP: Final = json.loads("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
"""In the place of a value that is nested deeper: any program can write it, and it is refused."""


def cut_marker(session: SessionColumn) -> int | None:
    """What stands for the session of an event whose log has none; None where it has.

    The minutes of silence that end a visit, negative: no line can have such a session, since the
    rules reject negative numbers. Visits are cut by it where events are rolled up.
    """
    return None if session.silence_minutes is None else -session.silence_minutes


class Translator:
    """Makes our records of foreign ones."""

    def __init__(self, mapping: LogMapping) -> None:
        self._fields: dict[str, _Read] = {
            "ts": _then(mapping.time, millis_reader(mapping.time)),
            "userId": _user(mapping.user),
            "sessionId": _session(mapping.session),
            "page": _page(mapping.page),
        }
        self._page, self._has_auth = self._fields["page"], mapping.auth is not None
        plain: dict[str, Column | None] = {
            "auth": mapping.auth,
            "location": mapping.location,
            "userAgent": mapping.user_agent,
            "gender": mapping.gender,
        }
        self._fields |= {name: _plain(one) for name, one in plain.items() if one}
        if mapping.level:
            self._fields["level"] = _level(mapping.level)
        if mapping.registration:
            self._fields["registration"] = _then(
                mapping.registration, millis_reader(mapping.registration)
            )
        if mapping.subscribed_until:
            self._fields["subscribedUntil"] = _end(mapping.subscribed_until)
        if mapping.item:
            self._fields["itemInSession"] = _then(mapping.item, _number)
        if mapping.length:
            self._fields["length"] = _length(mapping.length)
        for name, columns in mapping.also.items():
            column = Column(column=columns)
            self._fields[name] = _then(column, _number) if name in _NUMBERS else _plain(column)
        if mapping.tell_apart:
            self._fields["song"] = _joined(mapping.tell_apart)
        self._profiles = open_profiles(mapping.profile) if mapping.profile else None

    def translate(self, record: Record) -> dict[str, object]:
        """Our record; a column without a value is null."""
        ours = {name: read(record) for name, read in self._fields.items()}
        if not self._has_auth:
            is_gone = ours["page"] == Page.CANCELLATION_CONFIRMATION
            ours["auth"] = VISIT_AUTHS[1] if is_gone else LOGGED_IN
        if self._profiles:
            known = self._profiles.known(str(word_of(ours["userId"])), ours["ts"])
            ours |= {name: value for name, value in known.items() if ours.get(name) is None}
        return ours


def open_profiles(profile: ProfileFile) -> Profiles:
    """What the mapping's profile says of users; read once while the file stays as it is.

    Raises:
        InputError: if the file isn't there or can't be read, or its rows contradict each other.
    """
    return _read_profiles(profile, find_stamp(profile))


@lru_cache(2)
def _read_profiles(profile: ProfileFile, _stamp: tuple[int, int]) -> Profiles:
    """The rows are translated as events are; where all are of now their time isn't looked at."""
    told = {name: getattr(profile, name) for name in FIELDS if getattr(profile, name)}
    time = profile.since or TimeColumn(column=profile.user.column, unit="ms")
    mapping = LogMapping(time=time, user=profile.user, page=PageColumn(constant="Profile"), **told)
    translator = Translator(mapping)
    return order_rows(profile, [translator.translate(row) for row in read_rows(profile)])


def _getter(columns: Sequence[str]) -> _Read:
    """The first of some columns that has a value; `a.b` is `b` in `a`, or a column of that name."""
    paths = [(name, name.split(".")) for name in columns]

    def get(record: Record) -> object:
        found: object = None
        for name, path in paths:
            value = record.get(name)
            if value is None and len(path) > 1:
                value = _follow(record, path)
            if value is not None:
                found = value
                if value != "":
                    break
        return _TOO_DEEP if type(found) in _NESTED and is_too_deep(found) else found

    return get


def _follow(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _then(column: Column, read: Callable[[object], object]) -> _Read:
    get = _getter(column.column)
    return lambda record: read(get(record))


def _plain(column: Column) -> _Read:
    return _getter(column.column)


def _end(column: TimeColumn) -> _Read:
    read = millis_reader(column)

    def read_end(value: object) -> object:
        found = read(value)
        # The end of time west of Greenwich: "never", as one in UTC is.
        is_beyond = isinstance(found, int) and 0 < found - MAX_END_MILLIS <= MILLIS_PER_DAY
        return MAX_END_MILLIS if is_beyond else found

    return _then(column, read_end)


def _number(value: object) -> object:
    return number_of_text(value) if isinstance(value, str) else value


def _user(column: UserColumn) -> _Read:
    nobody = _spelt(dict.fromkeys(column.anonymous, ""))

    def read(value: object) -> object:
        word = word_of(value)
        is_named = isinstance(word, str | bool) and str(word) in nobody
        return "" if word is None or is_named else value

    return _then(column, read)


def _session(column: SessionColumn) -> _Read:
    if column.column is None:
        return lambda _: UNCUT_SESSION

    def read(value: object) -> object:
        found = _number(value)
        if isinstance(found, float) and found.is_integer() and abs(found) <= MAX_COUNT:
            found = int(found)
        is_whole = isinstance(found, int) and not isinstance(found, bool)
        if is_whole and not 0 <= found <= MAX_COUNT:  # type: ignore[operator]
            # An id of 64 bits, of which a double would make one with its neighbours, or a hash.
            found = str(found)
        if not isinstance(found, str):
            return found
        # The name of a session, such as a UUID; two of one user don't share their number.
        return xxh64_intdigest(found.encode("utf-8", "replace"), HASH_SEED) & _SESSION_BITS

    return _then(Column(column=column.column), read)


def _page(column: PageColumn) -> _Read:
    roles = _spelt(
        {name: str(ROLES[role]) for role, names in column.names.items() for name in names}
    )
    if column.column is None:
        constant = roles.get(str(column.constant), column.constant)
        return lambda _: constant

    def read(value: object) -> object:
        word = word_of(value)
        return roles.get(str(word), word) if isinstance(word, str | bool) else word

    return _then(Column(column=column.column), read)


def _level(column: LevelColumn) -> _Read:
    if column.column is None:
        return lambda _: column.constant
    levels = _spelt(dict.fromkeys(column.free, FREE) | dict.fromkeys(column.paid, PAID))

    def read(value: object) -> object:
        # YAML and JSON write true where people say yes.
        word = str(value) if isinstance(value, bool) else word_of(value)
        return levels.get(word, word) if isinstance(word, str) else word

    return _then(Column(column=column.column), read)


def _spelt(values: Mapping[str, str]) -> Mapping[str, str]:
    """What the mapping's words stand for; `1.0` is found as `1`, too, which cells say then."""
    return {whole_of_cell(word): value for word, value in values.items()} | {**values}


def _length(column: LengthColumn) -> _Read:
    if column.unit == "s":
        return _then(column, _number)

    def read(value: object) -> object:
        found = _number(value)
        is_number = isinstance(found, int | float) and not isinstance(found, bool)
        return found / 1000 if is_number else found  # type: ignore[operator]

    return _then(column, read)


def _joined(columns: Sequence[str]) -> _Read:
    getters = [_getter([name]) for name in columns]

    def read(record: Record) -> object:
        try:
            found = [text_of("song", get(record)) for get in getters]
        except TypeError:
            return _TOO_DEEP
        return _SEPARATOR.join("" if one is None else one for one in found)

    return read
