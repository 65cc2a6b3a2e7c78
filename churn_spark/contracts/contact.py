"""One contact with a user of a list: its fields and their rules, for files and for the service."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from churn_spark.timeline import parse_date

INBOX: Final = "_inbox/contacts"
"""Folder of the lakehouse where the service leaves what it was sent, until a job merges it."""

NOT_REACHED: Final = "not_reached"
Outcome = Literal["accepted", "declined", "reached", "not_reached"]
_LATEST_DAYS: Final = 400
_EXPECTED_TIME: Final = "expected an instant as in 2026-03-02T10:15:00Z"


class Contact(BaseModel):
    """A call, a mail or any other contact that a list has led to.

    User, list date, time and channel name it: one that comes again replaces what was known of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    user_id: Annotated[str, Field(min_length=1, max_length=200, description="as on the list")]
    list_date: Annotated[date, Field(description="of the list, YYYY-MM-DD")]
    time: Annotated[datetime, Field(description="ISO 8601; without a zone it is UTC")]
    channel: Annotated[str, Field(pattern=r"^[\w][\w .-]{0,39}$", description="call, mail, ...")]
    offer: Annotated[str, Field(max_length=80, description="what was offered; empty: nothing")] = ""
    cost: Annotated[
        float,
        Field(ge=0, allow_inf_nan=False, description="in the unit of costs.missed_cancel"),
    ] = 0.0
    outcome: Annotated[Outcome, Field(description="not_reached: tried in vain")]

    @field_validator("list_date", mode="before")
    @classmethod
    def _only_iso(cls, found: object) -> object:
        """A date as text only: a number would count as seconds since 1970."""
        if not isinstance(found, str | date):
            raise ValueError(f"expected YYYY-MM-DD, found a {type(found).__name__}")
        return parse_date(found.strip()) if isinstance(found, str) else found

    @field_validator("time", mode="before")
    @classmethod
    def _only_text(cls, found: object) -> object:
        """An instant as text only, for the same reason."""
        if not isinstance(found, str | datetime) or str(found).strip().isdecimal():
            raise ValueError(_EXPECTED_TIME)
        return found

    @field_validator("time")
    @classmethod
    def _in_utc(cls, found: datetime) -> datetime:
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        try:
            return aware.astimezone(UTC).replace(microsecond=0)
        except OverflowError:
            # The last hours of year 9999, or the first of year 1, in a zone of their own.
            raise ValueError(_EXPECTED_TIME) from None

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        days = (self.time.date() - self.list_date).days
        if not 0 <= days <= _LATEST_DAYS:
            raise ValueError(
                f"expected a time from the list's date to {_LATEST_DAYS} days after it"
            )
        return self

    @property
    def is_made(self) -> bool:
        """Whether somebody was reached."""
        return self.outcome != NOT_REACHED
