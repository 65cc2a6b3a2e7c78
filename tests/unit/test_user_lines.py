"""Lines and cells of users go from files as the ingest would read them, and no others do."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from churn_spark.events.line import read_line
from churn_spark.events.rules import NUMBERS, TEXTS, WHITE_SPACE
from churn_spark.stores.user_files import without_users

pytestmark = pytest.mark.unit
_USER = len(NUMBERS) + TEXTS.index("userId")
_KEYS = st.sampled_from(["userId", "\\u0075serId", "user\\u0049d", "ts", "length", "song"])
_TEXTS = ('"7"', '" 7\\t"', '"\\u0037"', '"u\\u00e9"', '"ué"', '"\\ud83d"', '"8"')
_NUMBERS = ("7", "7.0", "70e-1", "-7", "8", "NaN", "-Infinity", "18446744073709551617", "1" * 1001)
_VALUES = st.sampled_from(
    [*_TEXTS, *_NUMBERS, "0.1", "null", "true", "[7]", '{"userId":7}', '"a\\"userId\\":7"']
)
_LINES = st.lists(st.tuples(_KEYS, _VALUES), max_size=4).map(
    lambda pairs: "{" + ",".join(f'"{key}": {value}' for key, value in pairs) + "}"
)


@given(_LINES, st.sampled_from(["", "\ufeff", " "]))
@example('{"userId": 7, "userId": 8}', "")
def test_line_that_the_ingest_reads_goes_with_its_user_and_with_nobody_else(
    text: str, front: str
) -> None:
    line = (front + text).encode()
    found = read_line(line, 1 << 16)
    if isinstance(found, str):
        return
    user = str(found[_USER] or "").strip(WHITE_SPACE)
    others = {"7", "8", "ué", "18446744073709551617", "?"} - {user}
    assert without_users("a.jsonl", line, others) == line
    if user:
        assert without_users("a.jsonl", line, [user]) == b""


@pytest.mark.parametrize(
    ("line", "user"),
    [
        ('{"userId":7.0,"length":NaN,"ts":1}', "7"),
        ('{"userId":"u\\u00e9","length":NaN}', "ué"),
        ('{"userId":18446744073709551617,"ts":1}', "18446744073709551617"),
        ('{"userId":"7","userId":"8"}', "7"),
        ('{"user_id":"7","user_id":"8"}', "7"),
        ('\ufeff{"userId":"7"}', "7"),
        # Those that the ingest refuses go where they name the user.
        ('{"userId":"7",', "7"),
        ('{"userId":"7","x":' + "1" * 1001 + "}", "7"),
    ],
)
def test_line_of_the_user_goes(line: str, user: str) -> None:
    content = f'{{"ts":1}}\n{line}\n{{"userId":"9"}}'.encode()
    assert without_users("a.json", content, [user]) == b'{"ts":1}\n{"userId":"9"}'


def test_line_whose_first_id_is_another_users_stays() -> None:
    line = b'{"userId":"8","userId":"7"}'
    assert without_users("a.json", line, ["7"]) == line


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.txt", "x.csv.gz", "x.tsv.gz"])
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_row_of_the_user_goes_whatever_is_between_the_cells(name: str, separator: str) -> None:
    rows = [["page", " userId"], ["a", "8"], ["b", "7"], ["c", "7.0"], ["d", "70"], ["7", "9"]]
    texts = [separator.join(row) + "\r\n" for row in rows]
    texts[1:1] = [f'"x{separator}\n7"{separator}8\n']
    of_others = "".join(text for text in texts if text[0] not in "bc")
    content, expected = "".join(texts).encode(), of_others.encode()
    if name.endswith(".gz"):
        cleaned = without_users(name, gzip.compress(content), ["7"])
        assert cleaned is not None
        assert gzip.decompress(cleaned) == expected
        assert without_users(name, cleaned, ["7"]) == cleaned
    else:
        assert without_users(name, content, ["7"]) == expected


def test_one_row_that_is_no_utf8_keeps_no_other_rows() -> None:
    content = b"userId,city\n7,Paris\n8,Orl\xe9ans\n7,Orl\xe9ans\n"
    assert without_users("a.csv", content, ["7"]) == b"userId,city\n8,Orl\xe9ans\n"


@pytest.mark.parametrize(
    ("rows", "kept"),
    [
        # A stray quote: to the ingest each line is a row.
        (['1,7,"Heroes', "2,8,b", "3,9,c"], ["2,8,b", "3,9,c"]),
        (["1,7,a", '2,8,"Heroes', "3,7,b"], ['2,8,"Heroes']),
        (['1,8,"a', '2,7,"b', "3,9,c"], ['1,8,"a', "3,9,c"]),
        # A cell over two lines, as an export may have it.
        (['1,7,"a', 'b"', "2,8,c"], ["2,8,c"]),
        (['1,8,"a', 'b"', "2,7,c"], ['1,8,"a', 'b"']),
        # More than a cell of the library may have.
        (['1,8,"' + "x" * 140_000, "2,7,c"], ['1,8,"' + "x" * 140_000]),
    ],
)
def test_stray_quote_takes_no_rows_with_it_and_keeps_none(rows: list[str], kept: list[str]) -> None:
    content = "\n".join(["ts,userId,song", *rows]) + "\n"
    expected = "\n".join(["ts,userId,song", *kept]) + "\n"
    assert without_users("a.csv", content.encode(), ["7"]) == expected.encode()
