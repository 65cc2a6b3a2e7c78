"""The simulated event log: its bytes, its clockwork, and the truth beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from builders import bytes_of
from typer.testing import CliRunner

from churn_spark.errors import InputError
from churn_spark.simulate.people import listed
from churn_spark.simulate.personas import PERSONAS
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.truth import read_truth
from churn_spark.simulate.world import simulate_log
from jobs.simulate_events import app

Event = dict[str, Any]

# 90 users for five weeks: every rule of the log is met hundreds of times, in about a second.
SETTINGS = SimulationSettings(users=90, start=date(2018, 10, 1), days=35, seed=7)
SHORT = replace(SETTINGS, users=12, days=3)

CORE_KEYS = listed("ts userId sessionId page auth method status level itemInSession")
PROFILE_KEYS = listed("location userAgent lastName firstName registration gender")
SONG_KEYS = ["artist", "song", "length"]
REDIRECTS = set(
    listed(
        "Thumbs Up|Thumbs Down|Add Friend|Login|Logout|Submit Upgrade|Submit Downgrade|"
        "Submit Registration|Save Settings|Cancel",
        separator="|",
    )
)


@pytest.fixture(scope="module")
def log_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("log")
    simulate_log(SETTINGS, out)
    return out


@pytest.fixture(scope="module")
def events(log_folder: Path) -> list[Event]:
    return [
        json.loads(line)
        for path in sorted(log_folder.glob("events/*/*.json"))
        for line in path.read_text(encoding="utf-8").splitlines()
    ]


@pytest.fixture(scope="module")
def users(events: list[Event]) -> dict[str, list[Event]]:
    by_user = defaultdict(list)
    for event in events:
        if event["userId"]:
            by_user[event["userId"]].append(event)
    return by_user


@pytest.fixture(scope="module")
def truth(log_folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = read_truth(log_folder, "users").to_pylist()
    return rows


@pytest.fixture(scope="module")
def steps(users: dict[str, list[Event]]) -> list[tuple[Event, Event]]:
    """Neighbouring events of a user within a session, nothing anonymous between them."""
    return [
        (before, after)
        for history in users.values()
        for before, after in pairwise(history)
        if before["sessionId"] == after["sessionId"]
        and before["itemInSession"] + 1 == after["itemInSession"]
    ]


def test_log_has_the_same_bytes_when_run_again(tmp_path: Path) -> None:
    simulate_log(SHORT, tmp_path / "a")
    first = bytes_of(tmp_path / "a")
    simulate_log(SHORT, tmp_path / "a")
    simulate_log(SHORT, tmp_path / "b")
    assert first == bytes_of(tmp_path / "a") == bytes_of(tmp_path / "b")
    assert {name for name in first if name.startswith("events")} <= {
        f"events/2018-10-0{day}/events-0{number}.json"
        for day in (1, 2, 3)
        for number in (0, 1, 2, 3)
    }


def test_log_differs_when_the_seed_differs(tmp_path: Path) -> None:
    simulate_log(SHORT, tmp_path / "a")
    simulate_log(replace(SHORT, seed=SHORT.seed + 1), tmp_path / "b")
    first, second = bytes_of(tmp_path / "a"), bytes_of(tmp_path / "b")
    assert all(first[name] != second[name] for name in set(first) & set(second))


def test_a_user_lives_the_same_life_when_others_are_added(tmp_path: Path) -> None:
    alone = replace(SHORT, growth=0.0)
    simulate_log(alone, tmp_path / "few")
    simulate_log(replace(alone, users=30), tmp_path / "many")
    few, many = (read_truth(tmp_path / name, "users").to_pylist() for name in ("few", "many"))
    assert few == many[: len(few)]


def test_files_hold_a_quarter_of_their_day_each_ordered_by_time(log_folder: Path) -> None:
    for path in log_folder.glob("events/*/*.json"):
        stamps = [json.loads(line)["ts"] for line in path.read_text(encoding="utf-8").splitlines()]
        day = (date.fromisoformat(path.parent.name) - date(1970, 1, 1)).days
        quarter = int(path.stem.removeprefix("events-"))
        assert stamps == sorted(stamps)
        assert {ts // 21_600_000 for ts in stamps} == {4 * day + quarter}


def test_keys_are_absent_or_in_the_order_of_the_real_log(events: list[Event]) -> None:
    for event in events:
        expected = list(CORE_KEYS)
        expected += PROFILE_KEYS if event["auth"] in ("Logged In", "Cancelled") else []
        expected += SONG_KEYS if event["page"] == "NextSong" else []
        assert list(event) == expected


def test_method_and_status_follow_the_page(events: list[Event]) -> None:
    for event in events:
        page, answer = event["page"], (event["method"], event["status"])
        if page in REDIRECTS:
            assert answer == ("PUT", 307)
        elif page in ("NextSong", "Add to Playlist"):
            assert answer == ("PUT", 200)
        else:
            assert answer == ("GET", 404 if page == "Error" else 200)


def test_a_redirect_comes_one_second_after_the_page_before(
    steps: list[tuple[Event, Event]],
) -> None:
    gaps = [after["ts"] - before["ts"] for before, after in steps if after["status"] == 307]
    assert len(gaps) > 1000
    assert set(gaps) == {1000}


def test_the_next_song_starts_when_the_last_one_ends(steps: list[tuple[Event, Event]]) -> None:
    gaps = [
        after["ts"] - before["ts"] - int(before["length"]) * 1000
        for before, after in steps
        if before["page"] == after["page"] == "NextSong"
    ]
    assert len(gaps) > 1000
    assert set(gaps) == {0}


def test_no_song_starts_before_the_last_one_ends(users: dict[str, list[Event]]) -> None:
    for history in users.values():
        songs = [event for event in history if event["page"] == "NextSong"]
        for before, after in pairwise(songs):
            if before["sessionId"] == after["sessionId"]:
                assert after["ts"] >= before["ts"] + int(before["length"]) * 1000


def test_sessions_are_half_an_hour_apart_and_number_their_items(
    users: dict[str, list[Event]],
) -> None:
    for history in users.values():
        for before, after in pairwise(history):
            if before["sessionId"] == after["sessionId"]:
                assert after["itemInSession"] > before["itemInSession"]
            else:
                assert after["ts"] - before["ts"] >= 1_800_000
                assert after["sessionId"] > before["sessionId"]


def test_session_ids_are_shared_by_users_of_different_personas_only(
    users: dict[str, list[Event]], truth: list[dict[str, Any]]
) -> None:
    persona_of = {row["user_id"]: row["persona"] for row in truth}
    owners = defaultdict(set)
    for user_id, history in users.items():
        for event in history:
            owners[event["sessionId"]].add(user_id)
    assert sum(len(ids) > 1 for ids in owners.values()) > 20
    for ids in owners.values():
        assert len({persona_of[user_id] for user_id in ids}) == len(ids)


def test_level_changes_by_submitting_only(users: dict[str, list[Event]]) -> None:
    changes = {"Submit Upgrade": "paid", "Submit Downgrade": "free"}
    n_changes = 0
    for history in users.values():
        for before, after in pairwise(history):
            assert after["level"] == changes.get(before["page"], before["level"])
            n_changes += before["page"] in changes
    assert n_changes > 20


def test_auth_tells_who_is_anonymous(events: list[Event]) -> None:
    for event in events:
        assert (event["userId"] == "") == (event["auth"] in ("Logged Out", "Guest"))
        assert (event["auth"] == "Cancelled") == (event["page"] == "Cancellation Confirmation")
        if event["page"] in ("Login", "Register", "Submit Registration"):
            assert event["userId"] == ""
    assert {event["auth"] for event in events} == {"Logged In", "Logged Out", "Guest", "Cancelled"}


def test_a_cancellation_is_confirmed_and_the_last_thing(users: dict[str, list[Event]]) -> None:
    cancels = [h for h in users.values() if any(event["page"] == "Cancel" for event in h)]
    assert len(cancels) > 5
    for history in cancels:
        pages = [event["page"] for event in history]
        assert pages.index("Cancellation Confirmation") == len(pages) - 1
        assert pages.index("Cancel") == len(pages) - 2
        assert history[-1]["ts"] - history[-2]["ts"] < 3_600_000


def test_profile_is_constant_and_older_than_the_first_event(
    users: dict[str, list[Event]],
) -> None:
    for history in users.values():
        assert len({tuple(event[key] for key in PROFILE_KEYS) for event in history}) == 1
        assert history[0]["registration"] < history[0]["ts"]


def test_truth_tells_who_cancelled_and_when(
    users: dict[str, list[Event]], truth: list[dict[str, Any]]
) -> None:
    logged = {
        user_id: event["ts"]
        for user_id, history in users.items()
        for event in history
        if event["auth"] == "Cancelled"
    }
    known = {
        row["user_id"]: int(row["cancel_ts"].timestamp()) * 1000
        for row in truth
        if row["cancel_ts"] is not None
    }
    assert known == logged
    assert 56 <= [row["persona"] for row in truth].count("Accordion") <= 64


def test_cancelled_share_and_page_rates_are_those_of_the_real_log(tmp_path: Path) -> None:
    facts = simulate_log(SimulationSettings(users=226, days=61, seed=42), tmp_path)
    assert 45 <= facts.cancels <= 65
    assert 230_000 <= facts.events <= 320_000
    counts: dict[str, int] = defaultdict(int)
    for path in tmp_path.glob("events/*/*.json"):
        for line in path.read_text(encoding="utf-8").splitlines():
            counts[line.split('"page":"', 1)[1].split('"', 1)[0]] += 1
    published = {
        "NextSong": 796.2, "Home": 50.5, "Thumbs Up": 43.8, "Add to Playlist": 22.8,
        "Add Friend": 14.9, "Roll Advert": 13.7, "Login": 11.3, "Logout": 11.3,
        "Thumbs Down": 8.9, "Downgrade": 7.2, "Help": 6.0, "Settings": 5.3, "About": 3.2,
    }  # fmt: skip
    for page, rate in published.items():
        assert 1000 * counts[page] / facts.events == pytest.approx(rate, rel=0.2), page


def test_fewer_sessions_start_at_night_and_at_weekends(users: dict[str, list[Event]]) -> None:
    starts = [
        event["ts"] // 3_600_000
        for history in users.values()
        for event in history
        if event["itemInSession"] == 0
    ]
    night = sum(hour % 24 in (1, 2, 3, 4, 5) for hour in starts)
    afternoon = sum(hour % 24 in (13, 14, 15, 16, 17) for hour in starts)
    weekend = sum((hour // 24 + 3) % 7 >= 5 for hour in starts)
    assert afternoon > 2 * night > 0
    assert 0.10 < weekend / len(starts) < 0.24


def test_chances_of_cancel_are_exactly_the_published_ones() -> None:
    pages = [("Downgrade", "paid")] + [
        (page, level)
        for page in ("Settings", "Roll Advert", "Thumbs Down")
        for level in ("free", "paid")
    ]
    published = {
        "Accordion": [0.010, 0.005, 0.005, 0.001, 0.005, 0.001, 0.001],
        "Tuba": [0.030, 0.020, 0.020, 0.010, 0.050, 0.010, 0.010],
        "Zither": [0.020, 0.009, 0.010, 0.005, 0.010, 0.005, 0.005],
        "Xylophone": [0.005, 0.003, 0.002, 0.001, 0.002, 0.001, 0.001],
    }
    for persona in PERSONAS:
        chances = {
            (page, level): row["Cancel"]
            for (_, level, page), row in persona.rows.items()
            if "Cancel" in row
        }
        assert chances == dict(zip(pages, published[persona.name], strict=True))


def test_chances_of_a_page_add_up() -> None:
    for persona in PERSONAS:
        for row in persona.rows.values():
            assert sum(row.values()) == pytest.approx(1.0, abs=1e-12)


def test_log_without_events_still_has_its_truth(tmp_path: Path) -> None:
    facts = [
        simulate_log(replace(SHORT, users=1, days=1, seed=seed), tmp_path / str(seed))
        for seed in range(8)
    ]
    silent = [fact for fact in facts if fact.events == 0]
    assert silent
    for fact in silent:
        assert not (fact.folder / "events").exists()
        assert read_truth(fact.folder, "users").num_rows == 0
        assert (fact.users, fact.users_seen, fact.cancels, fact.days) == (0, 0, 0, 0)


def test_a_new_log_leaves_nothing_of_the_one_before(tmp_path: Path) -> None:
    loner = replace(SHORT, users=1, days=20)
    simulate_log(replace(loner, seed=2), tmp_path / "used")
    before = set(bytes_of(tmp_path / "used"))
    simulate_log(replace(loner, seed=1), tmp_path / "used")
    simulate_log(replace(loner, seed=1), tmp_path / "fresh")
    fresh = bytes_of(tmp_path / "fresh")
    assert before - set(fresh)
    assert bytes_of(tmp_path / "used") == fresh


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"users": 0}, "found users 0, expected at least 1"),
        ({"days": -1}, "found days -1, expected at least 1"),
        ({"seed": -1}, "found seed -1, expected 0"),
        ({"start": date(1969, 12, 31)}, "expected days from 1970"),
        ({"regime": "sudden"}, "found regime 'sudden', expected memoryless"),
        ({"drift": "both"}, "found drift 'both', expected none or input or label"),
        ({"dirty_share": 0.9}, "found dirty_share 0.9, expected 0 to 0.5"),
        ({"persona_mix": (0.0, 0.0, 0.0, 0.0)}, "expected four weights"),
        ({"files_a_day": 0}, "found files_a_day 0, expected 1 to 24"),
    ],
)
def test_settings_are_refused_when_out_of_range(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        replace(SETTINGS, **changes)


def test_all_wrong_settings_are_named_at_once() -> None:
    with pytest.raises(InputError, match=r"regime.*users 0.*days 0"):
        SimulationSettings(users=0, days=0, regime="x")


def test_folder_is_refused_when_it_holds_other_days(tmp_path: Path) -> None:
    simulate_log(SHORT, tmp_path)
    before = bytes_of(tmp_path)
    with pytest.raises(InputError, match="found 2018-10-01"):
        simulate_log(replace(SHORT, start=date(2018, 10, 2)), tmp_path)
    assert bytes_of(tmp_path) == before


def test_out_is_refused_when_it_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="expected a folder"):
        simulate_log(SHORT, tmp_path / "file")


def test_job_writes_the_log_and_ends_with_one_line(tmp_path: Path) -> None:
    arguments = f"--users 12 --days 3 --seed 7 --start 2018-10-01 --out {tmp_path / 'job'}"
    result = CliRunner().invoke(app, arguments.split())
    simulate_log(SHORT, tmp_path / "function")
    assert result.exit_code == 0
    assert result.output.count("\n") == 1
    assert bytes_of(tmp_path / "job") == bytes_of(tmp_path / "function")


def test_job_complains_when_the_start_is_no_date(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--start", "October", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "found 'October', expected YYYY-MM-DD" in result.output


def test_job_runs_where_no_java_can_be_found(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "jobs.simulate_events", "--days", "1", "--out", str(tmp_path)],
        env={"PATH": "", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("simulate_events    ")
