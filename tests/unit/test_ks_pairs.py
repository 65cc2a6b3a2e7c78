"""The comparison of the two-sample test with scipy's finds what is wrong, and what isn't there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench import ks_pairs
from bench.ks_samples import compare_by_scipy, compare_samples
from bench.monitor import N_FEATURES, has_all
from churn_spark.monitoring.drift.ks import KsComparison

Changed = dict[str, Any]


def said(changed: Changed, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is printed, a line for small and one for large pairs, where a test says otherwise."""

    def compare(reference: Any, current: Any) -> KsComparison:
        found = compare_samples(reference, current)
        return replace(found, **changed) if found.status == "ok" else found

    monkeypatch.setattr(ks_pairs, "compare_samples", compare)
    console = Console(record=True, width=1000)
    ks_pairs.say_pairs(console, 7, 20, 20)
    return console.export_text().splitlines()


@pytest.mark.parametrize(
    ("changed", "n_broken"),
    [
        ({}, 0),
        ({"p_value": math.nan}, 1),
        ({"statistic": math.nan}, 1),
        ({"status": "skipped"}, 1),
        ({"statistic": 2.0}, 1),
        ({"p_value": 0.5}, 2),
    ],
)
def test_pair_that_is_wrong_or_no_number_breaks_a_promise(
    changed: Changed, n_broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    hard, large = said(changed, monkeypatch)
    assert hard.count("FAILS") == min(n_broken, 1)
    assert large.count("FAILS") == n_broken
    assert "20 larger pairs" in large


def test_sample_without_values_must_be_skipped() -> None:
    nothing, some = np.array([math.nan]), np.array([1.0, 2.0])
    tally = ks_pairs.Tally()
    tally.add(compare_samples(nothing, some), compare_by_scipy(nothing, some))
    assert (tally.n_pairs, tally.n_wrong) == (0, 0)
    tally.add(compare_samples(some, some), None)
    assert tally.n_wrong == 1


def test_counts_are_whole_only_if_every_feature_has_every_row() -> None:
    features = [f"x{number}" for number in range(N_FEATURES)]
    counted = pd.DataFrame({"feature": features, "counts": [[3, 4]] * N_FEATURES})
    assert has_all(counted, 7)
    assert not has_all(counted, 8)
    assert not has_all(counted.head(0), 7)
    assert not has_all(counted.assign(feature="x0"), 7)
    assert not has_all(counted.head(N_FEATURES - 1), 7)
