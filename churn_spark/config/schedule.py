"""Section of when the nights are expected."""

from __future__ import annotations

import re
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from churn_spark.config.section import Section

_MINUTES: Final = 60
_HOUR: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class ScheduleConfig(Section):
    """By when each day's night has to be finished; without an hour none is expected."""

    expected_by: str
    time_zone: str
    tolerance_minutes: int = Field(ge=0)
    days_behind: int = Field(ge=0, le=30)

    @field_validator("expected_by", mode="before")
    @classmethod
    def _as_text(cls, hour: object) -> object:
        """YAML reads 10:30 without quotes as a number of base 60; 6 is no time."""
        if isinstance(hour, int) and hour >= _MINUTES:
            return "{:02d}:{:02d}".format(*divmod(hour, _MINUTES))
        return hour

    @field_validator("expected_by")
    @classmethod
    def _check_hour(cls, hour: str) -> str:
        if hour and not _HOUR.fullmatch(hour):
            raise ValueError("expected a time of the day, such as 06:00, or nothing")
        return hour

    @field_validator("time_zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(
                "expected a name of the time zone database, such as Europe/Berlin"
            ) from error
        return name

    @property
    def hour(self) -> time | None:
        """The time of the day; none where no night is expected."""
        return time.fromisoformat(self.expected_by) if self.expected_by else None

    @property
    def zone(self) -> ZoneInfo:
        """Whose clock shows that hour."""
        return ZoneInfo(self.time_zone)
