"""Which dates a backtest learns from and tests on, and what of a row was unseen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn_spark.evaluation.backtest import cell_of, measure
from churn_spark.evaluation.segments import tenure_band


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
