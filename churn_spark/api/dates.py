"""Dates as people write them in a notebook."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time
from typing import Any

from churn_spark.errors import InputError
from churn_spark.timeline import LogSpan, parse_date


def as_date(value: Any) -> date:
    """The date of a date, an instant at midnight (as pandas has dates) or `YYYY-MM-DD`.

    Raises:
        InputError: if it is none.
    """
    if isinstance(value, datetime) and value.time() == time():
        return value.date()
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return parse_date(str(value))
    except ValueError as error:
        raise InputError(f"{error}, such as 2018-11-30, or a datetime.date") from None


def require_in_log(as_of: date, log: LogSpan) -> None:
    """Let pass only a date that something is known before, and that isn't still to come.

    Raises:
        InputError: if the log has nothing before it, or ends before it.
    """
    if not log.start < as_of <= log.end:
        raise InputError(
            f"found the date {as_of}, expected one that the log has days before: after "
            f"{log.start}, its first, and up to {log.end}, the day after its last"
        )


def nearest(wanted: date, there: Collection[date]) -> str:
    """The dates around one, in words."""
    around = sorted(sorted(there, key=lambda one: abs((one - wanted).days))[:3])
    return ", ".join(map(str, around)) or "none"
