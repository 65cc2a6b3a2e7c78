"""Which dates a backtest learns from and tests on, and what of a row was unseen."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from churn_spark.errors import TooFewDatesError
from churn_spark.models.backtest import cell_of, measure, plan_backtest, tenure_band
from churn_spark.timeline import Horizon

FIRST, END, HORIZON = date(2018, 10, 8), date(2018, 12, 1), Horizon(14, 1)


def test_no_label_that_is_learnt_reaches_the_first_test_date() -> None:
    plan = plan_backtest(FIRST, END, HORIZON, 0, 2)
    assert plan.test_dates == (date(2018, 11, 5), date(2018, 11, 12))
    assert plan.train_dates == (date(2018, 10, 8), date(2018, 10, 15))


@given(
    st.integers(40, 400),
    st.integers(1, 30),
    st.integers(0, 7),
    st.integers(0, 6),
    st.integers(1, 4),
)
def test_dates_are_apart_whatever_the_horizon(
    n_days: int, days: int, gap: int, weekday: int, n_test: int
) -> None:
    horizon, end = Horizon(days, gap), FIRST + timedelta(days=n_days)
    try:
        plan = plan_backtest(FIRST, end, horizon, weekday, n_test)
    except TooFewDatesError:
        return
    assert len(plan.test_dates) == n_test
    assert all(horizon.is_known(day, end) for day in plan.test_dates)
    last = max(horizon.end(day) for day in plan.train_dates)
    assert last <= plan.cutoff - timedelta(days=gap)
    assert {day.weekday() for day in (*plan.train_dates, *plan.test_dates)} == {weekday}


def test_short_log_is_refused_with_the_dates_it_has() -> None:
    with pytest.raises(TooFewDatesError, match="found 1 weekly dates"):
        plan_backtest(FIRST, date(2018, 10, 25), HORIZON, 0, 1)


def test_cells_name_what_was_unseen() -> None:
    held_out = np.array([True, True, False, False])
    test_date = np.array([True, False, True, False])
    assert list(cell_of(held_out, test_date)) == ["both", "new users", "future", "training"]


def test_tenure_bands_have_their_upper_ends() -> None:
    bands = tenure_band(pd.Series([0.0, 30.0, 30.1, 90.0, 91.0, np.nan]))
    assert list(bands) == [
        *["up to 30 days"] * 2,
        *["30 to 90 days"] * 2,
        "over 90 days",
        "unknown",
    ]


@pytest.fixture(scope="module")
def figures() -> pd.DataFrame:
    """Two models on 600 users, one of them knowing the chances."""
    rng = np.random.default_rng(3)
    n = 1200
    chance = rng.beta(1.0, 6.0, n)
    rows = pd.DataFrame(
        {
            "user_id": [f"u{number % 600}" for number in range(n)],
            "label": (rng.random(n) < chance).astype(int),
            "cell": rng.choice(["both", "future", "new users", "training"], n),
            "level": rng.choice(["free", "paid"], n),
            "tenure_band": "over 90 days",
            "os": rng.choice(["Windows", None], n),
            "gender": "F",
            "lightgbm": chance,
            "rule": np.full(n, 0.1),
        }
    )
    return measure(
        rows, ["lightgbm", "rule"], {"lightgbm": 0.3, "rule": 0.5}, n_replicas=60, seed=1
    )


def test_figures_cover_cells_segments_and_paired_differences(figures: pd.DataFrame) -> None:
    assert set(figures["cell"]) == {"new users", "future", "both", "test"}
    assert {"level=paid", "os=unknown", "all"} <= set(figures["segment"])
    key = (figures["cell"] == "test") & (figures["metric"] == "roc_auc")
    by_model = figures[key & (figures["segment"] == "all")].set_index(["model", "versus"])
    difference = by_model.loc[("lightgbm", "rule")]
    apart = by_model.loc[("lightgbm", "")].value - by_model.loc[("rule", "")].value
    assert difference.value == pytest.approx(apart)
    assert difference.low > 0
    assert set(figures["versus"]) == {"", "rule"}


def test_test_cell_holds_both_cells_of_the_test_dates(figures: pd.DataFrame) -> None:
    rows = figures[(figures["segment"] == "all") & (figures["metric"] == "brier")]
    n = rows[(rows["model"] == "rule")].set_index("cell")["n"]
    assert n["test"] == n["future"] + n["both"]
