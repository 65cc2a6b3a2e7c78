"""Spark's own account of a job says which executor did what, and which was lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.cluster_speed import seconds_of
from bench.executor_tasks import read_tasks


def stage(number: int, name: str, *operators: str) -> dict[str, Any]:
    rdds = [{"Scope": json.dumps({"id": "1", "name": one})} for one in operators]
    info = {"Stage ID": number, "Stage Name": name, "RDD Info": [*rdds, {}]}
    return {"Event": "SparkListenerStageSubmitted", "Stage Info": info}


def ended(number: int, executor: str, reason: str = "Success") -> dict[str, Any]:
    return {
        "Event": "SparkListenerTaskEnd",
        "Stage ID": number,
        "Task End Reason": {"Reason": reason},
        "Task Info": {"Executor ID": executor},
    }


def test_tasks_are_counted_by_operator_and_by_the_file_that_asked(tmp_path: Path) -> None:
    events = [
        stage(0, "collect at /zip/churn_spark/pipeline/native_feed.py:99"),
        stage(1, "save at NativeMethodAccessorImpl.java:0", "MapInPandas", "Exchange"),
        ended(0, "0"),
        ended(0, "1"),
        ended(1, "1"),
        ended(1, "0", "ExecutorLostFailure"),
        {"Event": "SparkListenerExecutorRemoved", "Executor ID": "0"},
    ]
    log = tmp_path / "app-1.inprogress"
    log.write_text("\n".join([*map(json.dumps, events), '{"Event": "SparkLis']))
    found = read_tasks(log)
    assert found.executors("collect at native_feed.py") == ["0", "1"]
    assert found.executors("MapInPandas") == ["1"]
    assert found.executors("FlatMapGroups") == []
    assert found.n_tasks == {"0": 1, "1": 2}
    assert found.lost == {"0"}


def test_seconds_are_taken_from_a_nights_closing_lines() -> None:
    said = (
        "ingest_events        read 9 lines; 8 events  [12.5 s]\n"
        "build_session_days   still running after 10 s, task 3 of 4\n"
        "build_session_days   31 dates rebuilt  [2.0 s]\n"
        "build_transitions    31 dates rebuilt  [1.5 s]\n"
        "score_users          225 users of 2018-12-01  [0.5 s]\n"
    )
    assert seconds_of(said) == {"ingest": 12.5, "rollups": 3.5, "scoring": 0.5}
