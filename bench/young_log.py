"""Nights on a young log in which nothing changes: nobody is called, nothing is retrained for it.

The log of two months is loaded at once, as a new user does, and two weeks of nights follow, by the
configuration as it is.
"""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table

from bench import flow
from bench.promises import holds
from churn_spark.config import load_config
from churn_spark.contracts.tables import ALERTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.context import JobContext
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from churn_spark.stores.decisions import read_entries

START, DAYS, NIGHTS = date(2018, 10, 1), 61, 15
SEEDS = (7301, 7302, 7303)
MAX_OPEN_ALERTS = 5


def say_young_log(spark: SparkSession, work: Path, users: int, console: Console) -> None:
    """Live the nights of each seed, and say what was found that isn't there."""
    shown = Table(
        "Seed", "Drift alerts from warning up", "Retrainings", "Not scheduled", "Open alerts", "",
        title=f"{NIGHTS} nights of {users:,} users from day {DAYS} of a log without any change",
    )  # fmt: skip
    for seed in SEEDS:
        context = live(spark, work / str(seed), users, seed)
        alerts = context.lakehouse.collect_rows(ALERTS)
        called = {
            (alert.key, alert.opened)
            for alert in alerts
            if alert.key.startswith(("drift:", "model:drifted")) and alert.severity != "info"
        }
        asked = [
            e.decision for e in read_entries(context.lakehouse) if e.decision.kind == "retrain"
        ]
        wrong = [decision for decision in asked if decision.rule != "schedule"]
        still_open = [alert.run_date for alert in alerts if alert.resolved is None]
        n_open = max((still_open.count(night) for night in still_open), default=0)
        is_quiet = not called and not wrong and n_open <= MAX_OPEN_ALERTS
        figures = map(str, (seed, len(called), len(asked), len(wrong), n_open))
        shown.add_row(*figures, holds(is_quiet))
        shutil.rmtree(work / str(seed))
    console.print(shown)


def live(spark: SparkSession, work: Path, users: int, seed: int) -> JobContext:
    """Simulate the log, load its first two months at once, and do the nights one by one."""
    settings = SimulationSettings(
        users=users, start=START, days=DAYS + NIGHTS - 1, seed=seed, files_a_day=1
    )
    simulate_log(settings, work / "world")
    config = load_config(overrides=[f"lakehouse={work / 'lakehouse'}"])
    context = JobContext(config, Lakehouse(spark, config.lakehouse))
    incoming = work / "incoming"
    incoming.mkdir()
    for number in range(NIGHTS):
        night = START + timedelta(days=DAYS + number)
        for day in sorted((work / "world" / "events").iterdir()):
            if day.name < str(night):
                day.rename(incoming / day.name)
        flow.nightly(context, night, str(incoming))
    return context
