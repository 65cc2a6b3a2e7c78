"""Rows become the same numbers in training, scoring and serving."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_spark.models.encoding import Encoding

ENCODING = Encoding(
    features=("songs", "level", "os"),
    levels={"level": ("free", "paid"), "os": ("Windows", "macOS", "Linux")},
    typical={"songs": 12.0, "level": "free", "os": "Windows"},
    fingerprint="00aa",
)
ROWS = pd.DataFrame(
    {"songs": [3.0, 0.5], "level": ["paid", "free"], "os": ["Linux", "Windows"], "other": [1, 2]}
)

LEVELS = st.lists(st.text(max_size=5), unique=True, max_size=6).map(tuple)
ENCODINGS = st.builds(
    lambda names, levels, numbers, mark: Encoding(
        tuple(names),
        dict(zip(names, levels, strict=False)),
        {name: numbers.get(name) for name in names},
        mark,
    ),
    st.lists(st.text(min_size=1, max_size=5), unique=True, min_size=1, max_size=5),
    st.lists(LEVELS, max_size=3),
    st.dictionaries(
        st.text(max_size=5), st.one_of(st.floats(allow_nan=False), st.text(), st.none())
    ),
    st.text(max_size=5),
)


def matrix_of(**columns: Any) -> list[list[float]]:
    plain = {"songs": [1.0], "level": ["free"], "os": ["Windows"], **columns}
    return ENCODING.encode(pd.DataFrame(plain)).tolist()


def test_level_becomes_its_position_in_the_order_of_the_features() -> None:
    assert ENCODING.encode(ROWS).tolist() == [[3.0, 1.0, 2.0], [0.5, 0.0, 0.0]]


def test_matrix_is_float64_of_rows_times_features() -> None:
    matrix = ENCODING.encode(ROWS)
    assert (matrix.dtype, matrix.shape) == (np.float64, (2, 3))


def test_order_and_index_of_the_frame_change_nothing() -> None:
    shuffled = ROWS.iloc[::-1][["other", "os", "songs", "level"]]
    assert ENCODING.encode(shuffled).tolist() == ENCODING.encode(ROWS).tolist()[::-1]


@pytest.mark.parametrize("level", ["trial", "", "FREE", None, math.nan, pd.NA])
def test_level_has_the_code_after_the_last_when_unknown_or_missing(level: object) -> None:
    assert matrix_of(level=pd.Series([level], dtype=object)) == [[1.0, 2.0, 0.0]]


def test_level_has_the_code_after_the_last_when_the_whole_column_is_missing() -> None:
    assert matrix_of(level=[None], os=[math.nan]) == [[1.0, 2.0, 3.0]]


def test_every_level_is_unknown_when_none_was_seen_in_training() -> None:
    bare = Encoding(("os",), {"os": ()}, {"os": None}, "")
    assert bare.encode(pd.DataFrame({"os": ["Linux", None]})).tolist() == [[0.0], [0.0]]


@pytest.mark.parametrize("dtype", ["float64", "object", "Float64", "Int64"])
def test_number_is_nan_when_it_is_missing(dtype: str) -> None:
    matrix = ENCODING.encode(
        pd.DataFrame(
            {
                "songs": pd.Series([4, None], dtype=dtype),
                "level": ["free", "free"],
                "os": ["Linux", "Linux"],
            }
        )
    )
    assert matrix[0, 0] == 4.0
    assert math.isnan(matrix[1, 0])


@pytest.mark.parametrize("dtype", ["object", "string", "category"])
def test_codes_are_equal_in_every_type_of_text_column(dtype: str) -> None:
    found = matrix_of(
        songs=[1.0] * 3, os=["Linux"] * 3, level=pd.Series(["paid", "trial", None], dtype=dtype)
    )
    assert [row[1] for row in found] == [1.0, 2.0, 2.0]


def test_matrix_is_empty_when_there_are_no_rows() -> None:
    assert ENCODING.encode(ROWS.iloc[:0]).shape == (0, 3)


def test_rows_are_refused_when_a_feature_is_absent() -> None:
    with pytest.raises(KeyError, match="level"):
        ENCODING.encode(ROWS.drop(columns="level"))


def test_rows_are_left_as_they_were() -> None:
    before = ROWS.copy(deep=True)
    ENCODING.encode(ROWS)[:] = -1
    pd.testing.assert_frame_equal(ROWS, before)


def test_categories_are_named_in_matrix_order() -> None:
    swapped = Encoding(("os", "songs", "level"), ENCODING.levels, ENCODING.typical, "")
    assert swapped.categorical == ["os", "level"]


@settings(deadline=None)
@given(encoding=ENCODINGS)
def test_encoding_is_equal_after_a_round_trip_through_json(encoding: Encoding) -> None:
    assert Encoding.from_json(encoding.to_json()) == encoding


@settings(deadline=None)
@given(
    levels=LEVELS,
    values=st.lists(st.one_of(st.none(), st.text(max_size=5)), min_size=1, max_size=8),
    numbers=st.data(),
)
def test_matrix_is_the_same_after_a_round_trip_and_as_the_plain_rule(
    levels: tuple[str, ...], values: list[str | None], numbers: st.DataObject
) -> None:
    encoding = Encoding(("n", "c"), {"c": levels}, {"n": 0.0, "c": None}, "f")
    n = numbers.draw(
        st.lists(st.one_of(st.none(), st.floats()), min_size=len(values), max_size=len(values))
    )
    rows = pd.DataFrame({"n": pd.Series(n, dtype=object), "c": pd.Series(values, dtype=object)})
    matrix = encoding.encode(rows)
    codes = [levels.index(v) if v in levels else len(levels) for v in values]
    expected = [math.nan if x is None else x for x in n]
    np.testing.assert_array_equal(matrix, np.column_stack([expected, codes]))
    np.testing.assert_array_equal(Encoding.from_json(encoding.to_json()).encode(rows), matrix)
