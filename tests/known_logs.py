"""Logs of which it is known what is in them: simulated ones, and the real ones where they lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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
