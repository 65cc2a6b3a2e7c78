"""F1 and average precision are held against a reference of which as many cancel."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from churn_spark.monitoring.performance.base_rate import at_base_rate


def rows_of(n_cancel: int, n_stay: int) -> pd.DataFrame:
    n = n_cancel + n_stay
    labels = np.repeat([1, 0], [n_cancel, n_stay])
    users = [f"{number:05d}" for number in range(n)]
    return pd.DataFrame({"as_of": date(2018, 11, 5), "user_id": users, "label": labels})


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.01, 0.99))
def test_share_is_the_one_asked_for_and_one_side_is_whole(
    n_cancel: int, n_stay: int, share: float
) -> None:
    rows = rows_of(n_cancel, n_stay)
    kept = at_base_rate(rows, share)
    n_left = int(kept["label"].sum()), int((kept["label"] == 0).sum())
    assert n_left[0] == n_cancel or n_left[1] == n_stay
    # Whole rows: half a one more or less of the thinned side.
    assert abs(n_left[0] - (n_left[0] + n_left[1]) * share) <= 0.5 + 1e-9


@pytest.mark.parametrize("share", [0.0, 1.0, float("nan")])
def test_rows_are_kept_where_no_share_can_be_had(share: float) -> None:
    rows = rows_of(3, 5)
    assert at_base_rate(rows, share) is rows
    assert len(at_base_rate(rows_of(0, 5), 0.5)) == 5


def test_those_left_out_are_the_same_in_any_order() -> None:
    rows = rows_of(40, 60)
    kept = at_base_rate(rows, 0.1)
    again = at_base_rate(rows.sample(frac=1, random_state=3), 0.1)
    assert set(kept["user_id"]) == set(again["user_id"])


def test_average_precision_of_an_unchanged_model_is_equal_at_one_share() -> None:
    rng = np.random.default_rng(5)

    def world(n_cancel: int, n_stay: int) -> pd.DataFrame:
        rows = rows_of(n_cancel, n_stay)
        return rows.assign(score=rng.normal(rows["label"] * 1.2))

    reference, window = world(4000, 46_000), world(2000, 48_000)

    def precision(rows: pd.DataFrame) -> float:
        return float(average_precision_score(rows["label"], rows["score"]))

    thinned = precision(at_base_rate(reference, float(window["label"].mean())))
    assert precision(reference) - precision(window) > 0.06
    assert thinned == pytest.approx(precision(window), abs=0.02)
