"""Counts, lists and shares in a sentence."""

from __future__ import annotations

import pytest

from churn_spark.wording import count_of, name_some, per_100, percent


@pytest.mark.parametrize(
    ("n", "nouns", "text"),
    [
        (0, ("night",), "0 nights"),
        (1, ("night",), "1 night"),
        (2, ("bad night",), "2 bad nights"),
        (1200, ("user",), "1,200 users"),
        (1, ("alert is", "alerts are"), "1 alert is"),
        (3, ("alert is", "alerts are"), "3 alerts are"),
    ],
)
def test_one_of_something_has_no_plural(n: int, nouns: tuple[str, ...], text: str) -> None:
    assert count_of(n, *nouns) == text


@pytest.mark.parametrize(
    ("names", "text"),
    [([], ""), (["a"], "a"), (["a", "b"], "a, b"), (["a", "b", "c"], "a, b and 1 more")],
)
def test_only_the_first_names_are_named(names: list[str], text: str) -> None:
    assert name_some(names, 2) == text


def test_sentences_are_separated_otherwise() -> None:
    assert name_some(["a, b", "c", "d"], 1, "; ", "; and ") == "a, b; and 2 more"


@pytest.mark.parametrize(
    ("share", "decimals", "text"),
    [(0.36, 0, "36 %"), (0.0042, 1, "0.4 %"), (1, 1, "100.0 %"), (-0.05, 0, "-5 %")],
)
def test_share_is_shown_as_percent(share: float, decimals: int, text: str) -> None:
    assert percent(share, decimals) == text


def test_gap_of_a_percentage_may_be_one_where_no_line_breaks() -> None:
    assert percent(0.5, gap="\u202f") == "50\u202f%"


def test_texts_of_stored_orders_stay_as_they_were() -> None:
    """With their negative zero: what was decided is replayed to the byte."""
    assert [per_100(one) for one in (0.0167, -0.0042, -0.0003)] == ["1.7", "−0.4", "−0.0"]
