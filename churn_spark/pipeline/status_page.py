"""How a lakehouse stands, as a terminal shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from datetime import date as Date
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from churn_spark.pipeline.status import Status, TableSize
from churn_spark.stores.runs import Run
from churn_spark.wording import count_of

_NOTHING: Final = "-"
_DECIDING: Final = ("nightly", "demo", "retrain_if_needed")
_ALERTS: Final = 5
_WIDTH: Final = 120
"""Of what is no terminal."""


def show_status(status: Status, console: Console | None = None) -> None:
    """Print it: what was told last comes first."""
    out = console or Console(highlight=False)
    if not out.is_terminal:
        out = Console(highlight=False, width=_WIDTH, file=out.file)
    out.print(f"lakehouse   {status.root}", soft_wrap=True)
    out.print(f"model       {describe_champion(status)}", soft_wrap=True)
    out.print(f"newest day  {describe_days(status, datetime.now(UTC).date())}", soft_wrap=True)
    out.print(f"daily runs  {status.nights}", soft_wrap=True)
    if status.erasure:
        told = f"of {count_of(len(status.erasure.users), 'user')}, begun and not finished"
        out.print(f"erasure     {told}: `churn-spark doctor` says what to do", soft_wrap=True)
    out.print(f"alerts      {describe_alerts(status)}", soft_wrap=True)
    for severity, sentence, opened in status.alerts[:_ALERTS]:
        line = f"            {severity} since {opened}: {sentence}"
        out.print(line, markup=False, soft_wrap=True)
    out.print(_runs_table(status) if status.runs else "runs        none so far")
    out.print(_sizes_table(status.sizes))


def describe_champion(status: Status) -> str:
    """`version 3, trained as of 2018-11-26`."""
    if status.champion is None:
        return "none yet: no model was trained, or none is published"
    as_of = status.champion.trained_on.get("as_of", "an unknown date")
    return f"version {status.champion.version}, trained as of {as_of}"


def describe_days(status: Status, today: Date) -> str:
    """The newest date of each table, and how many days ago that is."""
    parts = []
    for what, day in status.last_days.items():
        parts.append(f"{what} none" if day is None else f"{what} {day} ({_ago(day, today)})")
    return ", ".join(parts)


def _ago(day: Date, today: Date) -> str:
    """`2 days ago`; a night may be scored the day before, and a feed's clock may run ahead."""
    days = (today - day).days
    return f"{count_of(days, 'day')} ago" if days >= 0 else f"in {count_of(-days, 'day')}"


def describe_alerts(status: Status) -> str:
    """`1 critical, 45 info are open`; the most severe are named below."""
    counts = Counter(severity for severity, _, _ in status.alerts)
    told = ", ".join(f"{n:,} {severity}" for severity, n in counts.items())
    return f"{told}; the most severe:" if len(status.alerts) > _ALERTS else told or "none open"


def _runs_table(status: Status) -> Table:
    shown = Table(title="\nLast runs", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("started, UTC", "job", "date"):
        shown.add_column(name, no_wrap=True)
    for name in ("time, s", "CPU, s", "memory, MB", "written, MB"):
        shown.add_column(name, justify="right")
    shown.add_column("result; decision")
    for run in status.runs:
        written = sum(one.bytes for one in run.tables.values())
        shown.add_row(
            f"{run.started_ts:%m-%d %H:%M}",
            run.job,
            str(run.date or _NOTHING),
            f"{run.seconds:,.1f}",
            f"{run.cpu_seconds:,.1f}",
            _megabytes(run.peak_memory_bytes, 0),
            _megabytes(written),
            Text(_end_of(run, status.decisions)),
        )
    return shown


def _end_of(run: Run, decisions: Mapping[Date, str]) -> str:
    """`done`, or the exit code and an error; of a night with what was decided on it."""
    failed = f"{run.exit_code}: {run.error}" if run.error else f"{run.exit_code}"
    ended = "done" if run.exit_code == 0 else failed
    decided = decisions.get(run.date, "") if run.date and run.job in _DECIDING else ""
    return f"{ended}; {decided}" if decided else ended


def _sizes_table(sizes: Sequence[TableSize]) -> Table:
    shown = Table(title="Tables", title_justify="left", box=box.SIMPLE_HEAD, show_footer=True)
    on_disk = [one.on_disk for one in sizes if one.on_disk is not None]
    shown.add_column("table", "all")
    shown.add_column("version", justify="right")
    shown.add_column("rows", justify="right")
    shown.add_column("files", f"{sum(one.files for one in sizes):,}", justify="right")
    shown.add_column("MB", _megabytes(sum(one.n_bytes for one in sizes)), justify="right")
    total = _megabytes(sum(on_disk)) if on_disk else _NOTHING
    shown.add_column("MB with old versions", total, justify="right")
    for one in sizes:
        rows = _NOTHING if one.rows is None else f"{one.rows:,}"
        sizes_mb = _megabytes(one.n_bytes), _megabytes(one.on_disk)
        shown.add_row(one.path, str(one.version), rows, f"{one.files:,}", *sizes_mb)
    return shown


def _megabytes(n_bytes: int | None, decimals: int = 1) -> str:
    return _NOTHING if n_bytes is None else f"{n_bytes / 1e6:,.{decimals}f}"
