"""The logs that the flow runs on: simulated ones everywhere, the real ones where they lie."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from churn_spark.simulate.settings import SimulationSettings
from tests.known_logs import KnownLog, find_sample_data, simulate


@pytest.fixture(scope="session")
def simulated_log(tmp_path_factory: pytest.TempPathFactory) -> KnownLog:
    """Two months of 226 users, as the mini log has them."""
    return simulate(SimulationSettings(files_a_day=1), tmp_path_factory.mktemp("world") / "log")


@pytest.fixture(scope="session")
def mini_log(request: pytest.FixtureRequest) -> KnownLog:
    """The real mini log, or the simulated one of the same size and dates."""
    if (folder := find_sample_data()) is None:
        found: KnownLog = request.getfixturevalue("simulated_log")
        return found
    return KnownLog(folder / "customer_churn_mini.json.gz", 226, 45)


@pytest.fixture(scope="session")
def daily_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month with a file a day and too few cancellations to learn from, real or simulated."""
    if (folder := find_sample_data()) is not None:
        return folder / "log_data"
    few = SimulationSettings(users=15, start=date(2018, 11, 1), days=30, style="daily", seed=2)
    return simulate(few, tmp_path_factory.mktemp("daily") / "log").path
