"""The simulator writes into empty folders and its own worlds, and touches nobody else's files."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders import bytes_of

from churn_spark.errors import InputError
from churn_spark.simulate import world
from churn_spark.simulate.probabilities import write_probabilities
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.world import continue_log, simulate_log

SETTINGS = SimulationSettings(users=5, days=2)
DAY = "events/2018-10-01"


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"content of {name}")


@pytest.mark.parametrize(
    "names",
    [
        ("truth/labels.csv", f"{DAY}/events-42.json", f"{DAY}/real.json"),
        (f"{DAY}/events-00.json",),
        (f"{DAY}/.events-00.json.tmp",),
        ("world/map.txt",),
        ("world/settings.json", f"{DAY}/events-00.json"),
        ("world/files.txt", "truth/labels.csv"),
        (".work/notes.txt",),
        ("2018-11-01-events.json",),
    ],
)
def test_folder_with_files_of_others_is_refused_and_stays_as_it_is(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    write(tmp_path, *names)
    before = bytes_of(tmp_path)
    with pytest.raises(InputError, match="which no simulation there has written"):
        simulate_log(SETTINGS, tmp_path)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize(
    "name",
    [
        f"{DAY}/real.json",
        f"{DAY}/events-00.json",  # nobody was there in the first six hours
        f"{DAY}/events-23.json",
        f"{DAY}/events-00.json.gz",
        "events/2018-10-03/events-00.json",
        "truth/labels.csv",
        "truth/users/block-00001.parquet",
        "world/2018-10-03/notes.txt",
        ".work/notes.txt",
    ],
)
def test_file_put_into_a_simulated_world_is_named_and_stays(tmp_path: Path, name: str) -> None:
    simulate_log(SETTINGS, tmp_path)
    write(tmp_path, name)
    before = bytes_of(tmp_path)
    for again in (
        lambda: simulate_log(replace(SETTINGS, seed=1), tmp_path),
        lambda: continue_log(tmp_path, Period(date(2018, 10, 3), 1)),
        lambda: write_probabilities(tmp_path, date(2018, 10, 2), 14, 1),
    ):
        with pytest.raises(InputError, match=f"found {name} in"):
            again()
        assert bytes_of(tmp_path) == before


@pytest.mark.parametrize("name", ["truth", DAY])
def test_link_to_a_folder_of_others_is_not_followed(tmp_path: Path, name: str) -> None:
    others, out = tmp_path / "others", tmp_path / "out"
    simulate_log(SETTINGS, out)
    (out / name).rename(others)
    (out / name).symlink_to(others)
    before = bytes_of(others)
    with pytest.raises(InputError, match=f"found {name} in"):
        simulate_log(replace(SETTINGS, seed=1), out)
    assert bytes_of(others) == before


def test_list_that_names_files_outside_the_world_is_not_followed(tmp_path: Path) -> None:
    out, theirs = tmp_path / "out", tmp_path / "theirs.txt"
    simulate_log(SETTINGS, out)
    write(tmp_path, theirs.name)
    write(out, "notes.txt")
    listing = out / "world" / "files.txt"
    listing.write_text(f"{listing.read_text()}events/../../theirs.txt\n{theirs}\nnotes.txt\n")
    simulate_log(replace(SETTINGS, seed=1), out)
    assert theirs.exists()
    assert (out / "notes.txt").exists()


def test_world_of_a_run_that_was_cut_off_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_day = world.write_day

    def give_up(*arguments: Any) -> int:
        write_day(*arguments)
        raise KeyboardInterrupt

    simulate_log(replace(SETTINGS, files_a_day=24), tmp_path / "cut")
    for settings in (replace(SETTINGS, is_compressed=True), replace(SETTINGS, seed=3)):
        monkeypatch.setattr(world, "write_day", give_up)
        with pytest.raises(KeyboardInterrupt):
            simulate_log(settings, tmp_path / "cut")
        monkeypatch.undo()
        assert not world.has_log(tmp_path / "cut")
    for name in ("cut", "whole"):
        simulate_log(SETTINGS, tmp_path / name)
    assert bytes_of(tmp_path / "cut") == bytes_of(tmp_path / "whole")
