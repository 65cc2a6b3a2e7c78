"""Trees tell two sides apart where they differ, and only there; what the policy makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from nights import POLICY, QUIET, START, night, run

from bench.joint import CORRELATION, Users, count_moved
from churn_spark.arrays import Floats
from churn_spark.models.reference_folds import N_FOLDS
from churn_spark.monitoring.alerts.joint import find_joint_drift
from churn_spark.monitoring.drift.joint import Side, tell_apart
from churn_spark.monitoring.frames.joint import choose_features
from churn_spark.monitoring.policy.evidence import Evidence, JointFact
from churn_spark.monitoring.policy.policy import adopt, decide

N_USERS, NAMES = 1500, ["b", "d", "a", "c", "e", "f"]


def draw_sides(seed: int, correlation: float) -> tuple[Side, Side]:
    """The same users on two dates; two features are correlated, tonight by so much."""
    rng = np.random.default_rng(seed)
    traits = rng.normal(size=(N_USERS, len(NAMES)))
    users = Users(traits, rng.integers(0, N_FOLDS, N_USERS))
    dates = (users.values(rng, one) for one in (CORRELATION, correlation))
    before, now = (Side(values, users.folds) for values in dates)
    return before, now


CHANGED, SAME = draw_sides(1, -CORRELATION), draw_sides(2, CORRELATION)


def test_flipped_correlation_is_found_by_trees_and_by_no_distribution() -> None:
    before, now = CHANGED
    assert count_moved(before.values, now.values, POLICY) == 0
    found = tell_apart(before, now, NAMES, 200)
    assert found.low > POLICY.enter_auc_low
    assert found.low < found.auc < found.high
    assert set(list(found.shares)[:2]) == {"b", "d"}
    assert sum(found.shares.values()) == pytest.approx(1.0)


def test_same_users_on_another_date_are_not_told_apart() -> None:
    found = tell_apart(*SAME, NAMES, 200)
    assert found.low < 0.5 < found.high


def test_same_rows_on_both_sides_have_an_auc_of_one_half() -> None:
    found = tell_apart(SAME[0], SAME[0], NAMES, 200)
    assert (found.auc, found.shares) == (0.5, {})


def test_order_of_rows_and_features_and_the_names_of_the_sides_change_nothing() -> None:
    before, now = CHANGED
    found = tell_apart(before, now, NAMES, 200)
    columns, rows = np.random.default_rng(3).permutation(6), np.random.default_rng(4)
    moved = [
        Side(side.values[order][:, columns], side.folds[order])
        for side in (before, now)
        for order in [rows.permutation(N_USERS)]
    ]
    again = tell_apart(moved[0], moved[1], [NAMES[column] for column in columns], 200)
    assert again.auc == pytest.approx(found.auc, abs=1e-9)
    assert list(again.shares) == list(found.shares)
    assert tell_apart(now, before, NAMES, 200).auc == pytest.approx(found.auc, abs=0.01)


def test_values_may_be_told_in_any_unit() -> None:
    before, now = CHANGED
    scaled = [Side(np.expm1(side.values / 3) * 1000, side.folds) for side in (before, now)]
    found = tell_apart(scaled[0], scaled[1], NAMES, 200)
    assert found.auc == pytest.approx(tell_apart(before, now, NAMES, 200).auc, abs=0.01)


def test_missing_values_tell_sides_apart() -> None:
    before, now = SAME
    holed: Floats = np.where(np.arange(N_USERS)[:, None] % 2, now.values, np.nan)
    assert tell_apart(before, Side(holed, now.folds), NAMES, 200).auc > 0.7


@pytest.mark.parametrize(("names", "min_rows"), [(NAMES, N_USERS + 1), ([], 200)])
def test_too_few_rows_or_no_feature_is_no_test(names: list[str], min_rows: int) -> None:
    before, now = SAME
    width = len(names)
    sides = Side(before.values[:, :width], before.folds), Side(now.values[:, :width], now.folds)
    found = tell_apart(*sides, names, min_rows)
    assert (found.status, found.n_baseline, found.shares) == ("skipped", N_USERS, {})
    assert np.isnan(found.auc)


def drift_row(
    feature: str, d: float = 0.01, bound: float = 0.0, **more: object
) -> dict[str, object]:
    plain = {"status": "ok", "total_variation": np.nan, "is_trending": False}
    return plain | {"feature": feature, "ks_statistic": d, "lower_bound": bound} | more


def test_trees_see_what_is_comparable_of_a_fixed_span_and_has_not_moved_by_itself() -> None:
    rows = [
        drift_row("songs_7d"),
        drift_row("adverts_28d", 0.05, 0.037),
        # Far, and may be chance: of few users.
        drift_row("sessions_28d", 0.08, 0.0),
        drift_row("os", np.nan, total_variation=0.02),
        drift_row("browser", np.nan, 0.03, total_variation=0.06),
        # Since registration, by the weekday, not comparable, and no input.
        drift_row("thumbs_up_per_song"),
        drift_row("total_songs_played", is_trending=True),
        drift_row("songs_1d", is_trending=True),
        drift_row("songs_28d", status="not_comparable"),
        drift_row("churn_probability"),
    ]
    assert choose_features(pd.DataFrame(rows), POLICY) == ["os", "sessions_28d", "songs_7d"]


def told(auc: float, importance: float = 0.1) -> Evidence:
    """A quiet night on which all features at once tell so much."""
    return replace(QUIET, joint=JointFact(auc, auc - 0.016, auc + 0.016, ("a", "b"), importance))


def test_joint_drift_enters_surely_leaves_later_and_stays_where_it_was_not_tested() -> None:
    nights = [0.58, 0.615, 0.617, 0.595, 0.589, 0.61]
    states = [run(START, [(n, told(auc)) for n, auc in enumerate(nights[:m], 1)])[0]
              for m in range(1, 7)]  # fmt: skip
    assert [state.apart[-1] for state in states] == [False, False, True, True, False, False]
    untested, _ = decide(states[3], QUIET, POLICY, night(9))
    assert untested.apart[-1]
    assert len(untested.apart) == POLICY.of_nights


def test_joint_drift_retrains_nothing_and_ends_with_a_new_champion() -> None:
    state, decisions = run(START, [(number, told(0.9)) for number in range(1, 7)])
    assert {decision.kind for decision in decisions} == {"keep"}
    assert state.breached == ()
    assert adopt(state, "2", POLICY).apart == ()


def test_joint_drift_of_too_few_users_is_not_judged() -> None:
    state, _ = run(START, [(1, replace(told(0.9), n_rows=50))])
    assert state.apart == ()


def test_warning_needs_several_nights_and_features_that_matter() -> None:
    first, _ = run(START, [(1, told(0.7))])
    second, _ = run(first, [(2, told(0.7))])
    [finding] = find_joint_drift(first, told(0.7), POLICY)
    assert (finding.key, finding.severity) == ("drift:joint", "info")
    assert finding.sentence == (
        "a classifier tells today's users from the training rows, ROC AUC 0.700 [0.684, 0.716], by "
        "features that have not drifted by themselves: mostly by a, b, with 10 % of feature "
        "importance"
    )
    severities = [find_joint_drift(second, told(0.7, i), POLICY)[0].severity for i in (0.1, 0.01)]
    assert severities == ["warning", "info"]


def test_nothing_is_found_on_a_quiet_night_and_without_evidence() -> None:
    quiet, _ = run(START, [(1, told(0.51))])
    apart, _ = run(START, [(1, told(0.7))])
    assert find_joint_drift(quiet, told(0.51), POLICY) == ()
    assert find_joint_drift(apart, None, POLICY) == ()
    assert find_joint_drift(None, told(0.7), POLICY) == ()
