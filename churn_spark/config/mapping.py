"""Section of a log that isn't written as ours: which of its columns are what.

A mapping is a file of its own, `mapping.yaml`, since it belongs to a log and not to a machine.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, field_validator, model_validator

from churn_spark.config.section import Section
from churn_spark.contracts.pages import ROLES

_LONGEST_SILENCE_MINUTES = 720
_BOOLEANS = {
    True: ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"),
    False: ("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"),
}
"""What YAML reads as a boolean, which forgets how it was written: each may be the log's word."""


def _as_section(value: object) -> object:
    """`user: customer.id` is short for `user: {column: customer.id}`."""
    return {"column": value} if isinstance(value, str | list | tuple) else value


def _as_many(value: object) -> object:
    return [value] if isinstance(value, str | int | float) else value


def _as_texts(value: object) -> object:
    """Values as texts: YAML reads 17 as a number, and `no` as false."""
    many = _as_many(value)
    if not isinstance(many, list | tuple):
        return many
    return [
        text for one in many for text in (_BOOLEANS[one] if isinstance(one, bool) else [str(one)])
    ]


_Name = Annotated[str, Field(min_length=1)]
Columns = Annotated[tuple[_Name, ...], BeforeValidator(_as_many), Field(min_length=1)]
"""Names of columns, `customer.id` for one within another; the first that has a value counts."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_texts)]


class Column(Section):
    """A value that is taken as it is."""

    column: Columns


class TimeColumn(Column):
    """A moment.

    Numbers count from 1970 on in their unit. Texts are ISO 8601, or as `format` says; one without
    a zone of its own is of `zone`.
    """

    unit: Literal["s", "ms", "us", "iso"]
    format: str | None = None
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("expected the name of a time zone, such as Europe/Berlin") from error
        return zone

    @model_validator(mode="after")
    def _check_format(self) -> Self:
        if self.format is None:
            return self
        if self.unit != "iso":
            raise ValueError(f"format is for texts, and unit {self.unit} is for numbers")
        # In the afternoon: a clock of 12 hours reads another hour where nothing says which half.
        now = datetime(2018, 11, 30, 15, 34, 56, tzinfo=UTC)
        try:
            read = datetime.strptime(now.strftime(self.format), self.format)  # noqa: DTZ007
        except re.error as error:
            raise ValueError(f"format {self.format!r} has a directive twice: {error}") from None
        if read.date() != now.date():
            raise ValueError(f"format {self.format!r} doesn't tell the year, month and day")
        if read.hour not in (now.hour, 0):
            raise ValueError(
                f"format {self.format!r} doesn't tell morning from afternoon: expected %H, or %I "
                "with %p"
            )
        return self


class UserColumn(Column):
    """Whose event it is, and which ids stand for nobody."""

    anonymous: Texts = ()


class SessionColumn(Section):
    """Which events belong to one visit: those of one value, or those without a silence between."""

    column: Columns | None = None
    silence_minutes: int | None = Field(default=None, ge=1, le=_LONGEST_SILENCE_MINUTES)

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.column is None) == (self.silence_minutes is None):
            raise ValueError("expected either column, or silence_minutes where the log has none")
        return self


class PageColumn(Section):
    """What happened: a column's values by their role, or one thing wherever there is but one."""

    column: Columns | None = None
    constant: str | None = Field(default=None, min_length=1)
    names: Mapping[str, Texts] = {}

    @field_validator("names")
    @classmethod
    def _check_roles(cls, names: Mapping[str, Texts]) -> Mapping[str, Texts]:
        if unknown := sorted(set(names) - set(ROLES)):
            raise ValueError(f"found the roles {unknown}, expected of {', '.join(ROLES)}")
        counted = Counter(name for of_role in names.values() for name in set(of_role))
        if twice := sorted(name for name, n in counted.items() if n > 1):
            raise ValueError(f"found {twice} for two roles, expected each name for one")
        return names

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise ValueError("expected either column, or constant where every event is the same")
        return self


class LevelColumn(Section):
    """Which values are the free level and which the paid one; or one level for everybody."""

    column: Columns | None = None
    constant: Literal["free", "paid"] | None = None
    free: Texts = ()
    paid: Texts = ()

    @model_validator(mode="after")
    def _check_values(self) -> Self:
        if (self.column is None) == (self.constant is None):
            raise ValueError("expected either column, or constant where there is one level")
        if both := sorted(set(self.free) & set(self.paid)):
            raise ValueError(f"found {both} for free and for paid, expected each value for one")
        return self


class LengthColumn(Column):
    """How long somebody listened."""

    unit: Literal["s", "ms"] = "s"


class ProfileFile(Section):
    """A file with what is known of users beside their events, one row a user or several.

    Attributes:
        file: CSV, JSON (lines or an array) or Parquet; looked for beside the mapping.
        user: whose row it is: the same ids as in the events.
        since: from when on a row holds. Without it a row is of now, and only what never changes
            may be taken from it: what changes would tell the past what came later.
        registration: since when somebody is a user.
        gender: as given.
        level: free or paid; needs `since`.
        location: needs `since`.
        subscribed_until: when the subscription ends; needs `since`.
    """

    file: str = Field(min_length=1)
    user: Annotated[UserColumn, BeforeValidator(_as_section)]
    since: Annotated[TimeColumn, BeforeValidator(_as_section)] | None = None
    registration: Annotated[TimeColumn, BeforeValidator(_as_section)] | None = None
    gender: Annotated[Column, BeforeValidator(_as_section)] | None = None
    level: Annotated[LevelColumn, BeforeValidator(_as_section)] | None = None
    location: Annotated[Column, BeforeValidator(_as_section)] | None = None
    subscribed_until: Annotated[TimeColumn, BeforeValidator(_as_section)] | None = None

    @model_validator(mode="after")
    def _check_time(self) -> Self:
        dated = ("level", "location", "subscribed_until")
        changing = [name for name in dated if getattr(self, name) is not None]
        if changing and self.since is None:
            raise ValueError(
                f"found {', '.join(changing)} without since: a row of today would tell past "
                "events what came after them. Name the column that says from when on a row "
                "holds, or take the field from the events"
            )
        if not (changing or self.registration or self.gender):
            raise ValueError("expected a field to take from it, such as registration")
        return self


class CsvFiles(Section):
    """How the cells of `.csv`, `.tsv` and `.txt` files are parted.

    Attributes:
        separator: one character; `whitespace` for any number of blanks.
        columns: names of the columns where the first line of a file doesn't name them.
    """

    separator: str = Field(default=",", pattern=r"^([^\r\n\"]|whitespace)$")
    columns: tuple[_Name, ...] = ()

    @field_validator("columns")
    @classmethod
    def _check_columns(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        if twice := sorted(name for name, n in Counter(columns).items() if n > 1):
            raise ValueError(f"found {twice} twice, expected another name for each column")
        return columns


_Time = Annotated[TimeColumn, BeforeValidator(_as_section)]
_User = Annotated[UserColumn, BeforeValidator(_as_section)]
_Session = Annotated[SessionColumn, BeforeValidator(_as_section)]
_Page = Annotated[PageColumn, BeforeValidator(_as_section)]
_Level = Annotated[LevelColumn, BeforeValidator(_as_section)]
_Length = Annotated[LengthColumn, BeforeValidator(_as_section)]
_Plain = Annotated[Column, BeforeValidator(_as_section)]


class LogMapping(Section):
    """What the columns of a foreign log are.

    Attributes:
        time: when it happened.
        user: whose it is.
        page: what happened.
        session: to which visit it belongs.
        level: free or paid.
        auth: whether the user was logged in, in the words of our logs; else everybody is.
        registration: since when somebody is a user.
        subscribed_until: when the subscription ends, as known at the event.
        item: place in the session.
        length: of the song.
        location: `City, STATE`, or a place.
        user_agent: or any text that names the device.
        gender: as given.
        tell_apart: columns that differ where two events are alike in all others.
        also: a field of our logs that no table keeps -> its column: it tells events apart, too.
        json_files: whether `.json` files hold an object a line, or one array.
        csv_files: how cells are parted.
        profile: a file of its own for what events don't tell of their users.
    """

    time: _Time
    user: _User
    page: _Page
    session: _Session = SessionColumn(silence_minutes=30)
    level: _Level | None = None
    auth: _Plain | None = None
    registration: _Time | None = None
    subscribed_until: _Time | None = None
    item: _Plain | None = None
    length: _Length | None = None
    location: _Plain | None = None
    user_agent: _Plain | None = None
    gender: _Plain | None = None
    tell_apart: Annotated[tuple[_Name, ...], BeforeValidator(_as_many)] = ()
    also: Mapping[
        Literal["status", "method", "firstName", "lastName", "artist", "song"], Columns
    ] = {}
    json_files: Literal["lines", "array"] = "lines"
    csv_files: CsvFiles = CsvFiles()
    profile: ProfileFile | None = None

    @model_validator(mode="after")
    def _check_place(self) -> Self:
        if self.tell_apart and "song" in self.also:
            raise ValueError("found tell_apart and also.song, which share a place: name one")
        return self
