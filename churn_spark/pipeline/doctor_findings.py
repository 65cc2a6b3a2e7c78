"""What the doctor finds: a verdict, what was found, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from churn_spark.errors import ChurnSparkError, ConfigError
from churn_spark.troubles import describe_trouble


class Verdict(StrEnum):
    """How it is with something."""

    OK = "ok"
    WARNING = "warning"
    """The jobs do their work; sooner or later, or for some, something is in the way."""
    ERROR = "error"
    """A job that needs it fails."""


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
        check: what was looked at.
        verdict: how it is.
        found: what was found, and what was expected where that is something else.
        advice: what to do; empty where nothing is.
    """

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


def is_well(check: str, found: str) -> Finding:
    """A finding of something that is as it should be."""
    return Finding(check, Verdict.OK, found)


def look(check: str, find: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """What a look finds; one that fails is a finding, too, and hides no other.

    Args:
        check: what is looked at.
        find: that looks.
    """
    try:
        found = find()
        yield from [found] if isinstance(found, Finding) else found
    except Exception as error:
        yield of_error(check, error)


def of_error(check: str, error: Exception) -> Finding:
    """An error as a finding; what to do stands behind the last colon of the project's errors."""
    if isinstance(error, ConfigError):
        return Finding(check, Verdict.ERROR, str(error), "mend the file of conf/, or the --set")
    if isinstance(error, ChurnSparkError):
        found, _, advice = str(error).rpartition(": ")
        return Finding(check, Verdict.ERROR, found or advice, advice if found else "")
    if trouble := describe_trouble(error):
        found, _, advice = trouble.rpartition(": ")
        return Finding(check, Verdict.ERROR, found, advice)
    told = " ".join(str(error).split())[:300]
    return Finding(check, Verdict.ERROR, f"can't be looked at: {type(error).__name__}: {told}")
