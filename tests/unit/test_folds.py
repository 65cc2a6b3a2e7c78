"""Users dealt out to folds, against scikit-learn."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold

from churn_spark.evaluation.folds import deal_folds


@given(rows=st.lists(st.integers(0, 20), min_size=60, max_size=200), n_folds=st.integers(2, 5))
def test_folds_are_those_of_group_k_fold_when_the_largest_users_come_first(
    rows: list[int], n_folds: int
) -> None:
    users = np.array([*rows, *range(n_folds)])
    _, user, n_rows = np.unique(users, return_inverse=True, return_counts=True)
    largest_first = np.argsort(n_rows, kind="stable")[::-1]
    found = deal_folds(largest_first, n_rows, n_folds)[user]
    splits = GroupKFold(n_folds).split(users, groups=users)
    for number, (_, held_out) in enumerate(splits):
        assert np.flatnonzero(found == number).tolist() == held_out.tolist()


def test_users_of_equal_size_are_dealt_out_one_after_the_other() -> None:
    order = np.array([3, 0, 4, 2, 1])
    found = deal_folds(order, np.ones(5, dtype=np.int64), 2)
    assert found[order].tolist() == [0, 1, 0, 1, 0]
