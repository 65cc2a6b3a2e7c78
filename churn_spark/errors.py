"""Every error that the project raises on purpose, each with its exit code.

A message has three parts: what was found, what was expected, what to do. Errors of this
tree end a job with that one line; anything else is a defect and ends with its traceback.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """How a job ends."""

    DONE = 0
    UNEXPECTED = 1
    MISTAKE = 2
    """The caller can mend it: wrong arguments, wrong input, a step that was left out."""
    ALERT = 10
    """Drift or lost performance, where the caller asked to be told so."""
    RETRAINING_ASKED = 20
    HELD = 30
    """Held back: the data failed their checks."""
    LOCKED = 40
    """Another job is writing: the same command does its work once that has ended."""
    LATE = 50
    """A night that is expected by now has not finished."""


class ChurnSparkError(Exception):
    """Root of the tree. Raised only through its subclasses."""

    exit_code: ExitCode = ExitCode.UNEXPECTED


class UserError(ChurnSparkError):
    """The caller's mistake: wrong arguments, wrong input, or a step that was left out."""

    exit_code = ExitCode.MISTAKE


class ConfigError(UserError):
    """A configuration file or a `--set` has unknown keys or values out of range."""


class InputError(UserError):
    """The input path has no readable event file, or an argument contradicts another."""


class DamagedFileError(InputError):
    """An input file can't be read to its end; what comes before is read."""


class UnreadFilesError(InputError):
    """Input files could not be opened, and all that is possible without them is done."""


class MissingTableError(UserError):
    """A table that an earlier step writes isn't there yet."""


class QueryError(UserError):
    """A query that can't be answered: no SQL that reads, or of something that isn't there."""


class OldTableError(UserError):
    """A table was made by an older release in a form that can't be continued."""


class OtherIdsError(UserError):
    """A lakehouse keeps its users under other ids than is configured."""


class LostTableError(UserError):
    """Of tables that belong together one is gone, or is another than the others were made with."""


class TooFewDatesError(UserError):
    """The log is too short to learn from some of its dates and to test on others."""


class TooFewCancelsError(UserError):
    """The rows known by the date hold too few cancellations to learn from."""


class StoreError(UserError):
    """The MLflow store can't be used as it is: of another release, or without what it names."""


class NoChampionError(UserError):
    """The registry has no champion to score or monitor with."""


class FingerprintError(UserError):
    """The model was trained on other feature definitions than the ones in use."""


class OtherModelError(UserError):
    """A model can't serve the night: it answers another question, or has learnt of the future."""


class MachineError(UserError):
    """The machine lacks a piece the project needs: Java 17, the Spark jars."""


class LockedError(ChurnSparkError):
    """Another job is writing to the lakehouse, or has taken over from this one."""

    exit_code = ExitCode.LOCKED


class LockStoreError(UserError):
    """The storage of the lakehouse can't tell two writers apart, or its lock can't be read."""


class ExplanationError(ChurnSparkError):
    """The contributions of a scored row don't add up to its margin: no reason is to be trusted."""


class RequestError(UserError):
    """A request that the service can't answer as it is; it names every problem of it.

    Attributes:
        status: HTTP status of the answer.
        problems: of single fields or columns; empty where the message says it all.
        retry_after: seconds after which the same request may be sent again; 0 if unknown.
    """

    def __init__(
        self,
        message: str,
        status: int = 422,
        problems: Sequence[Mapping[str, object]] = (),
        retry_after: int = 0,
    ) -> None:
        super().__init__(message)
        self.status, self.problems, self.retry_after = status, problems, retry_after


class ChampionError(ChurnSparkError):
    """A model predicts otherwise here than in training, or is damaged: the service refuses it."""


class SchemaError(ChurnSparkError):
    """Rows miss columns of their declared schema, have extra ones, or other types."""


class PolicyError(ChurnSparkError):
    """Evidence that doesn't fit the policy's state: of another champion, or of a night before."""


class ReplayError(ChurnSparkError):
    """A stored decision doesn't come out again from what it was decided by."""


class ThresholdError(UserError):
    """No thresholds keep the promised number of false alarms on the given nights."""


class LeakTableError(UserError):
    """The table to be checked for leaks misses columns that the checks read, or has no labels."""


class LeakFoundError(ChurnSparkError):
    """A feature table knows what a forecast could not: nothing may be learnt from it.

    Held back like any rows that fail their checks, so neither a caller's mistake nor a crash.
    """

    exit_code = ExitCode.HELD
