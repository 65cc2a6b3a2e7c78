"""What every job shares: its arguments, its session, its closing line, its exit code."""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from churn_spark.config import Config, load_config
from churn_spark.contracts.tables import EVENTS, SESSION_DAYS, TableSpec
from churn_spark.errors import ChurnSparkError, InputError, MissingTableError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.runtime.session import build_session
from churn_spark.timeline import LogSpan, days_after

ALERT_EXIT_CODE = 10
ASKED_EXIT_CODE = 20
HELD_EXIT_CODE = 30
DEMO_FOLDER = "demo_log"


def parse_date(text: str | date) -> date:
    """The date of `YYYY-MM-DD`; Typer turns the error into a usage message, and passes defaults."""
    if isinstance(text, date):
        return text
    try:
        # `fromisoformat` also takes 20181001 and 2018-W40-1.
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError as error:
        raise typer.BadParameter(f"found {text!r}, expected YYYY-MM-DD") from error


DateOption = Annotated[
    date,
    typer.Option("--date", parser=parse_date, metavar="YYYY-MM-DD", help="As-of date D, UTC."),
]
OptionalDateOption = Annotated[
    date | None,
    typer.Option("--date", parser=parse_date, metavar="YYYY-MM-DD", help="As-of date D, UTC."),
]
EnvOption = Annotated[
    str, typer.Option("--env", help="Configuration on top of base: local, cluster.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override one configuration value."),
]


@dataclass(frozen=True)
class JobContext:
    """What a job works with."""

    config: Config
    lakehouse: Lakehouse

    @property
    def spark(self) -> SparkSession:
        """The session that the lakehouse reads and writes with."""
        return self.lakehouse.spark


@contextmanager
def open_job(name: str, env: str, overrides: list[str] | None) -> Iterator[JobContext]:
    """Read the configuration and start the session; stop it at the end.

    Raises:
        ConfigError: if the configuration doesn't fit.
        MachineError: if Java or the jars are missing.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    # To standard error; what the jobs do is said on standard output.
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("churn_spark").setLevel(logging.INFO)
    # Its chatter about creating tables would stand between the lines of progress.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    config = load_config(env, overrides or ())
    session = build_session(config.spark, name)
    try:
        yield JobContext(config, Lakehouse(session, config.lakehouse))
    finally:
        session.stop()


def claim_demo_lakehouse(lakehouse: str) -> Path:
    """The folder for the simulated log in a lakehouse that is empty or already a demo's.

    Raises:
        InputError: if real logs have been loaded there, or it isn't a local folder.
    """
    folder = Path(lakehouse) / DEMO_FOLDER
    if "://" in lakehouse or (Path(lakehouse, "bronze").exists() and not folder.exists()):
        raise InputError(
            f"found {lakehouse} in use by other logs, expected an empty local folder for the "
            "demo: call it with LAKEHOUSE=./lakehouse-demo"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def refuse_demo_lakehouse(lakehouse: str) -> None:
    """Keep real logs apart from simulated ones.

    Raises:
        InputError: if the lakehouse is a demo's.
    """
    if "://" not in lakehouse and Path(lakehouse, DEMO_FOLDER).exists():
        raise InputError(
            f"found the demo's simulated log in {lakehouse}, expected a lakehouse for real "
            "logs: choose another LAKEHOUSE, or delete this one (`make demo` makes it again)"
        )


def read_as_of(lakehouse: Lakehouse, spec: TableSpec, as_of: date) -> DataFrame:
    """The rows of one as-of date.

    Raises:
        MissingTableError: if the table has none; a job before this one writes them.
    """
    return _read_date(lakehouse, spec, "as_of", as_of)


def read_of_run(lakehouse: Lakehouse, spec: TableSpec, run_date: date) -> DataFrame:
    """The rows of one night.

    Raises:
        MissingTableError: if the table has none; a job before this one writes them.
    """
    return _read_date(lakehouse, spec, "run_date", run_date)


def _read_date(lakehouse: Lakehouse, spec: TableSpec, column: str, day: date) -> DataFrame:
    rows = lakehouse.read(spec).filter(F.col(column) == F.lit(day))
    if rows.isEmpty():
        raise MissingTableError(
            f"found no rows as of {day} in {spec.layer}/{spec.name}, expected some: run the "
            "job that writes them for this date, or `nightly`, which runs them all"
        )
    return rows


def log_span(context: JobContext) -> LogSpan:
    """First date of the log and the day after its newest event.

    Raises:
        InputError: if there is no event.
    """
    session_days = context.lakehouse.read(SESSION_DAYS)
    first, last = session_days.agg(F.min("event_date"), F.max("event_date")).collect()[0]
    if first is None:
        raise InputError(
            "found no accepted event in the lakehouse, expected some: see the table "
            "bronze/quarantine for what was rejected and why"
        )
    return LogSpan(first, days_after(last, 1))


@dataclass(frozen=True)
class TouchedDates:
    """Dates whose events changed since a table was built from them.

    Attributes:
        dates: UTC dates, in order.
        version: of the events table.
    """

    dates: list[date]
    version: int

    @property
    def note(self) -> dict[str, int]:
        """What the table's next commit must note."""
        return {"events_version": self.version}

    def describe(self) -> str:
        """One line for people."""
        return f"events v{self.version}: {len(self.dates)} dates rebuilt"


def find_touched_dates(context: JobContext, built: TableSpec) -> TouchedDates:
    """The dates whose events changed since a table was last built from them.

    The events' version that a table was built from is noted in its own commits, so a run that
    is killed leaves either the old rows and the old note or the new of both.
    """
    lakehouse = context.lakehouse
    version = lakehouse.version(EVENTS)
    built_from = lakehouse.newest_note(built).get("events_version", -1)
    if built_from >= version:
        return TouchedDates([], version)
    changed = lakehouse.changes(EVENTS, since=built_from).select("event_date").distinct()
    return TouchedDates(sorted(row.event_date for row in changed.collect()), version)


@contextmanager
def closing_line(step: str) -> Iterator[list[str]]:
    """Print one line when the step is done: its name, its facts, its seconds.

    The facts are appended by the step to the list that this gives.
    """
    started = time.monotonic()
    facts: list[str] = []
    yield facts
    say(step, "; ".join(facts), time.monotonic() - started)


def say(step: str, text: str, seconds: float | None = None) -> None:
    """Print one aligned line of progress to standard output."""
    took = "" if seconds is None else f"  [{seconds:.1f} s]"
    print(f"{step:<20} {text}{took}", flush=True)


def warn(text: str) -> None:
    """Print one warning to standard error."""
    print(f"warning: {text}", file=sys.stderr, flush=True)


def main(app: typer.Typer) -> None:
    """Run the command and turn errors into exit codes.

    0 done, 1 unexpected (with its traceback), 2 the caller's to mend (one line), others as the
    job sets them.
    """
    try:
        app()
    except ChurnSparkError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    except Exception:
        traceback.print_exc()
        sys.exit(1)
