"""Sixty mornings on a log that grows while the nights run, against the whole log at once.

    python -m bench.live_mornings [--users 300] [--nights 60] [--tables-only]

Each night runs at a quarter past three, when its day has begun. Some lines come late or twice, and
one clock a week is wrong by years. In the end the tables must be those of a lakehouse that was
given all files at once: no label differs. As both have one ingest, each date must also have as many
events as its lines say when they are counted without it. Snapshots that were scored follow late
events (`snapshots.refresh=all`), else they would be those of their night.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Final

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.console import Console
from rich.table import Table

from bench import flow
from bench.live_log import (
    LiveLog,
    Record,
    accept,
    count_by_date,
    disturb,
    mornings,
    read_lines,
    take_once,
)
from bench.promises import holds, judged
from bench.table_differences import compare_tables
from churn_spark.config import Config, load_config
from churn_spark.contracts.event_facts import BATCH
from churn_spark.contracts.tables import (
    DATA_CHECKS,
    EVENT_DAYS,
    EVENTS,
    LABELS,
    LOG_DATES,
    QUARANTINE,
    SESSION_DAYS,
    SNAPSHOTS,
    TRANSITIONS,
    TableSpec,
)
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import ingest, of_events, rollups, snapshots
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.runtime.session import build_session
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

START: Final = date(2018, 10, 1)
_YEAR: Final = timedelta(days=365)
_DELIVERY: Final = {"source_file", "ingest_batch"}
"""Columns that tell how a row came in."""
_REFRESH: Final = "snapshots.refresh=all"
"""Compared is the log as it is in the end: a snapshot that was scored follows it, too."""
_OF_LOG: Final = (EVENTS, QUARANTINE, SESSION_DAYS, TRANSITIONS, EVENT_DAYS, LOG_DATES)
_OF_NIGHTS: Final = (SNAPSHOTS, LABELS)
_COUNTED: Final = {EVENTS.name: ["event_date"], SESSION_DAYS.name: ["event_date", "n_events"]}
"""A row of events is one; one of session days is of several, repeats left out."""
console = Console(width=130)

Night = Callable[[Lakehouse, date, Path], None]


def build_tables(
    lakehouse: Lakehouse, folder: Path, nights: Collection[date], config: Config
) -> None:
    """New files to snapshots and labels of some nights, as a night does it, without a model."""
    ingest.run(lakehouse, config.ingest, str(folder))
    rollups.run(lakehouse, config.ingest, of_events.STEPS)
    log = read_log_dates(lakehouse, max(nights))
    snapshots.run(lakehouse, nights, config.learning, log)


def live(
    lakehouse: Lakehouse, log: LiveLog, nights: Sequence[date], folder: Path, run: Night
) -> None:
    """Let the files of each morning come in, and run its night."""
    for night in nights:
        log.deliver(night, folder, is_last=night == nights[-1])
        run(lakehouse, night, folder)


def compare(
    grown: Lakehouse, whole: Lakehouse, nights: Sequence[date], config: Config, log: LiveLog
) -> dict[str, int]:
    """Name of a table -> rows in which both differ, and what differs from the lines themselves.

    Labels are compared twice: as the nights have left them, of the users that both know, and when
    the snapshots of the nights are those of the log as it is.
    """
    found = {"labels as the nights left them": _differing_labels(grown, whole, nights)}
    snapshots.run_stale(grown, nights, config.learning, read_log_dates(grown, nights[-1]))
    for spec in _OF_LOG:
        found[spec.name] = compare_tables(_rows(grown, spec), _rows(whole, spec)).n_differing
    for spec in _OF_NIGHTS:
        # A night of a model leaves weekly dates, too.
        both = [
            rows.filter(pc.field("as_of").isin(nights))
            for rows in (_rows(grown, spec), _rows(whole, spec))
        ]
        found[spec.name] = compare_tables(*both).n_differing
    return found | _differing_counts(grown, accept_lines(log, config), nights[-1])


def accept_lines(log: LiveLog, config: Config) -> list[Record]:
    """The records of the log that an ingest has to accept, repeats among them."""
    return accept((line for _, line in log.lines), config.ingest.anonymous_user_ids)


def empty_tables(lakehouse: Lakehouse) -> list[str]:
    """Names of the tables without a row, of which nothing is shown; no line need be rejected."""
    specs = (*_OF_LOG, *_OF_NIGHTS)
    return [one.name for one in specs if one is not QUARANTINE and not _rows(lakehouse, one)]


def _differing_counts(
    lakehouse: Lakehouse, records: Sequence[Record], last: date
) -> dict[str, int]:
    """What is counted -> events that there are too many or too few of on their dates."""
    logged_in = (one for one in take_once(records) if one.get("auth") == "Logged In")
    # No session is of a clock that is wrong by years.
    in_sessions = Counter(
        {day: n for day, n in count_by_date(logged_in).items() if abs(day - last) < _YEAR}
    )
    counted = {
        "events of a date, by its lines": (EVENTS, count_by_date(records)),
        "logged-in events of a date, by its lines": (SESSION_DAYS, in_sessions),
    }
    found = {}
    for name, (spec, expected) in counted.items():
        stored = Counter[date]()
        for row in _rows(lakehouse, spec).select(_COUNTED[spec.name]).to_pylist():
            stored[row["event_date"]] += row.get("n_events", 1)
        found[name] = sum(abs(stored[day] - expected[day]) for day in stored | expected)
    return found


def _differing_labels(grown: Lakehouse, whole: Lakehouse, nights: Collection[date]) -> int:
    """Of the users that both know; of a night that has left no labels, all of them."""
    labels = [
        {
            (row.as_of, row.user_id): (row.label, row.is_known, row.is_gap_cancel)
            for row in lakehouse.collect_rows(LABELS)
        }
        for lakehouse in (grown, whole)
    ]
    left = {day for day, _ in labels[0]}
    missing = [key for key in labels[1] if key[0] in nights and key[0] not in left]
    common = labels[0].keys() & labels[1].keys()
    return len(missing) + sum(labels[0][key] != labels[1][key] for key in common)


def _rows(lakehouse: Lakehouse, spec: TableSpec) -> pa.Table:
    rows = lakehouse.read_arrow(spec)
    if spec is EVENT_DAYS:
        rows = rows.filter(pc.field("fact") != BATCH)
        # Groups of users are counted by themselves; which there are depends on the files.
        keys = ["event_date", "fact", "value"]
        newest = rows.filter(pc.field("fact") == "newest_millis").group_by(keys)
        others = rows.filter(pc.field("fact") != "newest_millis").group_by(keys)
        both = newest.aggregate([("n", "max")]), others.aggregate([("n", "sum")])
        return pa.concat_tables([one.rename_columns([*keys, "n"]) for one in both])
    return rows.drop_columns([name for name in rows.column_names if name in _DELIVERY])


@judged
def main(
    users: Annotated[int, typer.Option(help="Number of users.")] = 300,
    nights: Annotated[int, typer.Option(help="Number of mornings.")] = 60,
    tables_only: Annotated[bool, typer.Option("--tables-only", help="Without a model.")] = False,
) -> None:
    """Live the mornings, load the same files at once, and print what differs."""
    # A month before the first night, so that it can train.
    history = 30
    days = mornings(START + timedelta(days=history), nights)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        settings = SimulationSettings(users=users, start=START, days=history + nights)
        simulate_log(settings, work / "world")
        log = disturb(read_lines(work / "world" / "events"), START, seed=1)
        settled = [f"lakehouse={work / 'grown'}", _REFRESH]
        config = load_config(overrides=settled)
        spark = build_session(config.spark, "live_mornings")
        grown, whole = (Lakehouse(spark, str(work / name)) for name in ("grown", "whole"))
        context = JobContext(config, grown)

        def whole_night(_: Lakehouse, night: date, folder: Path) -> None:
            flow.nightly(context, night, str(folder))

        def tables_of(lakehouse: Lakehouse, night: date, folder: Path) -> None:
            build_tables(lakehouse, folder, [night], config)

        started = time.monotonic()
        live(grown, log, days, work / "incoming", tables_of if tables_only else whole_night)
        seconds = time.monotonic() - started
        build_tables(whole, work / "incoming", days, config)
        say_results(log, compare(grown, whole, days, config, log), empty_tables(grown))
        say_nights(grown, days, seconds)
        spark.stop()


def say_results(log: LiveLog, differing: dict[str, int], empty: Sequence[str]) -> None:
    """Print what came in, a row for each table, and which of them say nothing."""
    console.print(
        f"{len(log.lines):,} lines came in, {log.n_late:,} of them late, {log.n_twice:,} twice, "
        f"{log.n_wrong} of wrong clocks; {_REFRESH}"
    )
    shown = Table("against the whole log at once", "rows that differ", "")
    for name, n_rows in differing.items():
        shown.add_row(name, f"{n_rows:,}", holds(n_rows == 0))
    console.print(shown)
    console.print(f"Tables without a row: {', '.join(empty) or 'none'}: {holds(not empty)}")


def say_nights(lakehouse: Lakehouse, nights: Sequence[date], seconds: float) -> None:
    """Print how many nights there were, and what was held."""
    console.print(f"{len(nights)} mornings in {seconds:,.0f} s")
    failed = lakehouse.collect_rows(DATA_CHECKS, {"passed": [False]}, ["name"])
    for name, n in Counter(row.name for row in failed).items():
        console.print(f"check {name} has held {n}")


if __name__ == "__main__":
    typer.run(main)
