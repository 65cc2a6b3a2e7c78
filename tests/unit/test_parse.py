"""Which lines are records, and what is wrong with the others; as a block and one by one."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable

import pytest
from builders import record
from hypothesis import example, given
from hypothesis import strategies as st

from churn_spark.events import values
from churn_spark.events.line import Record, read_line
from churn_spark.events.parse import LINE, Parsed, parse_block
from churn_spark.events.rules import (
    BROKEN_JSON,
    INVALID_UTF8,
    LINE_TOO_LONG,
    NUMBERS,
    TEXTS,
    WRONG_TYPE,
)

_MAX_LINE_BYTES = 2000
_FIRST = json.dumps(record())
_SECOND = json.dumps(record(ts=1538352000001, page="Home"))
_EMPTY_OBJECT = "{}"


def _line(**overrides: object) -> str:
    return json.dumps(record(**overrides))


def _padded(n_bytes: int) -> str:
    return _line(song="x" * (n_bytes - len(_line(song=""))))


def _nested(name: str, depth: int) -> str:
    least = '{"ts": 1538352000000, "auth": "Logged In"}'
    return f'{least[:-1]}, "{name}": {"[" * depth}{"]" * depth}}}'


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
    "byte-order mark in front": f"\ufeff{_FIRST}",
    "two byte-order marks and a space in front": f"\ufeff \ufeff{_FIRST}",
    "number of 1,000 digits": _FIRST[:-1] + ', "x": ' + "7" * 1000 + "}",
    "text of 1,001 digits": _line(song="7" * 1001),
}
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("user 7 played a song", BROKEN_JSON),
    "cut off": (_FIRST[: len(_FIRST) // 2], BROKEN_JSON),
    "cut off behind a nested value": (_line(device={})[:-1], BROKEN_JSON),
    "glued": (_FIRST + _SECOND, BROKEN_JSON),
    "glued with a comma": (f"{_FIRST},{_SECOND}", BROKEN_JSON),
    "glued with a spaced comma": (f"{_FIRST} , {_SECOND}", BROKEN_JSON),
    "single quotes": ("{'ts': 1538352000000, 'page': 'Home'}", BROKEN_JSON),
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
    "number of 1,001 digits": (_FIRST[:-1] + ', "x": ' + "7" * 1001 + "}", BROKEN_JSON),
    "fraction of 1,001 digits": (_FIRST[:-1] + ', "x": 0.' + "7" * 1000 + "}", BROKEN_JSON),
    "glued with a byte-order mark": (f"{_FIRST}\ufeff{_SECOND}", BROKEN_JSON),
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
    "song is nested 101 deep": (_nested("song", 101), WRONG_TYPE),
    "song is nested 960 deep": (_nested("song", 960), WRONG_TYPE),
    "page is nested 960 deep": (_nested("page", 960), WRONG_TYPE),
}
BLANK = ("", " ", "    ", "\ufeff", "\ufeff\ufeff \t")


def parse(*lines: str | bytes) -> Parsed:
    """A block of lines, parsed."""
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return parse_block(b"".join(line + b"\n" for line in raw), _MAX_LINE_BYTES)


def outcomes(parsed: Parsed) -> dict[int, Record | str]:
    """Number of each line that isn't blank -> its record, or why it is none."""
    names = (*NUMBERS, *TEXTS)
    records = {row[LINE]: tuple(row[n] for n in names) for row in parsed.records.to_dicts()}
    return {**records, **parsed.problems}


@pytest.fixture(scope="module")
def by_case() -> dict[str, Record | str]:
    """Name of the case -> its outcome, in a block with all others."""
    lines = [*RECORDS.values(), *BLANK, *(line for line, _ in BROKEN.values())]
    found = outcomes(parse(*lines))
    names = [*RECORDS, *BLANK, *BROKEN]
    return {names[number]: outcome for number, outcome in found.items()}


def test_every_line_gives_one_row_unless_blank(by_case: dict[str, Record | str]) -> None:
    assert by_case.keys() == {*RECORDS, *BROKEN}


@pytest.mark.parametrize("case", RECORDS)
def test_line_is_a_record_when(case: str, by_case: dict[str, Record | str]) -> None:
    assert not isinstance(by_case[case], str)


@pytest.mark.parametrize("case", BROKEN)
def test_line_keeps_its_problem_when(case: str, by_case: dict[str, Record | str]) -> None:
    assert by_case[case] == BROKEN[case][1]


@pytest.mark.parametrize("case", RECORDS)
def test_record_has_the_fields_of_the_line_when(
    case: str, by_case: dict[str, Record | str]
) -> None:
    told = json.loads(RECORDS[case].lstrip("\ufeff "))
    texts = {name: told.get(name) for name in TEXTS}
    if texts["userId"] is not None:
        texts["userId"] = str(texts["userId"])
    assert by_case[case] == (*(told.get(name) for name in NUMBERS), *texts.values())


@pytest.mark.parametrize("case", [*RECORDS, *BROKEN])
def test_line_alone_in_its_block_is_the_same_when(
    case: str, by_case: dict[str, Record | str]
) -> None:
    line = RECORDS[case] if case in RECORDS else BROKEN[case][0]
    assert outcomes(parse(line)) == {0: by_case[case]}


@pytest.mark.parametrize("name", NUMBERS)
def test_not_a_number_is_null_when_a_number_is_expected(name: str) -> None:
    [found] = outcomes(parse(_line(**{name: float("nan")}))).values()
    assert found[NUMBERS.index(name)] is None


TEXTS_OF_OTHER_VALUES: dict[str, tuple[object, str]] = {
    "user of digits": (10000042, "10000042"),
    "user of digits, as a float": (10000042.0, "10000042"),
    "user of many digits": (12345678901234567890123, "12345678901234567890123"),
    "user with a fraction": (7.5, "7.5"),
    "user with an exponent": (1e22, "10000000000000000000000"),
    "user in quotes": ("7.0", "7.0"),
}


@pytest.mark.parametrize("case", TEXTS_OF_OTHER_VALUES)
def test_user_id_is_the_digits_of_a_number_when(case: str) -> None:
    value, expected = TEXTS_OF_OTHER_VALUES[case]
    for odd in ("", "{broken"):
        found = outcomes(parse(_line(userId=value), odd))[0]
        assert found[len(NUMBERS) + TEXTS.index("userId")] == expected


def test_value_nested_100_deep_is_its_json() -> None:
    [found] = outcomes(parse(_nested("song", 100))).values()
    assert found[len(NUMBERS) + TEXTS.index("song")] == "[" * 100 + "]" * 100


def test_value_of_no_field_may_be_nested_deeper() -> None:
    [found] = outcomes(parse(_nested("device", 960))).values()
    assert not isinstance(found, str)


def test_object_in_place_of_a_title_is_its_json() -> None:
    [found] = outcomes(parse(_line(song={"b": [1, None], "a": "\U0001f60d"}))).values()
    assert found[len(NUMBERS) + TEXTS.index("song")] == '{"b":[1,null],"a":"\U0001f60d"}'


def test_half_a_surrogate_pair_is_a_question_mark() -> None:
    [found] = outcomes(parse(_line(song="a\ud83db"))).values()
    assert found[len(NUMBERS) + TEXTS.index("song")] == "a?b"


def test_first_value_counts_when_a_key_is_there_twice() -> None:
    for line in ('{"ts":1,"page":"a","ts":2}', '{"ts":1,"page":"a","ts":2,"x":NaN}'):
        [found] = outcomes(parse(line)).values()
        assert found[NUMBERS.index("ts")] == 1


_NUMBERS_OF_ANY_KIND = (
    st.integers()
    | st.integers(-(10**45), 10**45)
    | st.floats()
    | st.floats(-1e16, 1e16).map(lambda number: round(number, 3))
    | st.sampled_from([0, -0.0, 7.0, 2**53 + 1, 2**63, 2**64, 10**22, 1e22, 1.5e300, 1e-7])
)
_TEXTS_OF_ANY_KIND = (
    st.text(max_size=6)
    | st.sampled_from(["true", "false", "null", "[untitled]", "{x}", "NaN", "-INF", " 7 "])
    | st.sampled_from(["404", "-4.5", "7.0", "1e5", "9" * 40, "3.14"])
    | st.sampled_from(["\ud83d", "\ude00", "\ud83d\ude00", "a\x00b", "\u2028", "\ufeff"])
)
_VALUES = st.recursive(
    st.none() | st.booleans() | _NUMBERS_OF_ANY_KIND | _TEXTS_OF_ANY_KIND,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=4,
)
_PAIRS = st.lists(st.tuples(st.sampled_from([*NUMBERS, *TEXTS, "new"]), _VALUES), max_size=4)


@st.composite
def _odd_lines(draw: st.DrawFn) -> bytes:
    """A record with some values of any kind, some keys twice or escaped, perhaps spoiled."""
    pairs = draw(_PAIRS) + list(record().items()) + draw(_PAIRS)
    is_ascii = draw(st.booleans())
    told = [
        f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=is_ascii)}" for name, value in pairs
    ]
    line = "{" + ",".join(told) + "}"
    if draw(st.booleans()):
        line = line.replace('"page"', '"p\\u0061ge"')
    raw = line.encode("utf-8", "surrogatepass")
    if draw(st.booleans()):
        at = draw(st.integers(0, len(raw)))
        spoilt = st.binary(max_size=2) | st.sampled_from(
            [b"}{", b"\r", b"\\", b'"', b",", b" ", raw]
        )
        raw = raw[:at] + draw(spoilt) + raw[at + draw(st.integers(0, 2)) :]
    return raw


@given(st.lists(_odd_lines(), min_size=1, max_size=3))
@example([b'{"ts":1,"ts":"x"}'])
@example([b'{"song":"\\ud83d","artist":"\\ud83d\\ude00"}'])
@example([b'{"userId":12345678901234567890123456789012345678901}'])
@example([b'{"userId":2205971680782236.25}'])
@example([b'{"song":[1, {"a": "\\u00e9"}]}'])
@example([b'{"page":404}'])
@example([b'{"level":true}'])
@example([b'{"x":' + b"[" * 990 + b"]" * 990 + b"}"])
@example([b'{"x":' + b"[" * 1100 + b"]" * 1100 + b"}"])
def test_block_has_the_records_of_its_lines_read_one_by_one_whatever_they_are(
    odd: list[bytes],
) -> None:
    lines = b"\n".join([_FIRST.encode(), *odd]).replace(b"\r", b"\n").split(b"\n")
    expected = {
        number: read_line(line, _MAX_LINE_BYTES)
        for number, line in enumerate(lines)
        if line.strip()
    }
    assert outcomes(parse(_FIRST, *odd)) == expected


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
@pytest.mark.parametrize("n_cut", [0, 9])
def test_compressed_data_without_the_name_of_such_are_no_records(
    compress: Callable[[bytes], bytes], n_cut: int
) -> None:
    packed = compress(b"\n".join([json.dumps(record()).encode()] * 3))
    parsed = parse_block(packed[: len(packed) - n_cut], 1 << 16)
    assert parsed.records.height == 0
    assert {*parsed.problems.values()} <= {"broken JSON", "invalid UTF-8"}
    assert parsed.problems


@pytest.mark.parametrize("value", [7, {"a": 1}, [[]]])
def test_depth_is_looked_for_only_as_far_as_there_is_any(
    value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as many rounds as are allowed this would take a quarter of an hour."""
    monkeypatch.setattr(values, "MAX_DEPTH", 10**9)
    assert not values.is_too_deep(value)
