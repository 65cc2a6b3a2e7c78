"""Hashes that are kept with models and studies: the same on every machine, and for ever."""

from __future__ import annotations

from datetime import date

from churn_spark.hashing import content_hash, text_hash

ABOUT = {"rows": "a", "dates": (date(2018, 10, 1),)}


def test_hash_is_the_beginning_of_the_published_one() -> None:
    # printf abc | sha256sum
    assert text_hash("abc") == "ba7816bf8f01cfea"


def test_hash_changes_with_the_content_and_not_with_the_order() -> None:
    assert content_hash(ABOUT) == content_hash(dict(reversed(ABOUT.items())))
    assert content_hash(ABOUT) != content_hash(ABOUT | {"dates": (date(2018, 10, 8),)})


def test_hash_of_a_content_is_that_of_its_json() -> None:
    # printf '{"a": 1, "b": "2018-10-01"}' | sha256sum
    assert content_hash({"b": date(2018, 10, 1), "a": 1}) == text_hash(
        '{"a": 1, "b": "2018-10-01"}'
    )
