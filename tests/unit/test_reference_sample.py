"""Which rows are compared as wholes, and what features move the scores by on both sides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from serving_builders import make_bundle, make_rows

from churn_spark.contracts.features.history import FILLED_DAYS, LOG_DAYS, History
from churn_spark.models.reference_folds import FOLD, N_FOLDS, deal_one_row, folds_of
from churn_spark.monitoring.frames.attribution import compare_contributions
from churn_spark.monitoring.frames.sides import Sides, choose_reference

OLD_LOG = History(500, 500)
USERS = pd.Series([f"user {number // 3}" for number in range(3000)])
BUNDLE = make_bundle()


def test_one_row_of_each_user_has_a_part_and_it_is_the_users() -> None:
    dealt = deal_one_row(USERS)
    chosen = USERS[dealt.notna()]
    assert sorted(chosen) == sorted(set(USERS))
    assert (folds_of(USERS)[dealt.notna()] == dealt[dealt.notna()]).all()
    # Any of the three, each as often; and each part a third of the users.
    for counts in (np.bincount(chosen.index % 3), np.bincount(dealt.dropna().astype(int))):
        assert len(counts) == N_FOLDS
        assert counts.min() > 270


def test_part_of_a_user_does_not_depend_on_who_else_there_is() -> None:
    assert folds_of(USERS.head(30)).tolist() == folds_of(USERS).tolist()[:30]


def test_champion_of_an_older_release_is_compared_without_parts() -> None:
    older = choose_reference(BUNDLE.baseline, OLD_LOG)
    assert older[FOLD].isna().all()
    assert len(older) == len(BUNDLE.baseline)
    marked = BUNDLE.baseline.assign(**{FOLD: pd.array([0, None] * (len(older) // 2), "Int8")})
    assert len(choose_reference(marked, OLD_LOG)) == len(older) // 2


def test_sides_hold_the_same_users_and_are_bounded() -> None:
    users = make_rows(300).assign(as_of="2018-11-30", user_id=USERS.unique()[:300])
    users = users.assign(churn_probability=BUNDLE.probabilities(users))
    sides = Sides.of(users, BUNDLE, 100, OLD_LOG)
    assert len(sides.current) == len(sides.reference) == 100
    again = Sides.of(users.sample(frac=1, random_state=1), BUNDLE, 100, OLD_LOG)
    pd.testing.assert_frame_equal(
        sides.current.reset_index(drop=True), again.current.reset_index(drop=True)
    )
    parts = sides.attributions(50)
    assert set(parts) == set(BUNDLE.encoding.features)
    names = list(BUNDLE.encoding.features)
    matrix = sides.current[names].head(50).to_numpy(dtype=float)
    expected = np.abs(BUNDLE.contributions_of(matrix).values).mean(axis=0)
    assert [parts[name].current for name in names] == pytest.approx(expected.tolist())


def test_change_of_a_contribution_has_the_error_of_both_sides() -> None:
    before, now = np.array([[1.0], [-3.0]]), np.array([[4.0], [4.0], [-4.0]])
    found = compare_contributions(["songs"], before, now)["songs"]
    assert (found.baseline, found.current) == (2.0, 4.0)
    assert found.error == pytest.approx(1.0)
    assert np.isnan(compare_contributions(["songs"], before[:1], now)["songs"].error)


def test_rows_of_a_young_log_tell_nothing_where_others_have_full_windows() -> None:
    n_rows = len(BUNDLE.baseline)
    ages = np.where(np.arange(n_rows) < 20, 20, 50)
    told = BUNDLE.baseline.assign(**{FOLD: 0, LOG_DAYS: ages, FILLED_DAYS: ages})
    assert len(choose_reference(told, History(61, 61))) == n_rows - 20
    # Tonight's users haven't full windows either: only the scores are left to compare.
    assert len(choose_reference(told, History(30, 30))) == n_rows
