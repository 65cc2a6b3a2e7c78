"""The service in a process of its own, on one core: started, watched, stopped."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from churn_spark.serving.keys import ENVIRONMENT

SERVER_CORE = 0
START_LIMIT_S = 60


@dataclass(frozen=True)
class Server:
    """A service in a process of its own.

    Attributes:
        address: where it answers.
        key: that it asks for.
        pid: of the process.
        start_s: from its start to the first ready answer.
    """

    address: str
    key: str
    pid: int
    start_s: float

    @property
    def cpu_s(self) -> float:
        """Processor time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mb(self) -> float:
        """Memory that the process holds now, in MiB."""
        return self._status_mb("VmRSS")

    @property
    def peak_mb(self) -> float:
        """Memory that the process has ever held, in MiB."""
        return self._status_mb("VmHWM")

    def _status_mb(self, name: str) -> float:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.findall(rf"{name}:\s+(\d+)", status)[0]) / 1024


@contextmanager
def serving(lakehouse: str) -> Iterator[Server]:
    """Start the service on one core and wait until it is ready; stop it afterwards.

    Raises:
        SystemExit: if it isn't ready within a minute.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key, address = secrets.token_urlsafe(32), f"http://127.0.0.1:{port}"
    unlimited = ("serving.requests_per_second=1000000", "serving.burst=1000000")
    # Scores of any age will do.
    settings = (*unlimited, f"serving.port={port}", "serving.max_scores_age_hours=1000000")
    command = [sys.executable, "-m", "jobs.serve"]
    command += [part for setting in settings for part in ("--set", setting)]
    environment = {**os.environ, ENVIRONMENT: key, "LAKEHOUSE": lakehouse}
    started = time.monotonic()
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment,
        ) as process,
    ):
        try:
            while not is_ready(address):
                if process.poll() is not None or time.monotonic() - started > START_LIMIT_S:
                    said.seek(0)
                    raise SystemExit(f"the service is not ready:\n{said.read().decode()}")
                time.sleep(0.02)
            yield Server(address, key, process.pid, time.monotonic() - started)
        finally:
            process.terminate()


def is_ready(address: str) -> bool:
    """Whether the service says that it is."""
    try:
        return httpx.get(f"{address}/ready").status_code == 200
    except httpx.TransportError:
        return False
