"""A standalone cluster of Spark on this machine: a master and workers, each a process of its own.

All are started from the pip-installed pyspark, in a folder and an environment from which nothing
of this project is to be found: what the executors import has come from the driver. What is started
here is also ended here, by its process id.
"""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.executor_tasks import read_tasks
from churn_spark.runtime.java import java_environment
from churn_spark.runtime.usage import descendants

ROOT: Final = Path(__file__).resolve().parents[1]
_START_S: Final = 60.0
_STOP_S: Final = 10.0
_EVERY_S: Final = 0.1
_EVERY_LOOK_S: Final = 0.5
_PASSED_ON: Final = ("PATH", "HOME", "LANG", "TMPDIR", "USER")


@dataclass(frozen=True)
class _Daemon:
    """A master or a worker: its process, which leads a group, and where it writes its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def find(self, pattern: str) -> str:
        """Wait for what it says, and give the first group of it.

        Raises:
            SystemExit: if it ends before, or doesn't say it within a minute.
        """
        until = time.monotonic() + _START_S
        while time.monotonic() < until and self.process.poll() is None:
            if found := re.search(pattern, self.log.read_text(errors="replace")):
                return found[1]
            time.sleep(_EVERY_S)
        raise SystemExit(f"found no {pattern!r} in {self.log}, expected it within a minute")

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it and all processes below it, and wait until they are gone."""
        if self.process.poll() is not None:
            return
        below = descendants(self.process.pid)
        _send(below if number == signal.SIGKILL else [self.process.pid], number)
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _send([pid for pid in below if pid != self.process.pid], signal.SIGKILL)


@dataclass
class StandaloneCluster:
    """A running cluster.

    Attributes:
        folder: of logs, scratch files and event logs.
        cores: of each worker.
        memory: of each worker, all of it for one executor.
        master: address for `--master`.
    """

    folder: Path
    cores: int = 1
    memory: str = "1g"
    master: str = field(default="", init=False)
    _master: _Daemon | None = field(default=None, init=False)
    _workers: list[_Daemon] = field(default_factory=list, init=False)
    _jobs: list[Submitted] = field(default_factory=list, init=False)

    def start(self, n_workers: int) -> None:
        """Start the master, then the workers, and wait until all have found each other."""
        for name in ("conf", "events"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._master = self._launch("master", "--port", "0", "--webui-port", "0")
        self.master = self._master.find(r"Starting Spark master at (\S+)")
        for _ in range(n_workers):
            self.add_worker()

    def add_worker(self) -> int:
        """Start one more worker; returns its number, from 0."""
        number = len(self._workers)
        limits = ("--cores", str(self.cores), "--memory", self.memory)
        places = ("--work-dir", str(self.folder / f"worker-{number}"))
        ports = ("--port", "0", "--webui-port", "0")
        worker = self._launch(f"worker-{number}", *limits, *places, *ports, self.master)
        self._workers.append(worker)
        worker.find(r"(Successfully registered with master)")
        return number

    def kill_worker(self, number: int) -> None:
        """Take a worker away without warning, with its executors, as if its machine were gone."""
        self._workers[number].end(signal.SIGKILL)

    def stop(self) -> None:
        """End all that is still there."""
        for job in self._jobs:
            if job.process.poll() is None:
                _send(descendants(job.process.pid), signal.SIGKILL)
        for daemon in [*self._workers, self._master]:
            if daemon is not None:
                daemon.end()

    def submit(
        self, job: str, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> Submitted:
        """Start a job on the cluster, by `spark-submit.sh`.

        Args:
            job: its name.
            arguments: its options.
            settings: of Spark, for this job.
        """
        number = len(list((self.folder / "events").iterdir()))
        events = self.folder / "events" / str(number)
        conf = self.folder / "conf" / str(number)
        for made in (events, conf):
            made.mkdir()
        chosen = {
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": events.as_uri(),
            **(settings or {}),
        }
        lines = [f"{name} {value}\n" for name, value in chosen.items()]
        (conf / "spark-defaults.conf").write_text("".join(lines))
        submitted = Submitted(_submit(self, conf, [job, *arguments]), events)
        self._jobs.append(submitted)
        return submitted

    def _launch(self, name: str, *arguments: str) -> _Daemon:
        kind = name.partition("-")[0]
        place = self.folder / name
        place.mkdir()
        log = self.folder / f"{name}.log"
        command = [str(_spark_home() / "bin" / "spark-class")]
        command += [f"org.apache.spark.deploy.{kind}.{kind.capitalize()}", "--host", "127.0.0.1"]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, *arguments],
                stdout=out,
                stderr=out,
                cwd=place,
                env=self.environment(place),
                start_new_session=True,
            )
        return _Daemon(process, log)

    def environment(self, place: Path) -> dict[str, str]:
        """Of the processes that work in a folder: it has nothing of this project's."""
        kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return {
            **kept,
            **java_environment(),
            "SPARK_HOME": str(_spark_home()),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(place / "scratch"),
            "SPARK_DAEMON_MEMORY": "256m",
        }


@dataclass(frozen=True)
class Submitted:
    """A job on its way.

    Attributes:
        process: of spark-submit.
        events: folder of Spark's account of it.
    """

    process: subprocess.Popen[str]
    events: Path

    def wait(self) -> str:
        """Wait for its end; returns what it wrote to its standard output.

        Raises:
            SystemExit: if it failed, with what it wrote to its standard error.
        """
        out, err = self.process.communicate()
        if self.process.returncode:
            raise SystemExit(f"found exit code {self.process.returncode}, expected 0:\n{out}{err}")
        return out

    def wait_for(self, n_tasks: int) -> None:
        """Wait until its executors have done so many tasks.

        Raises:
            SystemExit: if it ends before.
        """
        while self._n_tasks() < n_tasks:
            if self.process.poll() is not None:
                raise SystemExit(f"found its end, expected {n_tasks} tasks before:\n{self.wait()}")
            time.sleep(_EVERY_LOOK_S)

    def _n_tasks(self) -> int:
        is_begun = any(self.events.iterdir())
        return read_tasks(self.event_log).n_tasks.total() if is_begun else 0

    @property
    def event_log(self) -> Path:
        """The file with Spark's account; it is there from the start of the session on."""
        (log,) = self.events.iterdir()
        return log


@contextmanager
def running_cluster(
    folder: Path, n_workers: int, cores: int = 1, memory: str = "1g"
) -> Iterator[StandaloneCluster]:
    """A cluster, ended with the block, and with this process if that is asked to end."""
    cluster = StandaloneCluster(folder, cores, memory)
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        cluster.start(n_workers)
        yield cluster
    finally:
        cluster.stop()
        signal.signal(signal.SIGTERM, before)


def _submit(cluster: StandaloneCluster, conf: Path, command: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {
        "SPARK_MASTER": cluster.master,
        "SPARK_EXECUTOR_MEMORY": cluster.memory,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_CONF_DIR": str(conf),
        "VENV": sys.prefix,
    }
    return subprocess.Popen(
        [str(ROOT / "spark-submit.sh"), *command, "--env", "cluster"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )


def _spark_home() -> Path:
    found = importlib.util.find_spec("pyspark")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
