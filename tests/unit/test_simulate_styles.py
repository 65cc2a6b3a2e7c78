"""The lines of the simulated log in another style, and dirty."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churn_spark.simulate.people import listed
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import simulate_log
from churn_spark.timeline import day_number

SETTINGS = SimulationSettings(users=60, days=6, seed=9)
ALL_KEYS = listed(
    "artist auth firstName gender itemInSession lastName length level location method page "
    "registration sessionId song status ts userAgent userId"
)


def lines_of(folder: Path, day: str = "*") -> list[str]:
    return [
        line
        for path in sorted(folder.glob(f"events/{day}/*.json"))
        for line in path.read_text(encoding="utf-8").split("\n")
        if line
    ]


def test_daily_style_is_the_same_log_with_all_keys(tmp_path: Path) -> None:
    simulate_log(SETTINGS, tmp_path / "mini")
    simulate_log(replace(SETTINGS, style="daily"), tmp_path / "daily")
    mini = [json.loads(line) for line in lines_of(tmp_path / "mini")]
    daily = lines_of(tmp_path / "daily")
    assert len(mini) == len(daily) > 5000
    for expected, line in zip(mini, daily, strict=True):
        found: dict[str, Any] = json.loads(line)
        assert list(found) == ALL_KEYS
        assert {key: value for key, value in found.items() if value is not None} == expected
        if found["registration"] is not None:
            assert f'"registration":{expected["registration"]}.0,' in line


def test_a_daily_file_ends_without_a_newline(tmp_path: Path) -> None:
    simulate_log(replace(SETTINGS, style="daily"), tmp_path / "daily")
    simulate_log(SETTINGS, tmp_path / "mini")
    assert {p.read_bytes()[-1:] for p in tmp_path.glob("daily/events/*/*.json")} == {b"}"}
    assert {p.read_bytes()[-1:] for p in tmp_path.glob("mini/events/*/*.json")} == {b"\n"}


def test_gzip_holds_the_same_lines(tmp_path: Path) -> None:
    simulate_log(SETTINGS, tmp_path / "plain")
    simulate_log(replace(SETTINGS, is_compressed=True), tmp_path / "packed")
    packed = sorted(tmp_path.glob("packed/events/*/*.json.gz"))
    assert not list(tmp_path.glob("packed/events/*/*.json"))
    text = "".join(gzip.decompress(path.read_bytes()).decode() for path in packed)
    assert text.split("\n")[:-1] == lines_of(tmp_path / "plain")


def test_a_day_is_cut_into_as_many_files_as_asked(tmp_path: Path) -> None:
    simulate_log(replace(SETTINGS, files_a_day=24), tmp_path / "hours")
    simulate_log(replace(SETTINGS, files_a_day=1), tmp_path / "days")
    assert lines_of(tmp_path / "hours") == lines_of(tmp_path / "days")
    for path in tmp_path.glob("hours/events/*/*.json"):
        hours = {json.loads(line)["ts"] // 3_600_000 % 24 for line in path.read_text().splitlines()}
        assert hours == {int(path.stem.removeprefix("events-"))}


def test_dirty_lines_are_a_share_and_the_rest_is_the_clean_log(tmp_path: Path) -> None:
    simulate_log(SETTINGS, tmp_path / "clean")
    simulate_log(replace(SETTINGS, dirty_share=0.06), tmp_path / "dirty")
    clean, dirty = (
        {day: lines_of(tmp_path / name, day) for day in days_of(tmp_path / name)}
        for name in ("clean", "dirty")
    )
    everything = {line for lines in clean.values() for line in lines}
    n_lines = sum(len(lines) for lines in clean.values())
    broken = [line for lines in dirty.values() for line in lines if line not in everything]
    twice = sum(len(lines) - len(set(lines)) for lines in dirty.values())
    late = [
        (day, line)
        for day, lines in dirty.items()
        for line in set(lines) & everything
        if line not in clean[day]
    ]
    for found in (len(broken), twice, len(late)):
        assert found == pytest.approx(0.02 * n_lines, rel=0.35)
    for line in broken:
        with pytest.raises(json.JSONDecodeError):
            json.loads(line)
        assert any(whole.startswith(line) for whole in everything)
    for day, line in late:
        sent = json.loads(line)["ts"] // 86_400_000
        assert day_number(date.fromisoformat(day)) == sent + 1
    on_time = {line for day, lines in dirty.items() for line in lines}
    missing = everything - on_time
    # What is late on the last day is delivered after the log.
    assert missing <= set(clean[max(clean)])
    assert len(missing) < 0.05 * len(clean[max(clean)])


def days_of(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "events").iterdir())
