"""Nights on a young log in which nothing changes: nobody is called, nothing is retrained for it.

The days before the first night are loaded at once, as a new user does, and the other nights follow
one by one, by the configuration as it is: on simulated logs of two months, on one of as few users
as the demo's, and on the mini log where CHURN_SAMPLE_DATA names its folder, day by day and as the
one file that it is.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from bench import flow
from bench.alert_history import read_alerts
from bench.promises import holds
from churn_spark.config import load_config
from churn_spark.contracts.tables import ALERTS, DATA_CHECKS, SCORES
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.demo import WORLD as DEMO
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from churn_spark.stores.decisions import read_entries
from churn_spark.timeline import MILLIS_PER_DAY, days_after

START, DAYS, NIGHTS = date(2018, 10, 1), 61, 15
MAX_OPEN_ALERTS = 5
_EPOCH: Final = date(1970, 1, 1)
MINI: Final = "customer_churn_mini.json.gz"
MINI_FIRST, MINI_NIGHTS = date(2018, 11, 12), 21
"""Up to 2018-12-02. The log ends with four events of the day before: delivered by themselves, they
are a delivery that was cut, and hold that night."""


@dataclass(frozen=True)
class YoungLog:
    """A log, and the nights that are done on it.

    Attributes:
        name: what it is called.
        events: a folder with a folder for each day of the log, or a file with all of it.
        first: date of the first night.
        n_nights: how many there are.
    """

    name: str
    events: Path
    first: date
    n_nights: int


def say_young_logs(
    spark: SparkSession, work: Path, users: int, seeds: Sequence[int], console: Console
) -> None:
    """Live the nights on simulated logs, and say what was found that isn't there."""
    shown = make_table("Nights on young logs without any change")
    for seed in seeds:
        name = f"{users:,} users, seed {seed}"
        with_row(shown, spark, simulate(name, work / "log", users, seed), work)
    console.print(shown)


def say_known_logs(spark: SparkSession, work: Path, console: Console) -> None:
    """The same on the logs that a newcomer has."""
    shown = make_table("Nights on the logs that come along")
    seed = SimulationSettings().seed
    small = simulate("as many users as the demo's", work / "log", DEMO.users, seed)
    with_row(shown, spark, small, work)
    if sample := os.environ.get("CHURN_SAMPLE_DATA"):
        mini = Path(sample) / MINI
        days = cut_by_day(mini, work / "log")
        for name, events, n_nights in (
            ("the mini log, day by day", days, MINI_NIGHTS - 1),
            ("the mini log, one file", mini, MINI_NIGHTS),
        ):
            with_row(shown, spark, YoungLog(name, events, MINI_FIRST, n_nights), work)
    else:
        console.print("No CHURN_SAMPLE_DATA: the nights on the mini log are left out")
    console.print(shown)


def make_table(title: str) -> Table:
    """A table without rows yet."""
    return Table(
        "Log", "Nights", "Scored", "Held", "Retrainings", "Not scheduled",
        "Drift alerts from warning up", "Open alerts", "",
        title=title,
    )  # fmt: skip


def with_row(shown: Table, spark: SparkSession, log: YoungLog, work: Path) -> None:
    """Add a row of a log; its folders are gone afterwards."""
    # A folder of its own: MLflow keeps the store open that it has found at a path.
    with tempfile.TemporaryDirectory(prefix="nights-", dir=work) as folder:
        shown.add_row(*describe(live(spark, Path(folder), log), log))
    shutil.rmtree(work / "log", ignore_errors=True)


def simulate(name: str, folder: Path, users: int, seed: int) -> YoungLog:
    """A simulated log of two months, and the days after it."""
    settings = SimulationSettings(
        users=users, start=START, days=DAYS + NIGHTS - 1, seed=seed, files_a_day=1
    )
    simulate_log(settings, folder)
    return YoungLog(name, folder / "events", days_after(START, DAYS), NIGHTS)


def cut_by_day(file: Path, folder: Path) -> Path:
    """A folder for each day of a log that is one file."""
    days: dict[date, list[str]] = {}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            day = days_after(_EPOCH, json.loads(line)["ts"] // MILLIS_PER_DAY)
            days.setdefault(day, []).append(line)
    for day, of_day in days.items():
        (folder / str(day)).mkdir(parents=True)
        (folder / str(day) / "events.json").write_text("".join(of_day), encoding="utf-8")
    return folder


def live(spark: SparkSession, work: Path, log: YoungLog, *overrides: str) -> JobContext:
    """Load the days before the first night at once, and do the nights one by one."""
    config = load_config(overrides=[f"lakehouse={work / 'lakehouse'}", *overrides])
    context = JobContext(config, Lakehouse(spark, config.lakehouse))
    incoming = work / "incoming"
    incoming.mkdir(parents=True)
    for number in range(log.n_nights):
        night = days_after(log.first, number)
        if log.events.is_file():
            flow.nightly(context, night, str(log.events))
            continue
        for day in sorted(log.events.iterdir()):
            if day.name < str(night):
                day.rename(incoming / day.name)
        flow.nightly(context, night, str(incoming))
    return context


def describe(context: JobContext, log: YoungLog) -> list[str]:
    """What became of the nights: figures, and whether they are as promised."""
    lakehouse = context.lakehouse
    alerts = read_alerts(lakehouse)
    called = [
        alert
        for alert in alerts
        if alert.key.startswith(("drift:", "model:drifted")) and alert.severity != "info"
    ]
    failed = lakehouse.collect_rows(DATA_CHECKS)
    held = {check.run_date for check in failed if not check.passed}
    scored = [day for day in lakehouse.partition_values(SCORES, "as_of") if day >= log.first]
    decisions = [entry.decision for entry in read_entries(lakehouse)]
    asked = [decision for decision in decisions if decision.kind == "retrain"]
    wrong = [decision for decision in asked if decision.rule != "schedule"]
    still_open = [row.run_date for row in lakehouse.collect_rows(ALERTS) if row.resolved is None]
    n_open = max(map(still_open.count, still_open), default=0)
    weekly = (log.n_nights - 1) // context.config.policy.schedule_days
    is_quiet = not called and not wrong and n_open <= MAX_OPEN_ALERTS
    is_whole = not held and len(scored) == log.n_nights and len(asked) == weekly
    counts = (log.n_nights, len(scored), len(held), len(asked), len(wrong), len(called), n_open)
    return [log.name, *map(str, counts), holds(is_quiet and is_whole)]
