"""Logs that aren't ours, from their files to a list, by nothing but their mapping."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any

import pytest
from foreign_logs import MAPPING, foreign, write_csv
from foreign_nights import listed, live, shown_mapping
from pyspark.sql import SparkSession
from streamed_logs import write_streams

from churn_spark.contracts.tables import LABELS, SCORES
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from tests.builders import write_lines

pytestmark = pytest.mark.slow
START = date(2018, 10, 1)
NIGHT = START + timedelta(days=45)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 45 days, a folder a day."""
    folder = tmp_path_factory.mktemp("world")
    simulate_log(SimulationSettings(days=45, files_a_day=1), folder)
    return folder / "events"


@pytest.fixture(scope="module")
def original(
    spark: SparkSession, ours: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[tuple[Any, ...]]:
    """Its list."""
    return listed(live(spark, tmp_path_factory.mktemp("a") / "lakehouse", ours, NIGHT, None))


def records_of(file: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, file.read_bytes().splitlines())


def test_the_renamed_log_of_the_simulator_gives_the_list_of_the_original(
    spark: SparkSession, ours: Path, original: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    for file in ours.rglob("*.json"):
        write_lines(theirs / file.parent.name / "day.json", map(foreign, records_of(file)))
    renamed = listed(live(spark, tmp_path / "lakehouse", theirs, NIGHT, MAPPING))
    assert original
    assert renamed == original


def test_page_views_of_eventsim_give_the_list_of_the_original(
    spark: SparkSession, ours: Path, original: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    write_streams(tmp_path / "output", chain.from_iterable(map(records_of, days_of(ours))))
    views = tmp_path / "output" / "page_view_events"
    mapping = shown_mapping("page: {column: page}")
    assert listed(live(spark, tmp_path / "lakehouse", views, NIGHT, mapping)) == original


def test_songs_that_eventsim_streams_become_a_list_of_who_falls_silent(
    spark: SparkSession, ours: Path, tmp_path: Path
) -> None:
    records = [one for day in days_of(ours) for one in records_of(day)]
    write_streams(tmp_path / "output", records)
    mapping = shown_mapping("page: {constant: NextSong}")
    songs = tmp_path / "output" / "listen_events"
    lakehouse = live(spark, tmp_path / "lakehouse", songs, NIGHT, mapping)
    since = datetime.combine(NIGHT - timedelta(days=14), time(), UTC).timestamp() * 1000
    listening = {
        one["userId"] for one in records if one["page"] == "NextSong" and one["ts"] >= since
    }
    scored = {row["user_id"] for row in lakehouse.read(SCORES).select("user_id").collect()}
    assert scored == listening
    assert {user for _, user, *_ in listed(lakehouse)} <= scored
    assert listed(lakehouse)


def days_of(log: Path) -> list[Path]:
    return sorted(log.rglob("*.json"))


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
    assert {user for _, user, *_ in listed(lakehouse)} <= scored
    assert listed(lakehouse)
    known = lakehouse.read(LABELS).filter("is_known").select("label").collect()
    share = sum(row["label"] for row in known) / len(known)
    assert 0.05 < share < 0.5
