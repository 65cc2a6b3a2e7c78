"""Shares that have changed are found, each apart."""

from __future__ import annotations

from typing import Any

import pytest
from pyspark.sql import Row

from churn_spark.config import load_config
from churn_spark.monitoring.alerts.rates import find_in_rates

CONFIG = load_config().alerts


def row(**changes: Any) -> Row:
    values = {
        "feature": "songs_7d", "is_trending": False,
        "missing_rate_baseline": 0.0, "missing_rate_current": 0.0, "missing_p_value": 1.0,
        "zero_rate_baseline": 0.1, "zero_rate_current": 0.13, "zero_p_value": 1e-9,
    }  # fmt: skip
    return Row(**(values | changes))


def test_share_of_zeros_that_grows_or_falls_is_told() -> None:
    [finding] = find_in_rates([row()], CONFIG)
    assert (finding.key, finding.severity) == ("rate:zero", "info")
    assert finding.sentence == (
        "more or fewer values are 0 than in the training rows: songs_7d (13.0%, was 10.0%)"
    )
    assert len(find_in_rates([row(zero_rate_current=0.07)], CONFIG)) == 1


def test_each_share_is_one_finding_however_many_features_show_it() -> None:
    missing = {"missing_rate_current": 0.05, "missing_p_value": 1e-9}
    found = find_in_rates([row(**missing), row(feature="adverts_7d")], CONFIG)
    assert {finding.key: finding.sentence for finding in found} == {
        "rate:missing": "more or fewer values are missing than in the training rows: songs_7d "
        "(5.0%, was 0.0%)",
        "rate:zero": "more or fewer values are 0 than in the training rows: adverts_7d (13.0%, was "
        "10.0%), songs_7d (13.0%, was 10.0%)",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"is_trending": True},
        {"zero_rate_current": 0.119},
        {"zero_p_value": 0.0011},
        {"zero_rate_baseline": None, "zero_rate_current": None, "zero_p_value": None},
        {"zero_p_value": None},
    ],
)
def test_small_chance_or_expected_changes_are_not_told(changes: dict[str, Any]) -> None:
    assert find_in_rates([row(**changes)], CONFIG) == ()
