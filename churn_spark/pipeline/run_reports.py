"""A run that has ended, told to other programs: lines of JSON, and a file of metrics."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from churn_spark.config import RunsConfig
from churn_spark.stores.runs import Run
from churn_spark.timeline import day_start

_TO_STANDARD_ERROR: Final = "stderr"


def report_run(run: Run, config: RunsConfig) -> None:
    """Write what is configured of the run: its lines, its metrics."""
    if config.log:
        write_lines(run, config.log)
    if config.metrics_folder:
        write_metrics(run, Path(config.metrics_folder))


def write_lines(run: Run, log: str) -> None:
    """Add one line of JSON for each table that the run has written, and one for the run."""
    text = "".join(f"{line}\n" for line in describe(run))
    if log == _TO_STANDARD_ERROR:
        sys.stderr.write(text)
        sys.stderr.flush()
        return
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    # In one write: lines of several runs don't mix.
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(text)


def describe(run: Run) -> Iterator[str]:
    """The lines: of the tables, then of the run."""
    told = run.values()
    told |= {"date": run.date and str(run.date), "started_ts": run.started_ts.isoformat()}
    shared = {name: told[name] for name in ("run_id", "job", "date", "peak_memory_bytes")}
    for table, written in told.pop("tables").items():
        yield json.dumps({"event": "table", **shared, "table": table, **written})
    yield json.dumps({"event": "run", **told})


def write_metrics(run: Run, folder: Path) -> None:
    """Exchange the file of the job's last run, for a node exporter's textfile collector."""
    registry = CollectorRegistry()

    def set_gauge(name: str, meaning: str, value: float | None) -> None:
        if value is not None:
            gauge = Gauge(f"churn_spark_run_{name}", meaning, ["job"], registry=registry)
            gauge.labels(run.job).set(value)

    ended = run.started_ts.timestamp() + run.seconds
    set_gauge("ended_timestamp_seconds", "When the last run of the job ended.", ended)
    set_gauge("seconds", "What the last run took.", run.seconds)
    set_gauge("cpu_seconds", "CPU time of the last run, on this machine.", run.cpu_seconds)
    set_gauge("peak_memory_bytes", "Most memory of the last run.", run.peak_memory_bytes)
    set_gauge("exit_code", "How the last run ended; 0: done.", run.exit_code)
    if run.date:
        day = day_start(run.date).timestamp()
        set_gauge("date_timestamp_seconds", "As-of date of the last run, 00:00 UTC.", day)
    for name, meaning in (
        ("rows", "Rows that the last run wrote to the table."),
        ("bytes", "Bytes of the files that the last run wrote to the table."),
        ("version", "Version of the table after the last run."),
    ):
        gauge = Gauge(f"churn_spark_table_{name}", meaning, ["job", "table"], registry=registry)
        for table, written in run.tables.items():
            gauge.labels(run.job, table).set(getattr(written, name))
    folder.mkdir(parents=True, exist_ok=True)
    # Written beside and moved: a collector never reads half of it.
    write_to_textfile(str(folder / f"churn_spark_{run.job}.prom"), registry)
