"""The list as CSV: what a spreadsheet would run is text, and everything comes back."""

from __future__ import annotations

import csv
import errno
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churn_spark.errors import InputError
from churn_spark.scoring.list_csv import format_list_csv, safe_cell, save_list_csv

BASE: dict[str, Any] = {
    "user_id": "7",
    "list_rank": 1,
    "churn_probability": 0.14372,
    "risk_band": "high",
    "value_at_risk": 1.4372,
    "reasons": ["visited Downgrade 4 times (median: 0): raises the risk"],
    "would_help": [],
    "days_on_list": 3,
    "previous_rank": 2,
    "expected_saves": None,
}


def listed(*overrides: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{**BASE, **changes} for changes in overrides])


def test_file_has_a_line_a_user_in_the_order_of_the_list() -> None:
    rows = listed(
        {"user_id": "b", "list_rank": 2, "previous_rank": None, "would_help": ["if x: 8 %"]},
        {"user_id": "a", "expected_saves": 0.03214, "reasons": ["one", 'two, "three"', "four"]},
    )
    assert format_list_csv(rows, n_reasons=2, n_changes=1).split("\r\n") == [
        '"rank","user_id","probability_percent","band","value_at_risk","reason_1","reason_2",'
        '"would_help_1","days_on_list","previous_rank","saves_of_100"',
        '1,"a",14.37,"high",1.4372,"one","two, ""three""","",3,2,3.21',
        '2,"b",14.37,"high",1.4372,"visited Downgrade 4 times (median: 0): raises the risk",'
        '"","if x: 8 %",3,"",""',
        "",
    ]


def test_file_has_its_header_when_nobody_is_on_the_list() -> None:
    text = format_list_csv(listed({}).iloc[:0], 1, 0)
    assert text == (
        '"rank","user_id","probability_percent","band","value_at_risk","reason_1",'
        '"days_on_list","previous_rank","saves_of_100"\r\n'
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7", "7"),
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-2", "'-2"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "  '=1"),
        ("\t=1", " '=1"),
        ("a\r\n=1", "a =1"),
        ("a;=1", "a;'=1"),
        ("a, -1", "a, '-1"),
        ('say "=1"', 'say "\'=1"'),
        ("＝1", "'＝1"),
        ("plays 3 songs fewer (median: -2)", "plays 3 songs fewer (median: -2)"),
        ("a-b=c", "a-b=c"),
        ("", ""),
    ],
)
def test_cell_has_an_apostrophe_where_a_formula_would_begin(text: str, expected: str) -> None:
    assert safe_cell(text) == expected


NASTY = st.text(st.sampled_from("=+-@＝;,\"' \t\r\n\0a1\u2028"), max_size=8)


@given(text=NASTY)
@example(text=";=,-")
@example(text="\n-1")
def test_no_part_of_a_cell_begins_like_a_formula(text: str) -> None:
    safe = safe_cell(text)
    assert not any(re.match(r"\s*[=+\-@＝]", part) for part in re.split('[;,"\t\r\n]', safe))
    assert not re.search(r"[\x00-\x1f\u2028]", safe)
    assert safe_cell(safe) == safe
    assert safe.replace("'", "") == re.sub(r"[\0\t\r\n\u2028]+", " ", text).replace("'", "")


@given(user=NASTY, reason=NASTY)
def test_file_reads_back_as_one_safe_line_a_user(user: str, reason: str) -> None:
    text = format_list_csv(listed({"user_id": user, "reasons": [reason]}), 1, 0)
    header, line = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    found = dict(zip(header, line, strict=True))
    assert found["user_id"] == safe_cell(user)
    assert found["reason_1"] == safe_cell(reason)


def test_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("of yesterday")
    save_list_csv(listed({"reasons": ["Größe"]}), path, 1, 0)
    assert [file.name for file in tmp_path.iterdir()] == ["list.csv"]
    assert path.read_bytes().decode("utf-8").count("\r\n") == 2
    assert pd.read_csv(path)["reason_1"].tolist() == ["Größe"]


def test_file_is_refused_when_its_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory; expected a file in a folder"):
        save_list_csv(listed({}), tmp_path / "missing" / "list.csv", 1, 0)


def test_half_of_a_file_is_not_left_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Path.write_text

    def fill_up(path: Path, text: str, **how: Any) -> int:
        write(path, text[:100], **how)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", fill_up)
    with pytest.raises(InputError, match="No space left on device"):
        save_list_csv(listed({}), tmp_path / "list.csv", 1, 0)
    assert [*tmp_path.iterdir()] == []
