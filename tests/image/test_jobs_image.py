"""The image of the jobs: Spark runs in it on its own Java and jars, given only a lakehouse."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from deltalake import DeltaTable
from image_builders import podman

IMAGE = "localhost/churn-jobs"
USER = 10001
# The libraries that Spark and LightGBM unpack are loaded from /tmp.
LOCKED = ("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp:exec,mode=1777")


@pytest.fixture
def run_job(tmp_path: Path) -> Callable[..., str]:
    """Runs a job on a lakehouse of the test's own, without a network."""
    folder = tmp_path / "lakehouse"
    folder.mkdir(mode=0o755)
    os.chown(folder, USER, USER)

    def run(*arguments: str) -> str:
        done = podman(
            *("run", "--rm", "--network=none", "--pull=never", "--cap-drop=all", *LOCKED),
            *("--security-opt=no-new-privileges", "--volume", f"{folder}:/lakehouse"),
            *(IMAGE, *arguments),
        )
        return done.stdout + done.stderr

    return run


def test_simulated_log_becomes_a_delta_table(run_job: Callable[..., str], tmp_path: Path) -> None:
    world = ("--users", "12", "--days", "12", "--seed", "3", "--out", "/lakehouse/log")
    run_job("jobs.simulate_events", *world)
    lakehouse = tmp_path / "lakehouse"
    files = lakehouse.glob("log/events/*/*.json")
    events = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    n_known = sum(bool(event["userId"]) for event in events)
    run_job("jobs.ingest_events", "--events", "/lakehouse/log/events")
    bronze = DeltaTable(lakehouse / "bronze" / "events").to_pyarrow_table()
    assert len(bronze) == n_known > 100
    assert {path.stat().st_uid for path in lakehouse.rglob("*")} == {USER}
