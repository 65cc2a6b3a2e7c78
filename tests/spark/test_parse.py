"""Which lines are records, and what is wrong with the others; one Spark job for all cases."""

from __future__ import annotations

import json

import pytest
from pyspark.sql import Row, SparkSession

from churn_spark.events import parse
from churn_spark.events.lines import read_lines
from churn_spark.events.parse import BROKEN_JSON, INVALID_UTF8, LINE_TOO_LONG, WRONG_TYPE
from tests.builders import record, write_lines

_MAX_LINE_BYTES = 2000
_FIRST = json.dumps(record())
_SECOND = json.dumps(record(ts=1538352000001, page="Home"))
_EMPTY_OBJECT = "{}"


def _line(**overrides: object) -> str:
    return json.dumps(record(**overrides))


def _padded(n_bytes: int) -> str:
    return _line(song="x" * (n_bytes - len(_line(song=""))))


RECORDS: dict[str, str] = {
    "all keys": _FIRST,
    "keys absent": _line(drop=["artist", "song", "length", "gender", "userAgent", "status"]),
    "explicit nulls": _line(artist=None, song=None, length=None, gender=None, userAgent=None),
    "only ts and page": '{"ts": 1538352000000, "page": "Home"}',
    "no key": _EMPTY_OBJECT,
    "unknown keys": _line(device={"id": [1, {"a": None}]}, _corrupt_record="x", USERID="8"),
    "unknown page": _line(page="A page of tomorrow"),
    "integer userId": _line(userId=7),
    "float numbers": _line(ts=1538352000000.0, registration=1537000000000.0, sessionId=1.0),
    "numbers with exponent": _FIRST.replace("1538352000000", "1.538352E12"),
    "quoted user agent": _line(userAgent='"Mozilla/5.0 (X11; Linux x86_64) Firefox/31.0"'),
    "escaped slashes": _FIRST.replace("/", "\\/"),
    "spaces around": f"  {_FIRST}  ",
    "braces in a title": _line(song="a}{b"),
    "braces and space in a title": _line(song="a} {b"),
    "brace and comma in a title": _line(song='},{"ts": 5}'),
    "escaped quote before braces in a title": _line(song='"}{'),
    "title that is JSON": _line(song=_FIRST),
    "title in brackets": _line(song="[untitled]", artist="{x}"),
    "letters beyond ASCII": json.dumps(record(artist="Björk \u2028\U0001f3b5"), ensure_ascii=False),
    "replacement character": json.dumps(record(artist="Bj\ufffdrk"), ensure_ascii=False),
    "names encoded twice": _line(lastName="Ã©"),
    "longest line": _padded(_MAX_LINE_BYTES),
    "page that is a number in quotes": _line(page="404"),
    "location in brackets": _line(location="[unknown]"),
    "user agent in brackets": _line(userAgent="[FBAN/x] Safari"),
    "tabs around": f"\t{_FIRST}\t",
}
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("user 7 played a song", BROKEN_JSON),
    "cut off": (_FIRST[: len(_FIRST) // 2], BROKEN_JSON),
    "cut off behind a nested value": (_line(device={})[:-1], BROKEN_JSON),
    "glued": (_FIRST + _SECOND, BROKEN_JSON),
    "glued with a comma": (f"{_FIRST},{_SECOND}", BROKEN_JSON),
    "glued with a spaced comma": (f"{_FIRST} , {_SECOND}", BROKEN_JSON),
    "single quotes": ("{'ts': 1538352000000, 'page': 'Home'}", WRONG_TYPE),
    "userId is a boolean": (_line(userId=True), WRONG_TYPE),
    "glued with a space": (f"{_FIRST} {_SECOND}", BROKEN_JSON),
    "glued with two spaces": (f"{_FIRST}  {_SECOND}", BROKEN_JSON),
    "glued with a tab": (f"{_FIRST}\t{_SECOND}", BROKEN_JSON),
    "glued with a null between": (f"{_FIRST}null{_SECOND}", BROKEN_JSON),
    "one brace too many": (f"{_FIRST}}}", BROKEN_JSON),
    "trailing garbage with a brace": (f"{_FIRST} x}}", BROKEN_JSON),
    "three glued": (_FIRST + _SECOND + _FIRST, BROKEN_JSON),
    "glued to an empty one": (_EMPTY_OBJECT + _FIRST, BROKEN_JSON),
    "trailing comma": (f"{_FIRST},", BROKEN_JSON),
    "trailing comma inside": (f"{_FIRST[:-1]},}}", BROKEN_JSON),
    "trailing garbage": (f"{_FIRST} x", BROKEN_JSON),
    "leading garbage": (f"x {_FIRST}", BROKEN_JSON),
    "comment": (f"{_FIRST[:-1]} /* x */}}", BROKEN_JSON),
    "array of a record": (f"[{_FIRST}]", BROKEN_JSON),
    "number": ("5", BROKEN_JSON),
    "string": ('"NextSong"', BROKEN_JSON),
    "string with braces": ('"{}"', BROKEN_JSON),
    "null": ("null", BROKEN_JSON),
    "true": ("true", BROKEN_JSON),
    "invalid UTF-8": (_line(song="@").encode().replace(b"@", b"\xff"), INVALID_UTF8),
    "Latin-1": (_line(song="@").encode().replace(b"@", "é".encode("latin-1")), INVALID_UTF8),
    "UTF-8 cut off in a letter": (_FIRST.encode() + b"\xe2\x82", INVALID_UTF8),
    "too long by one": (_padded(_MAX_LINE_BYTES + 1), LINE_TOO_LONG),
    "too long in bytes, not in letters": (
        json.dumps(record(song="é" * 1000), ensure_ascii=False),
        LINE_TOO_LONG,
    ),
    "ts is text": (_line(ts="1538352000000"), WRONG_TYPE),
    "ts is a boolean": (_line(ts=True), WRONG_TYPE),
    "ts is an object": (_line(ts={"$date": 1538352000000}), WRONG_TYPE),
    "sessionId is text": (_line(sessionId="one"), WRONG_TYPE),
    "sessionId is a number as text": (_line(sessionId="29"), WRONG_TYPE),
    "length is an array": (_line(length=[200.5]), WRONG_TYPE),
    "page is a number": (_line(page=404), WRONG_TYPE),
    "page is a fraction": (_line(page=-4.5), WRONG_TYPE),
    "page is a boolean": (_line(page=True), WRONG_TYPE),
    "page is an object": (_line(page={"name": "Home"}), WRONG_TYPE),
    "page is an array": (_line(page=["Home"]), WRONG_TYPE),
    "userId is an object": (_line(userId={"id": 7}), WRONG_TYPE),
    "userId is an array": (_line(userId=[7]), WRONG_TYPE),
    "location is an object": (_line(location={"state": "NY"}), WRONG_TYPE),
}
BLANK = ("", " ", "    ")


@pytest.fixture(scope="module")
def parsed(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """All cases in one file, parsed; in the order of the file, which one task keeps."""
    lines = [*RECORDS.values(), *BLANK, *(line for line, _ in BROKEN.values())]
    path = write_lines(tmp_path_factory.mktemp("parse") / "cases.json", lines)
    return parse.parse_lines(read_lines(spark, [str(path)]).coalesce(1), _MAX_LINE_BYTES).collect()


@pytest.fixture(scope="module")
def by_case(parsed: list[Row]) -> dict[str, Row]:
    """Name of the case -> its row."""
    return dict(zip([*RECORDS, *BROKEN], parsed, strict=True))


def test_every_line_gives_one_row_unless_blank(parsed: list[Row]) -> None:
    assert len(parsed) == len(RECORDS) + len(BROKEN)


@pytest.mark.parametrize("case", RECORDS)
def test_line_is_a_record_when(case: str, by_case: dict[str, Row]) -> None:
    assert by_case[case].parse_problem is None


@pytest.mark.parametrize("case", BROKEN)
def test_line_keeps_its_problem_when(case: str, by_case: dict[str, Row]) -> None:
    assert by_case[case].parse_problem == BROKEN[case][1]


@pytest.mark.parametrize("case", RECORDS)
def test_record_has_the_fields_of_the_line_when(case: str, by_case: dict[str, Row]) -> None:
    told = json.loads(RECORDS[case])
    numbers = {name: told.get(name) for name in parse.NUMBERS}
    texts = {name: told.get(name) for name in parse.TEXTS}
    if texts["userId"] is not None:
        texts["userId"] = str(texts["userId"])
    assert by_case[case].record.asDict() == numbers | texts


@pytest.mark.parametrize("name", parse.NUMBERS)
def test_not_a_number_is_null_when_a_number_is_expected(
    name: str, not_numbers: dict[str, Row]
) -> None:
    assert not_numbers[name].record[name] is None


@pytest.fixture(scope="module")
def not_numbers(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """Field -> the record that has NaN in it."""
    lines = [_line(**{name: float("nan")}) for name in parse.NUMBERS]
    path = write_lines(tmp_path_factory.mktemp("nan") / "cases.json", lines)
    rows = parse.parse_lines(read_lines(spark, [str(path)]).coalesce(1), _MAX_LINE_BYTES).collect()
    return dict(zip(parse.NUMBERS, rows, strict=True))
