"""A job that is killed without warning, and run again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE
from tests.local_lakehouse import open_local, rows_of

ROOT = Path(__file__).resolve().parents[2]


def start_ingest(logs: Path, lakehouse: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "jobs.ingest_events", "--events", str(logs)]
    environment = os.environ | {"LAKEHOUSE": str(lakehouse)}
    return subprocess.Popen(
        [*command, "--set", "ingest.max_files_per_batch=4"],
        cwd=ROOT,
        env=environment,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )


def content(lakehouse: Path) -> dict[str, list[tuple[Any, ...]]]:
    tables = open_local(lakehouse)
    return {
        spec.name: sorted(rows_of(tables, spec).rows(), key=repr)
        for spec in (EVENTS, QUARANTINE, FILES)
    }


@pytest.mark.slow
def test_ingest_killed_in_the_middle_and_run_again_gives_the_same_tables(
    daily_log: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start_ingest(daily_log, whole).wait(timeout=300) == 0

    process = start_ingest(daily_log, killed)
    third_batch = killed / EVENTS.path / "_delta_log" / f"{3:020}.json"
    deadline = time.monotonic() + 300
    while not third_batch.exists() and time.monotonic() < deadline:
        assert process.poll() is None, "the ingest ended before it could be killed"
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert rows_of(open_local(killed), FILES).height < 30

    assert start_ingest(daily_log, killed).wait(timeout=300) == 0
    assert content(killed) == content(whole)
