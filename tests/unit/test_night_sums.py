"""Nights that are summed as they are read give the drift of all nights at once."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from churn_spark.config import load_config
from churn_spark.monitoring.drift.comparisons import ROLLING_DAYS, code_reference
from churn_spark.monitoring.drift.ks import build_reference
from churn_spark.monitoring.frames.bin_counts import count_bins_by_feature, share_edges
from churn_spark.monitoring.frames.drift import Judgement, build_drift
from churn_spark.monitoring.frames.night_sums import find_own_nights, sum_nights
from churn_spark.monitoring.frames.reference import Reference

TONIGHT = date(2024, 3, 31)
JUDGEMENT = Judgement(load_config(overrides=["policy.self_calibrate=false"]).policy)
KEY = ["comparison", "slice", "feature"]


def draw_users(seed: int, levels: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    songs = np.where(rng.random(80) < 0.1, np.nan, rng.poisson(20, 80))
    return pd.DataFrame(
        {
            "songs": songs,
            "seconds": rng.normal(size=80).round(2),
            "os": rng.integers(0, 3, 80).astype(float),
            "segment_level": rng.choice(levels, 80),
        }
    )


TRAINING = draw_users(0, ["paid"])
SAMPLES = {
    "songs": build_reference(TRAINING["songs"].to_numpy()),
    "seconds": build_reference(TRAINING["seconds"].to_numpy()),
    "os": code_reference(TRAINING["os"].to_numpy(), 2),
}
REFERENCE = Reference("7", SAMPLES, {"os": 2}, {})


def count_night(days_before: int) -> pd.DataFrame:
    """A night's counts; on every fourth one all users are free."""
    levels = ["free"] if days_before % 4 == 1 else ["free", "paid"]
    users = draw_users(days_before + 1, levels)
    cells = count_bins_by_feature(users, share_edges(users, SAMPLES), ["level"])
    assert isinstance(cells, pd.DataFrame)
    return cells.assign(run_date=TONIGHT - timedelta(days=days_before))


@pytest.mark.parametrize(
    "days",
    [[0], [0, 28], [0, 7], [0, 9, 12], [0, 1, 2, 5, 7, 8, 14, 27, 28], range(ROLLING_DAYS + 1)],
)
def test_drift_is_that_of_all_nights_at_once(days: list[int]) -> None:
    nights = [count_night(one) for one in days]
    whole = pd.concat(nights, ignore_index=True)
    own = find_own_nights(whole, TONIGHT)
    summed = sum_nights(nights, own, SAMPLES)
    expected, found = (
        build_drift(cells, REFERENCE, TONIGHT, 1, JUDGEMENT).sort_values(KEY, ignore_index=True)
        for cells in (whole, summed)
    )
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    assert len(summed) <= 4 * 3 * 3
    assert not summed.duplicated(["run_date", "slice", "feature"]).any()
