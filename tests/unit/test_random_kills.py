"""Kills at random moments: counted over pieces, compared with undisturbed nights."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from bench.random_kills import RandomKills, say_tally

NIGHTS = (date(2018, 11, 24), date(2018, 12, 1))
_USUAL_S = 10.0


@dataclass
class FakeWorld:
    """Nights that take ten seconds; one that is killed when it writes may leave a half.

    Attributes:
        work: folder.
        keeps_halves: whether nights go wrong that were killed in their last second.
    """

    work: Path
    keeps_halves: bool = False
    nights: tuple[date, date] = NIGHTS
    done: list[date] = field(default_factory=list)
    is_half: bool = False

    def prepare(self) -> None:
        (self.work / "incoming").mkdir()

    def keep(self) -> None:
        """Nothing but the nights' dates is kept."""

    def restore(self) -> None:
        self.done, self.is_half = [], False

    def deliver(self, _: date) -> None:
        (self.work / "incoming").mkdir(exist_ok=True)

    def content(self) -> dict[str, str]:
        return {"scores": f"{self.done} {self.is_half}", "registry": "one"}


@dataclass
class FakeKills(RandomKills):
    def live(self, night: date, seconds: float | None = None) -> tuple[float, str | None]:
        assert isinstance(self.world, FakeWorld)
        if seconds is not None and seconds < _USUAL_S:
            self.world.is_half |= self.world.keeps_halves and seconds > _USUAL_S - 1
            return seconds, "lock" if seconds < 1 else "train_model"
        self.world.done.append(night)
        return _USUAL_S, None


def begin(work: Path, *, keeps_halves: bool = False) -> FakeKills:
    kills = FakeKills(FakeWorld(work, keeps_halves))  # type: ignore[arg-type]
    kills.prepare()
    return kills


def test_kills_are_counted_over_pieces(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin(tmp_path).live_killed(30, random.Random(1))
    later = begin(tmp_path)
    assert len(later.kills) == 30
    n_ends = len(later.ends)
    later.live_killed(50, random.Random(2))
    say_tally(later)
    told = capsys.readouterr().out
    assert "killed 50 times at random moments" in told
    assert "champion each time: holds" in told
    assert len(later.ends) > n_ends > 0


def test_what_a_killed_night_has_left_wrong_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kills = begin(tmp_path, keeps_halves=True)
    kills.live_killed(50, random.Random(1))
    say_tally(kills)
    told = capsys.readouterr().out
    assert "FAILS" in told
    assert told.endswith("  scores\n")
