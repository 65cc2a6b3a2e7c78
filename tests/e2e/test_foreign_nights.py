"""Logs that aren't ours, from their files to a list, by nothing but their mapping."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from foreign_logs import MAPPING, foreign, write_csv
from pyspark.sql import SparkSession

from bench import flow
from bench.killed_night import LIGHT
from churn_spark.config import load_config
from churn_spark.contracts.tables import LABELS, RETENTION_LISTS, SCORES
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.context import JobContext
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from tests.builders import write_lines

pytestmark = pytest.mark.slow
START = date(2018, 10, 1)
WHOLE = ("as_of", "user_id", "churn_probability", "list_rank", "value_at_risk", "reasons")


def live(
    spark: SparkSession, folder: Path, logs: Path, night: date, mapping: Mapping[str, Any] | None
) -> Lakehouse:
    """A first night on the logs; gives its lakehouse."""
    overrides = [*LIGHT, f"lakehouse={folder}"]
    if mapping is not None:
        file = folder.with_suffix(".yaml")
        file.write_text(yaml.safe_dump(dict(mapping)), encoding="utf-8")
        overrides.append(f"ingest.mapping={file}")
    config = load_config(overrides=overrides)
    lakehouse = Lakehouse(spark, config.lakehouse)
    flow.nightly(JobContext(config, lakehouse), night, str(logs))
    return lakehouse


def rows(lakehouse: Lakehouse, columns: tuple[str, ...] = WHOLE) -> list[tuple[Any, ...]]:
    """The list."""
    found = lakehouse.read(RETENTION_LISTS).select(*columns).collect()
    return sorted((tuple(row) for row in found), key=repr)


def test_the_renamed_log_of_the_simulator_gives_the_list_of_the_original(
    spark: SparkSession, tmp_path: Path
) -> None:
    simulate_log(SimulationSettings(days=45, files_a_day=1), tmp_path / "world")
    ours, theirs = tmp_path / "world" / "events", tmp_path / "theirs"
    for file in ours.rglob("*.json"):
        (theirs / file.parent.name).mkdir(parents=True)
        records = map(json.loads, file.read_bytes().splitlines())
        write_lines(theirs / file.parent.name / "day.json", map(foreign, records))
    night = START + timedelta(days=45)
    original = rows(live(spark, tmp_path / "a", ours, night, None))
    renamed = rows(live(spark, tmp_path / "b", theirs, night, MAPPING))
    assert original
    assert renamed == original


def subscribers(n_users: int, n_days: int) -> Iterator[dict[str, Any]]:
    """Visits of users with terms of two weeks; who comes less renews less."""
    random = Random(5)
    for user in range(n_users):
        pace = random.choice((0.3, 0.8))
        end = random.randrange(14)
        lasts = True
        for day in range(n_days):
            if day > end and lasts:
                lasts = random.random() < (0.95 if pace > 0.5 else 0.6)
                end += 14 * lasts
            if random.random() < (pace if lasts else pace / 8):
                at = START + timedelta(days=day)
                yield {
                    "at": f"{at}T{random.randrange(24):02}:{random.randrange(60):02}:00",
                    "who": f"u{user}",
                    "what": random.choice(("play", "search", "open")),
                    "until": str(START + timedelta(days=end)),
                }


def test_subscriptions_that_run_out_become_a_list(spark: SparkSession, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    write_csv(logs / "visits.csv", list(subscribers(400, 84)))
    (tmp_path / "users.csv").write_text(
        "id,joined\n" + "".join(f"u{user},2018-0{1 + user % 9}-01\n" for user in range(400))
    )
    mapping = {
        "time": {"column": "at", "unit": "iso"},
        "user": "who",
        "page": {"column": "what", "names": {"song": "play"}},
        "level": {"constant": "paid"},
        "subscribed_until": {"column": "until", "unit": "iso"},
        "profile": {
            "file": "users.csv",
            "user": "id",
            "registration": {"column": "joined", "unit": "iso"},
        },
        "settings": {
            "labels": {"churn": "lapse", "horizon_days": 7, "gap_days": 1, "grace_days": 2}
        },
    }
    night = START + timedelta(days=84)
    lakehouse = live(spark, tmp_path / "lakehouse", logs, night, mapping)
    window = {night + timedelta(days=days) for days in range(1, 8)}
    ends = {one["who"]: one["until"] for one in subscribers(400, 84)}
    asked = {user for user, end in ends.items() if date.fromisoformat(end) in window}
    scored = {row["user_id"] for row in lakehouse.read(SCORES).select("user_id").collect()}
    assert scored == asked
    assert {user for _, user, *_ in rows(lakehouse)} <= scored
    assert rows(lakehouse)
    known = lakehouse.read(LABELS).filter("is_known").select("label").collect()
    share = sum(row["label"] for row in known) / len(known)
    assert 0.05 < share < 0.5


def purchases(n_customers: int, n_days: int) -> Iterator[str]:
    """A line a purchase: customer, date, number of things and their price."""
    random = Random(7)
    for customer in range(1, n_customers + 1):
        pause = random.choice((8, 15, 40, 400))
        day = random.randrange(30)
        while day < n_days:
            n_things = random.randint(1, 5)
            at = date(1997, 1, 1) + timedelta(days=day)
            yield f" {customer:05} {at:%Y%m%d} {n_things:2} {n_things * 11.77:7.2f}"
            day += 1 + int(random.expovariate(1 / pause))


def test_purchases_of_a_shop_become_a_list(spark: SparkSession, tmp_path: Path) -> None:
    logs = tmp_path / "sales.txt"
    logs.write_text("customer_id date n price\n" + "\n".join(purchases(500, 240)) + "\n")
    mapping = {
        "time": {"column": "date", "unit": "iso", "format": "%Y%m%d"},
        "user": "customer_id",
        "page": {"constant": "Purchase"},
        "tell_apart": ["n", "price"],
        "csv_files": {"separator": "whitespace"},
        "settings": {
            "ingest": {"earliest": date(1997, 1, 1), "silent_days": 60, "usual_day": 0.02},
            "labels": {"churn": "inactivity", "horizon_days": 45, "gap_days": 1},
            "snapshots": {"active_days": 45},
        },
    }
    lakehouse = live(spark, tmp_path / "lakehouse", logs, date(1997, 8, 29), mapping)
    listed = rows(lakehouse, ("user_id", "churn_probability"))
    assert len(listed) > 10
    assert {user for user, _ in listed} <= {f"{number:05}" for number in range(1, 501)}
