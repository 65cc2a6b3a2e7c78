"""Logs of which it is known what is in them: simulated ones, and the real ones where they lie."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log


@dataclass(frozen=True)
class KnownLog:
    """A log, and what is known of it.

    Attributes:
        path: file or folder.
        n_users: users with an event.
        n_cancels: those of them who cancel.
    """

    path: Path
    n_users: int
    n_cancels: int


def simulate(settings: SimulationSettings, out: Path) -> KnownLog:
    """Simulate a world into a new folder."""
    facts = simulate_log(settings, out)
    return KnownLog(out / "events", facts.users_seen, facts.cancels)


def read_records(log: Path) -> Iterator[dict[str, Any]]:
    """The records of a log, a file or a folder of them, in the order of the files' names."""
    for file in sorted(log.rglob("*.json*")) if log.is_dir() else [log]:
        raw = file.read_bytes()
        yield from map(
            json.loads, (gzip.decompress(raw) if file.suffix == ".gz" else raw).splitlines()
        )


def find_sample_data() -> Path | None:
    """The folder with the real logs, which are not part of the project; none where there is none.

    Where it is required it must be there.
    """
    folder = os.environ.get("CHURN_SAMPLE_DATA")
    if folder and Path(folder).is_dir():
        return Path(folder)
    if os.environ.get("CHURN_REQUIRE_SAMPLE_DATA"):
        pytest.fail(f"CHURN_SAMPLE_DATA is {folder!r}, expected a folder with the sample logs")
    return None
