"""Nights of a small world, lived on a cluster and locally from the same files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain
from pathlib import Path
from typing import Final

from bench.built_lakehouse import BuiltLakehouse
from bench.executor_tasks import ExecutorTasks, read_tasks
from bench.killed_night import LIGHT
from bench.kills import KilledNights
from bench.same_lakehouse import console
from bench.standalone import StandaloneCluster, Submitted
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log

# The cluster has its own number of partitions: what `conf/cluster.yaml` says.
LEARNT_LIGHTLY: Final = [one for one in LIGHT if not one.startswith("spark.")]
# So that a log of 600 users is above every bound up to which the driver works alone.
ON_EXECUTORS: Final = [
    "ingest.max_driver_bytes=0",
    "ingest.max_driver_events=0",
    "spark.max_local_users=0",
]
_N_NIGHTS: Final = 4


def set_all(*overrides: str) -> list[str]:
    """The overrides as options of a job."""
    return [*chain.from_iterable(("--set", one) for one in overrides)]


@dataclass
class LivedNights:
    """A small world, whose nights are lived on the cluster and locally, from the same files.

    Attributes:
        cluster: where.
        work: folder of all.
        tasks: date -> what its executors did.
        said: date -> what the cluster's night has said.
    """

    cluster: StandaloneCluster
    work: Path
    tasks: dict[date, ExecutorTasks] = field(default_factory=dict, init=False)
    said: dict[date, str] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.world = KilledNights(self.work, SimulationSettings(users=600))
        simulate_log(self.world.settings, self.work / "world")

    @property
    def dates(self) -> list[date]:
        """A first night, which trains, and three more."""
        last = self.world.settings.start + timedelta(days=self.world.settings.days)
        return [last - timedelta(days=n) for n in reversed(range(_N_NIGHTS))]

    @property
    def local(self) -> BuiltLakehouse:
        """What local nights leave."""
        return BuiltLakehouse(self.work / "local")

    @property
    def distributed(self) -> BuiltLakehouse:
        """What the cluster's nights leave."""
        return BuiltLakehouse(self.work / "distributed")

    def live(self, night: date, kills: bool = False) -> None:
        """Live a night in both places; on the cluster a worker may be killed half way."""
        self.world.deliver(night)
        arguments = ["--date", str(night), "--events", str(self.work / "incoming")]
        self.run_locally("nightly", arguments, LEARNT_LIGHTLY)
        there = self.submit("nightly", arguments, [*LEARNT_LIGHTLY, *ON_EXECUTORS])
        if kills:
            before = self.tasks[night - timedelta(days=1)].n_tasks.total()
            there.wait_for(before // 2)
            self.cluster.kill_worker(0)
        self.said[night] = there.wait()
        self.tasks[night] = read_tasks(there.event_log)
        done = ", ".join(f"{n} by {one}" for one, n in sorted(self.tasks[night].n_tasks.items()))
        lost = f"; lost: executor {', '.join(self.tasks[night].lost)}" if kills else ""
        console.print(f"{night} on the cluster: tasks of its executors: {done}{lost}")

    def run_locally(self, job: str, arguments: Sequence[str], overrides: Sequence[str]) -> None:
        """Do a job in local mode."""
        options = set_all(f"lakehouse={self.local.folder}", *overrides)
        command = [sys.executable, "-m", f"jobs.{job}", *arguments, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"

    def submit(self, job: str, arguments: Sequence[str], overrides: Sequence[str]) -> Submitted:
        """Start a job on the cluster."""
        where = f"lakehouse={self.distributed.folder}"
        return self.cluster.submit(job, *arguments, *set_all(where, *overrides))
