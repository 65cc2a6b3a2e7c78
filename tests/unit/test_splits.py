"""Users are split by a hash of their id: stable, uniform, and the same in any language."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.config import TrainingConfig, load_config
from churn_spark.models.splits import STOPPING, TRAIN, VALIDATION, bucket_of, split_of
from tests import oracle_users

SHARES = st.floats(0, 1, exclude_max=True)


def with_shares(validation: float, stopping: float, seed: int = 7) -> TrainingConfig:
    shares = {"validation_share": validation, "stopping_share": stopping, "seed": seed}
    return load_config().training.model_copy(update=shares)


@pytest.mark.parametrize(
    ("user_id", "seed", "sha256_starts_with"),
    # printf '7:42' | sha256sum
    [("42", 7, 0x6FB44D7D), ("", 7, 0x70FB8417), ("100", 0, 0xCB753F98)],
)
def test_bucket_is_the_first_32_bits_of_the_published_hash(
    user_id: str, seed: int, sha256_starts_with: int
) -> None:
    assert bucket_of(user_id, seed) == sha256_starts_with / 2**32


@given(user_id=st.text(), seed=st.integers(0, 2**63))
def test_bucket_is_at_least_zero_and_below_one(user_id: str, seed: int) -> None:
    assert 0 <= bucket_of(user_id, seed) < 1


def test_shares_are_near_nominal_over_many_users() -> None:
    config = with_shares(0.2, 0.25)
    parts = Counter(split_of(str(i), config) for i in range(10_000))
    # Four standard errors of the largest share are 0.02.
    assert parts[VALIDATION] / 10_000 == pytest.approx(0.2, abs=0.02)
    assert parts[STOPPING] / 10_000 == pytest.approx(0.8 * 0.25, abs=0.02)
    assert parts[TRAIN] / 10_000 == pytest.approx(0.6, abs=0.02)


def test_buckets_are_uniform_when_the_ids_are_consecutive() -> None:
    tenths = Counter(int(bucket_of(str(i), 7) * 10) for i in range(10_000))
    assert sorted(tenths) == list(range(10))
    assert all(880 < n < 1120 for n in tenths.values())


def test_another_seed_splits_independently() -> None:
    first, second = with_shares(0.5, 0.0, seed=1), with_shares(0.5, 0.0, seed=2)
    in_both = sum(split_of(str(i), first) == split_of(str(i), second) == VALIDATION
                  for i in range(4000))  # fmt: skip
    assert in_both / 4000 == pytest.approx(0.25, abs=0.03)


@given(user_id=st.text(), validation=SHARES, stopping=SHARES)
def test_part_is_the_one_of_the_definition(
    user_id: str, validation: float, stopping: float
) -> None:
    expected = oracle_users.split(oracle_users.bucket(user_id, 7), validation, stopping)
    assert split_of(user_id, with_shares(validation, stopping)) == expected


@given(user_id=st.text())
def test_user_at_a_border_belongs_to_the_part_above(user_id: str) -> None:
    own = oracle_users.bucket(user_id, 7)
    below = math.nextafter(own, 1)
    assert split_of(user_id, with_shares(below, 0.0)) == VALIDATION
    assert split_of(user_id, with_shares(own, 0.5)) == STOPPING
    assert split_of(user_id, with_shares(0.0, below)) == STOPPING
    assert split_of(user_id, with_shares(0.0, own)) == TRAIN


@given(user_id=st.text(), share=SHARES, first=SHARES, second=SHARES)
def test_validation_users_stay_when_the_stopping_share_changes(
    user_id: str, share: float, first: float, second: float
) -> None:
    is_held_out = split_of(user_id, with_shares(share, first)) == VALIDATION
    assert is_held_out == (split_of(user_id, with_shares(share, second)) == VALIDATION)


@given(user_id=st.text(), smaller=SHARES, larger=SHARES)
def test_validation_part_only_grows_when_its_share_grows(
    user_id: str, smaller: float, larger: float
) -> None:
    smaller, larger = sorted((smaller, larger))
    if split_of(user_id, with_shares(smaller, 0.2)) == VALIDATION:
        assert split_of(user_id, with_shares(larger, 0.2)) == VALIDATION
