"""A lakehouse and its logs in a store, and the project's commands on them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import obstore
from obstore.store import from_url
from pyarrow import fs

from bench.killed_night import LIGHT
from churn_spark.lakehouse import hdfs

_log: Final = logging.getLogger(__name__)
ROOT: Final = Path(__file__).parents[2]
FIRST: Final = date(2018, 11, 27)
"""Of the nights; the log ends three days later."""
NIGHTS: Final = tuple(FIRST + timedelta(days=n) for n in range(4))
SETTINGS: Final = (*LIGHT, "policy.min_rows=50", "monitoring.min_slice_rows=20")


@dataclass(frozen=True)
class Place:
    """A folder of a store: `events` in it are the logs, `lakehouse` the tables.

    Attributes:
        root: its address, or its path.
        environment: what leads to the store, and to the registry where it isn't in the lakehouse.
        settings: of the configuration, besides those of all.
        log: folder of the whole log, on this machine.
    """

    root: str
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    settings: Sequence[str] = ()

    @property
    def lakehouse(self) -> str:
        """Its address."""
        return f"{self.root}/lakehouse"

    @property
    def events(self) -> tuple[str, str]:
        """The option that names its logs."""
        return "--events", f"{self.root}/events"

    @property
    def variables(self) -> dict[str, str]:
        """The environment of its commands."""
        return {**os.environ, **self.environment, "LAKEHOUSE": self.lakehouse}

    def command(self, job: str, *options: str) -> list[str]:
        """A job on the lakehouse."""
        changes = [word for one in (*SETTINGS, *self.settings) for word in ("--set", one)]
        return [sys.executable, "-m", f"jobs.{job}", *options, *changes]

    def run(self, job: str, *options: str, code: int = 0) -> str:
        """Do a job; gives what it has printed, its errors behind."""
        command, began = self.command(job, *options), time.monotonic()
        done = subprocess.run(
            command, env=self.variables, cwd=ROOT, capture_output=True, text=True, check=False
        )
        said = f"{done.stdout}{done.stderr}"
        seconds = time.monotonic() - began
        _log.info("%s %s: %s, %.0f s\n%s", self.root, job, " ".join(options), seconds, said)
        assert done.returncode == code, said[-3000:]
        return said

    def deliver(self, end: date, since: date = date.min) -> None:
        """Bring the files of the days from one date to before another."""
        for file in sorted(self.log.glob("*/*")):
            day = file.parent.name
            if str(since) <= day < str(end):
                self.put(f"events/{day}/{file.name}", file.read_bytes())

    def put(self, path: str, content: bytes) -> None:
        """Write a file."""
        if "://" not in self.root:
            target = Path(self.root, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        elif hdfs.is_hdfs(self.root):
            hdfs.write_file(f"{self.root}/{path}", content)
        else:
            http = {"allow_http": True}
            config: Any = {
                name: value
                for name, value in self.environment.items()
                if name.startswith("AWS_") and name != "AWS_ALLOW_HTTP"
            }
            store = from_url(self.root, config=config, client_options=http)
            obstore.put(store, path, content)

    def live(self) -> None:
        """A night on the log up to then, and three nights after it, whose days come before them."""
        self.deliver(FIRST)
        self.run("nightly", "--date", str(FIRST), *self.events)
        self.deliver(NIGHTS[-1], since=FIRST)
        nights = ("--from", str(NIGHTS[1]), "--to", str(NIGHTS[-1]))
        self.run("nightly", *nights, *self.events)

    def copy_to(self, folder: Path) -> Path:
        """Copy the whole place to this machine; gives the folder of the lakehouse."""
        store, inside = self._open()
        here = fs.LocalFileSystem()
        fs.copy_files(inside, str(folder), source_filesystem=store, destination_filesystem=here)
        return folder / "lakehouse"

    def _open(self) -> tuple[fs.FileSystem, str]:
        """The file system, and the folder's name there."""
        if "://" not in self.root:
            return fs.LocalFileSystem(), self.root
        if hdfs.is_hdfs(self.root):
            return hdfs.locate(self.root)
        there = self.environment
        store = fs.S3FileSystem(
            access_key=there["AWS_ACCESS_KEY_ID"],
            secret_key=there["AWS_SECRET_ACCESS_KEY"],
            region=there["AWS_REGION"],
            endpoint_override=there["AWS_ENDPOINT_URL"],
        )
        return store, self.root.removeprefix("s3a://")
