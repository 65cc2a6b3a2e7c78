"""A look at a log before it is loaded: what is proposed, shown and warned of."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import millis, record, write_lines
from foreign_logs import MAPPING, foreign, ingest_by, write_array, write_csv, write_parquet
from typer.testing import CliRunner

from churn_spark.config import LogMapping, load_config
from churn_spark.errors import InputError
from churn_spark.pipeline.check_mapping import (
    MappingCheck,
    describe_fate,
    describe_fields,
    describe_problems,
    run,
    shown_rows,
)
from jobs.check_mapping import app

OURS = [
    record(
        ts=millis("2018-10-01 00:00:00") + 60_000 * n,
        userId=str(n % 9),
        itemInSession=n,
        page=("NextSong", "Thumbs Up", "Downgrade", "Cancellation Confirmation")[n % 4],
        auth="Cancelled" if n % 4 == 3 else "Logged In",
        level=("free", "paid")[n % 2],
    )
    for n in range(40)
]


def _look(path: Path, mapping: Mapping[str, Any] | None = None) -> MappingCheck:
    config = ingest_by(mapping) if mapping else load_config().ingest
    return run(config, str(path), 1000)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.json", write_lines),
        ("a.json", write_array),
        ("a.csv", write_csv),
        ("a.csv", lambda path, rows: write_csv(path, rows, separator=";")),
        ("a.parquet", write_parquet),
    ],
)
def test_what_is_proposed_reads_the_log(
    name: str, write: Callable[[Path, list[dict[str, Any]]], object], tmp_path: Path
) -> None:
    write(tmp_path / name, [foreign(one) for one in OURS])
    check = _look(tmp_path)
    assert check.proposed is not None
    proposed = yaml.safe_load(check.proposed)
    assert LogMapping.model_validate(proposed) == check.mapping
    assert proposed["time"] == {"column": "occurred_at", "unit": "iso"}
    assert proposed["user"] == "customer.id"
    assert proposed["page"]["names"] == {"thumbs_up": ["liked"], "song": ["track_played"]}
    assert proposed["level"] == {
        "column": "customer.plan",
        "free": ["basic"],
        "paid": ["premium"],
    }
    assert proposed["registration"] == {"column": "customer.since", "unit": "s"}
    assert proposed["session"] == "visit"
    assert describe_fate(check) == "40 rows read = accepted 40"


def test_our_own_log_needs_no_other_words(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.json", OURS)
    proposed = yaml.safe_load(_look(tmp_path).proposed or "")
    assert proposed["time"] == {"column": "ts", "unit": "ms"}
    assert proposed["page"]["names"] == {
        "song": ["NextSong"],
        "thumbs_up": ["Thumbs Up"],
        "downgrade": ["Downgrade"],
        "cancel": ["Cancellation Confirmation"],
    }


def test_a_log_without_names_or_pages_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "sales.txt").write_text(" 00004 19970101 2\n 00005 19970102 1\n")
    check = _look(tmp_path / "sales.txt")
    assert check.mapping is None
    assert yaml.safe_load(check.proposed or "") == {
        "time": {"column": "column_2", "unit": "iso", "format": "%Y%m%d"},
        "user": None,
        "page": {"constant": "Event"},
        "csv_files": {
            "separator": "whitespace",
            "columns": ["column_1", "column_2", "column_3"],
        },
    }


ODD_COLUMNS: dict[str, tuple[dict[str, Any], str]] = {
    "numbers of no day": ({"order": 20_181_345, "user": 7}, "numbers 2.01813e+07 to 2.01813e+07"),
    "days with a fraction": ({"order": 20_181_130.5, "user": 7}, "numbers 2.01811e+07"),
    "days as floats": ({"day": 20_181_130.0, "user": 7}, "times (iso, %Y%m%d)"),
    "number of 400 digits": ({"ts": 1538352000000, "user": 7, "n": 10**400}, "numbers inf to inf"),
    "not a number": ({"ts": 1538352000000, "user": 7, "n": float("nan")}, "1 values, numbers"),
    "first moment of all": ({"ts": "0001-01-01T00:00:00+05:00", "user": 7}, "times (iso)"),
    "last moment of all": ({"ts": "9999-12-31T23:59:59-05:00", "user": 7}, "times (iso)"),
}


@pytest.mark.parametrize("case", ODD_COLUMNS)
def test_a_log_with_odd_values_is_described(case: str, tmp_path: Path) -> None:
    row, told = ODD_COLUMNS[case]
    (tmp_path / "a.json").write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n")
    columns = _look(tmp_path).columns
    assert any(told in facts.describe() for facts in columns.values())


def test_a_value_nested_too_deep_ends_no_look(tmp_path: Path) -> None:
    line = json.dumps(foreign(OURS[0]))
    deep = "[" * 1000 + "]" * 1000, '{"a":' * 1000 + "1" + "}" * 1000
    lines = [f'{line[:-1]}, "deep": {value}}}' for value in deep]
    (tmp_path / "a.json").write_text("\n".join([*lines, line]))
    check = _look(tmp_path)
    assert "action" in check.columns
    assert "deep" not in check.columns


def test_an_old_log_brings_its_first_year(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("customer_id,date\n4,1997-03-01\n5,1997-03-02\n")
    check = _look(tmp_path)
    settings = yaml.safe_load(check.proposed or "")["settings"]
    assert settings == {"ingest": {"earliest": yaml.safe_load("1997-01-01")}}
    assert describe_fate(check) == "2 rows read = accepted 2"


def test_what_a_mapping_leaves_out_is_told_with_what_it_costs(tmp_path: Path) -> None:
    rows = [{"t": 1538352000 + n // 2, "who": n // 2, "what": "x"} for n in range(4)]
    rows += [{"t": "soon", "who": 1, "what": "x"}]
    write_lines(tmp_path / "a.json", rows)
    time = {"column": "t", "unit": "s"}
    check = _look(tmp_path, {"time": time, "user": "who", "page": {"column": "what"}})
    assert check.proposed is None
    assert describe_fate(check) == "5 rows read = accepted 4 + wrong type 1"
    told = " | ".join(describe_problems(check))
    for part in (
        "wrong type: a row with ts text",
        "2 events alike in all columns that are named",
        "no event is a cancel (page.names.cancel)",
        "no event is a song",
        "level is not named",
        "a visit ends after 30 minutes without an event, and at midnight UTC",
        "registration is not named",
    ):
        assert part in told
    assert [row["session_id"] for row in shown_rows(check)] == [None] * 4


def test_a_whole_mapping_leaves_nothing_to_say(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.json", [foreign(one) for one in OURS])
    check = _look(tmp_path, MAPPING)
    assert list(describe_problems(check)) == []
    assert len(shown_rows(check)) == 10
    fields = {field: (columns, found) for field, columns, found in describe_fields(check)}
    assert fields["user"] == ("customer.id", "40 of 40 rows, 9 values, numbers 0 to 8")
    assert fields["user_agent"][0] == "device, agent"


def test_the_job_shows_and_writes_what_it_proposes(tmp_path: Path) -> None:
    write_lines(tmp_path / "logs" / "a.json", [foreign(one) for one in OURS])
    out = tmp_path / "mapping.yaml"
    command = ["--events", str(tmp_path / "logs"), "--out", str(out)]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    assert "40 rows read = accepted 40" in done.output
    again = ["--events", str(tmp_path / "logs"), "--mapping", str(out)]
    done = CliRunner().invoke(app, again, catch_exceptions=False)
    assert done.exit_code == 0
    assert "Proposed" not in done.output
    with pytest.raises(InputError, match="that isn't there yet"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_names_and_values_with_brackets_are_shown_as_they_are(tmp_path: Path) -> None:
    lines = ["ts;userId;page;sessionId;length[ms];flag[/x]"]
    lines += [f"{1538352000000 + n};u[abc]{n % 3};NextSong;{n % 5};1;2" for n in range(40)]
    (tmp_path / "log.csv").write_text("\n".join(lines), encoding="utf-8")
    out = tmp_path / "mapping.yaml"
    command = ["--events", str(tmp_path / "log.csv"), "--out", str(out)]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    columns = done.output.partition("Proposed")[0]
    assert "length[ms]" in columns
    assert "flag[/x]" in columns
    assert "u[abc]0" in done.output
    assert out.exists()


def test_the_files_are_those_that_an_ingest_would_read(tmp_path: Path) -> None:
    row = {"t": 1538352000, "who": 1, "what": "x"}
    days = [tmp_path / "logs" / f"2018-10-0{n}" for n in (1, 2)]
    for day in days:
        write_lines(day / "a.json", [row])
        write_lines(day / "_temporary" / "a.json", [row])
        write_lines(day / ".ipynb_checkpoints" / "a.json", [row])
    write_lines(tmp_path / "logs" / "hour=1" / "_part=2" / "a.json", [row])
    logs = [day / "a.json" for day in days]
    assert _look(tmp_path / "logs" / "2018-*").paths == logs
    assert _look(tmp_path / "logs" / "2018-*" / "*.json").paths == logs
    assert _look(tmp_path / "logs" / "2018-*" / "*").paths == logs
    assert _look(tmp_path / "logs").n_files == 3
    users = tmp_path / "logs" / "users.csv"
    users.write_text("id,sex\n1,F\n")
    assert _look(tmp_path / "logs").n_files == 4
    profile = {"file": f"{days[0]}/../users.csv", "user": "id", "gender": "sex"}
    mapping = {"time": {"column": "t", "unit": "s"}, "user": "who", "page": {"column": "what"}}
    assert _look(tmp_path / "logs", {**mapping, "profile": profile}).n_files == 3


@pytest.mark.parametrize(
    ("content", "told"), [(None, "found no event file"), (json.dumps([1, 2]), "no row with col")]
)
def test_what_is_no_log_is_refused(content: str | None, told: str, tmp_path: Path) -> None:
    if content:
        (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match=told):
        _look(tmp_path)


@pytest.mark.parametrize(
    ("churn", "told", "untold"),
    [
        ("cancel", "no event is a cancel", "subscribed_until is not named"),
        ("inactivity", "level is not named", "cancel"),
        ("lapse", "subscribed_until is not named, and labels.churn is lapse", "cancel"),
    ],
)
def test_what_is_missing_is_said_for_the_churn_that_is_configured(
    churn: str, told: str, untold: str, tmp_path: Path
) -> None:
    write_lines(tmp_path / "a.json", [{"t": 1538352000, "who": 1, "what": "x"}])
    mapping = {"time": {"column": "t", "unit": "s"}, "user": "who", "page": {"column": "what"}}
    check = run(ingest_by(mapping), str(tmp_path), 1000, churn)
    said = " | ".join(describe_problems(check))
    assert told in said
    assert untold not in said


def test_an_end_and_a_profile_are_shown_with_the_rows(tmp_path: Path) -> None:
    users = tmp_path / "users.csv"
    users.write_text("id,joined\n1,2018-09-01\n")
    logs = tmp_path / "logs"
    logs.mkdir()
    rows = [
        {"t": 1538352000 + who, "who": who, "what": "x", "until": "2018-11-01"} for who in (1, 2)
    ]
    write_lines(logs / "a.json", rows)
    mapping = {
        "time": {"column": "t", "unit": "s"},
        "user": "who",
        "page": {"column": "what"},
        "subscribed_until": {"column": "until", "unit": "iso"},
        "profile": {
            "file": str(users),
            "user": "id",
            "registration": {"column": "joined", "unit": "iso"},
        },
    }
    check = run(ingest_by(mapping), str(logs), 1000, "lapse")
    shown = [(row["subscribed_until_ts"], row["registered_ts"]) for row in shown_rows(check)]
    assert shown == [("2018-11-01", "2018-09-01"), ("2018-11-01", None)]
    assert "the profile tells the registration of 1 of 2 events" in " | ".join(
        describe_problems(check)
    )
    proposed = run(load_config().ingest, str(logs), 1000).proposed or ""
    assert "subscribed_until:\n  column: until" not in proposed
    named = [{**row, "subscription_end": row["until"]} for row in rows]
    write_lines(logs / "a.json", named)
    proposed = run(load_config().ingest, str(logs), 1000).proposed or ""
    assert "subscribed_until:\n  column: subscription_end\n  unit: iso" in proposed
