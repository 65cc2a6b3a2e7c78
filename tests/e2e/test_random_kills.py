"""A night that is killed without warning at random moments, and done again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from bench.kills import KilledNights
from bench.random_kills import RandomKills

_PAGE = "reports/monitoring.html"


@dataclass(frozen=True)
class FirstNight(KilledNights):
    """The night that trains the first model; it has all of the log to load, too."""

    @property
    def nights(self) -> tuple[date]:  # type: ignore[override]
        return (super().nights[0],)

    def prepare(self) -> None:
        self.simulate()


@pytest.mark.slow
def test_night_killed_at_random_moments_leaves_what_an_undisturbed_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # This process may keep no connection to a store that has been put back.
    monkeypatch.setenv("MLFLOW_SQLALCHEMYSTORE_POOLCLASS", "NullPool")
    # In the half minute that each JVM lives, its optimizing compiler takes more than it saves.
    monkeypatch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
    kills = RandomKills(FirstNight(tmp_path))
    kills.prepare()
    [left] = kills.expected.values()
    assert _PAGE in left
    # After half of the night's CPU seconds, and a third and a fifth of them later: less is left.
    kills.live_killed(3, random.Random(41))
    assert len(kills.kills) == 3
    assert not any(kills.ends)
