"""A simulated world goes on: day by day, block by block, in any order, to the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders import bytes_of
from typer.testing import CliRunner

from churn_spark.errors import InputError
from churn_spark.simulate import population, world
from churn_spark.simulate.probabilities import write_probabilities
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.world import continue_log, run_here, simulate_log
from jobs.simulate_events import app

START = date(2018, 10, 1)
# Everything that must survive the night between two runs: newcomers, fading interest, offers,
# late lines, a change of the world.
RICH = SimulationSettings(
    users=60, days=6, seed=5, growth=3.0, regime="degrading", drift="label",
    drift_date=START + timedelta(days=4), dirty_share=0.03,
)  # fmt: skip


def without_old_states(folder: Path) -> dict[str, bytes]:
    """All files but the states of the world at other days than its last, which are not kept."""
    return {
        name: content
        for name, content in bytes_of(folder).items()
        if not name.startswith("world") or name.startswith("world/2018-10-07")
    }


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(population, "BLOCK_USERS", 16)


@pytest.mark.parametrize("regime", ["memoryless", "degrading"])
def test_day_by_day_gives_the_bytes_of_one_go(
    tmp_path: Path, regime: str, small_blocks: None
) -> None:
    settings = replace(RICH, regime=regime)
    simulate_log(settings, tmp_path / "at once")
    simulate_log(replace(settings, days=2), tmp_path / "by day")
    for first, days in ((2, 1), (3, 1), (4, 2)):
        continue_log(tmp_path / "by day", Period(START + timedelta(days=first), days))
    assert without_old_states(tmp_path / "by day") == without_old_states(tmp_path / "at once")


def test_last_days_are_the_same_when_simulated_again(tmp_path: Path) -> None:
    simulate_log(replace(RICH, days=3), tmp_path)
    next_days = Period(START + timedelta(days=3), 2)
    first = continue_log(tmp_path, next_days)
    before = bytes_of(tmp_path)
    assert continue_log(tmp_path, next_days) == first
    assert bytes_of(tmp_path) == before


CAMPAIGN = Period(START + timedelta(days=27), 3)
"""Has the first campaign of a degrading world on its second day."""


@pytest.mark.parametrize("cut_off", ["nowhere", "while it deletes", "while it writes"])
def test_last_period_again_with_fewer_days_leaves_none_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut_off: str
) -> None:
    for name in ("short", "again"):
        simulate_log(replace(RICH, users=20, days=27), tmp_path / name)
    short = replace(CAMPAIGN, days=1)
    expected = continue_log(tmp_path / "short", short)
    continue_log(tmp_path / "again", CAMPAIGN)
    write_probabilities(tmp_path / "again", CAMPAIGN.end, 14, 1)
    remove = world.remove

    def give_up(*arguments: Any) -> Any:
        raise KeyboardInterrupt

    def delete_two(paths: Iterable[Path], out: Path) -> None:
        remove([*paths][:2], out)
        if len([*paths]) > 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, suppress(KeyboardInterrupt):
        if cut_off == "while it deletes":
            patched.setattr(world, "remove", delete_two)
        elif cut_off == "while it writes":
            patched.setattr(world, "write_day", give_up)
        continue_log(tmp_path / "again", short)
    if cut_off != "nowhere":
        # Nothing goes on from a state whose days may be gone.
        assert not world.state_folder(tmp_path / "again", CAMPAIGN.end).exists()
        assert world.log_end(tmp_path / "again") == short.first
    found = continue_log(tmp_path / "again", short)
    assert replace(found, folder=expected.folder) == expected
    assert bytes_of(tmp_path / "again") == bytes_of(tmp_path / "short")


def test_interrupted_run_ends_in_the_same_bytes_when_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulate_log(replace(RICH, days=3), tmp_path / "whole")
    simulate_log(replace(RICH, days=3), tmp_path / "cut")
    next_days = Period(START + timedelta(days=3), 3)
    continue_log(tmp_path / "whole", next_days)
    write_day, written = world.write_day, []

    def give_up(*arguments: Any) -> int:
        written.append(write_day(*arguments))
        if len(written) == 2:
            raise KeyboardInterrupt
        return written[-1]

    monkeypatch.setattr(world, "write_day", give_up)
    with pytest.raises(KeyboardInterrupt):
        continue_log(tmp_path / "cut", next_days)
    monkeypatch.undo()
    continue_log(tmp_path / "cut", next_days)
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")


def test_order_of_the_parts_changes_no_byte(tmp_path: Path, small_blocks: None) -> None:
    def backwards(function: Callable[[Any], Any], tasks: Sequence[Any]) -> list[Any]:
        return run_here(function, tasks[::-1])[::-1]

    assert population.count_blocks(RICH) == 4
    simulate_log(RICH, tmp_path / "forwards")
    simulate_log(RICH, tmp_path / "backwards", backwards)
    assert bytes_of(tmp_path / "forwards") == bytes_of(tmp_path / "backwards")


def test_a_block_lives_the_same_whatever_blocks_there_are(
    tmp_path: Path, small_blocks: None
) -> None:
    simulate_log(replace(RICH, growth=0.0), tmp_path / "four")
    simulate_log(replace(RICH, growth=0.0, users=16), tmp_path / "one")
    part = "truth/users/block-00000.parquet"
    assert (tmp_path / "four" / part).read_bytes() == (tmp_path / "one" / part).read_bytes()


def test_world_without_a_state_there_does_not_go_on(tmp_path: Path) -> None:
    simulate_log(replace(RICH, days=3), tmp_path)
    before = bytes_of(tmp_path)
    with pytest.raises(InputError, match=r"no state of the world at 2018-10-09.*2018-10-04"):
        continue_log(tmp_path, Period(date(2018, 10, 9), 1))
    assert bytes_of(tmp_path) == before


def test_no_world_does_not_go_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="found no simulated world in"):
        continue_log(tmp_path, Period(START, 1))


def test_newcomers_join_at_the_growth_of_a_year() -> None:
    settings = SimulationSettings(users=2000, growth=0.5, seed=3)
    days = range(17_805, 17_805 + 365)
    newcomers = population.build_newcomers(settings, 0, np.array(days), 0)
    assert len(newcomers.number) == pytest.approx(1000, abs=4 * 1000**0.5)
    assert (newcomers.arrives - newcomers.registered == 60).all()
    assert newcomers.number.min() >= settings.users


def test_job_goes_on_with_a_world_and_refuses_to_change_it(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "job")]
    runner = CliRunner()
    for arguments in (
        ["--users", "60", "--days", "3", "--growth", "3.0", "--seed", "5"],
        ["--from", "2018-10-04", "--days", "1"],
    ):
        assert runner.invoke(app, [*arguments, *out]).exit_code == 0
    simulate_log(SimulationSettings(users=60, days=3, growth=3.0, seed=5), tmp_path / "function")
    continue_log(tmp_path / "function", Period(date(2018, 10, 4), 1))
    assert bytes_of(tmp_path / "job") == bytes_of(tmp_path / "function")
    refused = runner.invoke(
        app, ["--from", "2018-10-05", "--seed", "6", "--users", "9", "--gzip", *out]
    )
    assert isinstance(refused.exception, InputError)
    assert "found --from with --seed, --users, --gzip," in str(refused.exception)
