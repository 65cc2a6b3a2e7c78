"""Users are split by a hash of their id: stable, uniform, and the same in any language."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.models.splits import STOPPING, TRAIN, VALIDATION
from tests.oracles import split_of, user_bucket

SHARES = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("user_id", "seed", "sha256_starts_with"),
    # printf '7:42' | sha256sum
    [("42", 7, 0x6FB44D7D), ("", 7, 0x70FB8417), ("100", 0, 0xCB753F98)],
)
def test_bucket_is_the_first_32_bits_of_the_published_hash(
    user_id: str, seed: int, sha256_starts_with: int
) -> None:
    assert user_bucket(user_id, seed) == sha256_starts_with / 2**32


@given(user_id=st.text(), seed=st.integers(0, 2**63))
def test_bucket_is_at_least_zero_and_below_one(user_id: str, seed: int) -> None:
    assert 0 <= user_bucket(user_id, seed) < 1


def test_shares_are_near_nominal_over_many_users() -> None:
    parts = Counter(split_of(user_bucket(str(i), 7), 0.2, 0.25) for i in range(10_000))
    # Four standard errors of the largest share are 0.02.
    assert parts[VALIDATION] / 10_000 == pytest.approx(0.2, abs=0.02)
    assert parts[STOPPING] / 10_000 == pytest.approx(0.8 * 0.25, abs=0.02)
    assert parts[TRAIN] / 10_000 == pytest.approx(0.6, abs=0.02)


def test_buckets_are_uniform_when_the_ids_are_consecutive() -> None:
    tenths = Counter(int(user_bucket(str(i), 7) * 10) for i in range(10_000))
    assert sorted(tenths) == list(range(10))
    assert all(880 < n < 1120 for n in tenths.values())


def test_another_seed_splits_independently() -> None:
    in_both = sum(
        user_bucket(str(i), 1) < 0.5 and user_bucket(str(i), 2) < 0.5 for i in range(4000)
    )
    assert in_both / 4000 == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        (0.0, VALIDATION),
        (0.1999, VALIDATION),
        (0.25, STOPPING),
        (0.5999, STOPPING),
        (0.625, TRAIN),
        (0.9999, TRAIN),
    ],
)
def test_parts_are_half_open_intervals_of_the_bucket(bucket: float, expected: str) -> None:
    assert split_of(bucket, validation_share=0.25, stopping_share=0.5) == expected


def test_bucket_at_a_border_belongs_to_the_part_above() -> None:
    assert split_of(0.25, 0.25, 0.5) == STOPPING
    assert split_of(0.625, 0.25, 0.5) == TRAIN


def test_everybody_trains_when_both_shares_are_zero() -> None:
    assert split_of(0.0, 0.0, 0.0) == TRAIN


@given(bucket=st.floats(0, 1, exclude_max=True), share=SHARES, first=SHARES, second=SHARES)
def test_validation_users_stay_when_the_stopping_share_changes(
    bucket: float, share: float, first: float, second: float
) -> None:
    is_held_out = split_of(bucket, share, first) == VALIDATION
    assert is_held_out == (split_of(bucket, share, second) == VALIDATION)


@given(user_id=st.text(), smaller=SHARES, larger=SHARES)
def test_validation_part_only_grows_when_its_share_grows(
    user_id: str, smaller: float, larger: float
) -> None:
    smaller, larger = sorted((smaller, larger))
    bucket = user_bucket(user_id, 7)
    if split_of(bucket, smaller, 0.2) == VALIDATION:
        assert split_of(bucket, larger, 0.2) == VALIDATION
