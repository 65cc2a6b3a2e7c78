"""The mistakes, on small tables worked out by hand and with a planted cause."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from churn_spark.evaluation.examples import choose_examples, letter_examples
from churn_spark.evaluation.mistakes import (
    ALARMS_AGAINST_LEFT_ALONE,
    MISSED_AGAINST_FOUND,
    ErrorAnalysis,
    analyse_errors,
    standardised_difference,
)

DAY = date(2018, 11, 1)
ROW: dict[str, Any] = {"as_of": DAY, "label": 0, "churn_probability": 0.1, "level": "paid"}


def rows_of(*overrides: dict[str, Any]) -> pd.DataFrame:
    rows = [
        {
            **ROW,
            "user_id": f"user{n}",
            "reasons": None,
            "first_reason": None,
            "adverts": 0.0,
            **override,
        }
        for n, override in enumerate(overrides)
    ]
    return pd.DataFrame(rows)


def analyse(rows: pd.DataFrame, **settings: Any) -> ErrorAnalysis:
    return analyse_errors(rows, 0.5, ["level"], ["adverts"], **settings)


FOUND = {"label": 1, "churn_probability": 0.5}
MISSED = {"label": 1, "churn_probability": 0.2}
ALARM = {"churn_probability": 0.7}


def test_outcomes_are_counted_at_the_threshold() -> None:
    counts = analyse(rows_of(FOUND, MISSED, MISSED, ALARM, {}, {}, {})).counts
    assert counts == {
        "true positive": 1,
        "false negative": 2,
        "false positive": 1,
        "true negative": 3,
    }


def test_rates_of_a_segment_are_misses_among_cancels_and_alarms_among_stays() -> None:
    free = {"level": "free"}
    rows = rows_of(FOUND, MISSED, MISSED, {}, {**FOUND, **free}, {**ALARM, **free}, free, free)
    found = analyse(rows).segments.set_index("value")
    assert found.loc["paid", "miss_rate"] == pytest.approx(2 / 3)
    assert found.loc["paid", "alarm_rate"] == 0
    assert found.loc["free", "miss_rate"] == 0
    assert found.loc["free", "alarm_rate"] == pytest.approx(1 / 3)
    assert tuple(found.loc["paid", ["n_users", "n_cancels", "n_stays"]]) == (4, 3, 1)
    expected = binomtest(2, 3).proportion_ci(method="wilson")
    assert found.loc["paid", "miss_low"] == pytest.approx(expected.low)
    assert found.loc["paid", "miss_high"] == pytest.approx(expected.high)


def test_rate_is_unknown_when_a_segment_has_no_cancel_and_null_is_a_segment() -> None:
    found = analyse(rows_of(FOUND, {"level": None})).segments.set_index("value")
    assert math.isnan(found.loc["unknown", "miss_rate"])
    assert math.isnan(found.loc["unknown", "miss_low"])
    assert found.loc["unknown", "alarm_rate"] == 0


def test_interval_counts_users_when_rows_repeat() -> None:
    twice = rows_of(MISSED, MISSED, FOUND, FOUND)
    twice["user_id"] = ["a", "a", "b", "b"]
    once = analyse(rows_of(MISSED, FOUND)).segments
    columns = ["miss_rate", "miss_low", "miss_high"]
    assert analyse(twice).segments[columns].equals(once[columns])


VALUES = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=20).map(np.array)


@settings(max_examples=200, deadline=None)
@given(wrong=VALUES, right=VALUES, scale=st.sampled_from([0.5, 4.0]), shift=st.integers(-9, 9))
def test_difference_has_no_unit_and_changes_sign_with_the_sides(
    wrong: np.ndarray, right: np.ndarray, scale: float, shift: int
) -> None:
    found = standardised_difference(wrong, right)
    moved = standardised_difference(scale * wrong + shift, scale * right + shift)
    assert moved == pytest.approx(found, nan_ok=True)
    assert standardised_difference(right, wrong) == pytest.approx(-found, nan_ok=True)


def test_difference_is_one_when_means_are_a_deviation_apart() -> None:
    wrong, right = np.array([2.0, 4.0]), np.array([2.0 - 2**0.5, 4.0 - 2**0.5])
    assert standardised_difference(wrong, right) == pytest.approx(1.0)


def test_difference_is_unknown_when_a_side_has_one_value_or_nothing_varies() -> None:
    assert math.isnan(standardised_difference(np.array([1.0]), np.array([1.0, 2.0])))
    assert math.isnan(standardised_difference(np.array([1.0, 1.0]), np.array([2.0, 2.0])))
    assert standardised_difference(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0


def test_planted_cause_of_each_mistake_comes_first() -> None:
    generator = np.random.default_rng(1)
    outcomes = [MISSED] * 40 + [FOUND] * 40 + [ALARM] * 40 + [{}] * 40
    rows = rows_of(*outcomes)
    rows["noise"] = generator.normal(size=160)
    # Missed cancellers come rarely; false alarms visit Settings often, as cancellers do.
    rows["sessions"] = generator.normal(size=160) - 2.0 * np.repeat([1, 0, 0, 0], 40)
    rows["settings"] = generator.normal(size=160) + 1.5 * np.repeat([0, 0, 1, 0], 40)
    rows.loc[rows.index % 7 == 0, "settings"] = np.nan
    found = analyse_errors(rows, 0.5, ["level"], ["noise", "sessions", "settings"], n_largest=2)
    by_comparison = found.differences.set_index("comparison")
    missed = by_comparison.loc[MISSED_AGAINST_FOUND].iloc[0]
    alarms = by_comparison.loc[ALARMS_AGAINST_LEFT_ALONE].iloc[0]
    assert (missed.feature, alarms.feature) == ("sessions", "settings")
    assert missed.low < -2.0 < missed.high < 0 < alarms.low < 1.5 < alarms.high
    assert len(found.differences) == 4


def test_first_reasons_are_counted_by_outcome_most_frequent_first() -> None:
    rows = rows_of(MISSED, MISSED, MISSED, FOUND, ALARM, {})
    rows["first_reason"] = ["came … times", "came … times", "left", "left", None, None]
    found = [tuple(row) for row in analyse(rows).reasons.itertuples(index=False)]
    assert found == [
        ("false negative", "came … times", 2, 2 / 3),
        ("false negative", "left", 1, 1 / 3),
        ("true positive", "left", 1, 1.0),
    ]


def test_examples_are_the_plainest_mistakes_and_one_success() -> None:
    rows = rows_of(
        {**MISSED, "churn_probability": 0.3},
        {**MISSED, "churn_probability": 0.01},
        {**ALARM, "churn_probability": 0.6},
        {**ALARM, "churn_probability": 0.99},
        {**FOUND, "churn_probability": 0.8},
        {**FOUND, "churn_probability": 0.9},
        {},
    )
    chosen = choose_examples(rows, 0.5, n_each=1)
    assert chosen["user_id"].tolist() == ["user1", "user3", "user5"]
    assert chosen["outcome"].tolist() == ["false negative", "false positive", "true positive"]


def test_user_is_an_example_once() -> None:
    rows = rows_of(MISSED, MISSED, FOUND)
    rows["user_id"] = ["a", "a", "a"]
    assert choose_examples(rows, 0.5)["user_id"].tolist() == ["a"]


def test_letters_stand_for_users_and_days_for_dates() -> None:
    rows = choose_examples(rows_of(MISSED, ALARM), 0.5)
    rows["reasons"] = [np.array(["came rarely"], dtype=object), None]
    days = pd.DataFrame(
        [
            ("user1", DAY, -3, 1, 20, 2, 0),
            ("user1", DAY, -29, 9, 9, 9, 9),
            ("user0", DAY, -1, 2, 30, 0, 1),
            ("user0", DAY, -2, 1, 10, 0, 0),
            ("user0", date(2018, 10, 1), -1, 9, 9, 9, 9),
        ],
        columns=["user_id", "as_of", "day", "n_sessions", "n_songs", "n_adverts", "n_downgrades"],
    )
    first, second = letter_examples(rows, days)
    assert (first.letter, first.outcome, first.reasons) == (
        "A",
        "false negative",
        ("came rarely",),
    )
    assert [(d.day, d.n_songs) for d in first.days] == [(-2, 10), (-1, 30)]
    assert (second.letter, second.reasons, len(second.days)) == ("B", (), 1)
    assert "user" not in repr((first, second))


def test_more_examples_than_letters_are_refused() -> None:
    rows = choose_examples(rows_of(*[MISSED] * 30), 0.5, n_each=27)
    with pytest.raises(ValueError, match="found 27 examples, expected at most 26"):
        letter_examples(rows, pd.DataFrame(columns=["user_id", "as_of", "day"]))
