"""Rows with labels -> rows of `performance`, for all users and by segment, and the evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from churn_spark.config import MonitoringConfig
from churn_spark.contracts.features.segments import ALL, SEGMENTS
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import count_positive_users
from churn_spark.models.bundle import ModelBundle
from churn_spark.monitoring.performance.base_rate import FOLLOW_BASE_RATE, at_base_rate
from churn_spark.monitoring.performance.performance import Estimate, change_against, measure
from churn_spark.monitoring.performance.without_labels import expect_performance
from churn_spark.monitoring.policy.evidence import MetricChange

LABELS, EXPECTED = "labels", "expected"
HELD_OUT, UNTOUCHED, SAMPLE = "held_out", "untouched", "sample"
"""What the users of some figures may be limited to."""
_SEED = 7


def labelled_rows(
    labelled: pd.DataFrame,
    reference: pd.DataFrame,
    as_of: date,
    bundle: ModelBundle,
    config: MonitoringConfig,
) -> list[dict[str, Any]]:
    """Every metric on the window, against the same on the champion's validation users.

    Of F1 and average precision the reference is what it is where as many cancel as in the window.

    Args:
        labelled: user_id, label, churn_probability and the columns of `SEGMENTS`; one as-of date.
            With `weight` where rows don't count once each.
        reference: the same of the validation users, as of the dates learnt from.
        as_of: of the window.
        bundle: the champion; has the threshold of F1.
        config: draws, and the least rows of a slice.
    """
    window = _window(as_of, bundle)
    before = dict(_slices(reference, 1))
    found: list[dict[str, Any]] = []
    for name, rows in _slices(labelled, config.min_slice_rows):
        if rows.empty:
            continue
        current = _measure(rows, bundle, config)
        usual = _usual(before[name], rows, bundle, config) if name in before else {}
        labels, users = rows["label"].to_numpy(), rows["user_id"].to_numpy()
        n_positive = count_positive_users(labels, users, weights_in(rows))
        for metric, estimate in current.items():
            row = {
                "basis": LABELS,
                "window_start": window[0],
                "window_end": window[1],
                "slice": name,
                "metric": metric,
                "n_rows": len(rows),
                "n_positive": n_positive,
                "n_cancels": count_positive_users(labels, users),
                **_estimate(estimate),
            }
            if metric in usual:
                change = change_against(metric, estimate, usual[metric], window, n_positive)
                row |= {
                    "reference": usual[metric].value,
                    "difference": change.difference,
                    "difference_low": change.low,
                    "difference_high": change.high,
                }
            found.append({key: _known(value) for key, value in row.items()})
    return found


def expected_rows(probabilities: Any, as_of: date, bundle: ModelBundle) -> list[dict[str, Any]]:
    """Metrics to expect if tonight's probabilities are calibrated: shown until labels are known."""
    expected = expect_performance(probabilities, bundle.metrics["threshold"])
    start, end = _window(as_of, bundle)
    return [
        {
            "basis": EXPECTED,
            "window_start": start,
            "window_end": end,
            "slice": ALL,
            "metric": metric,
            "value": _known(value),
            "n_rows": len(probabilities),
        }
        for metric, value in asdict(expected).items()
    ]


def find_limits(
    rows: pd.DataFrame, config: MonitoringConfig, *, is_held_out: bool = False
) -> list[str]:
    """What the users of some figures are limited to; nothing where they are all of a date.

    Args:
        rows: that were measured, with `weight` where contacts may have changed outcomes.
        config: how many rows there may be.
        is_held_out: whether they are those that no model was fitted on.
    """
    is_untouched = weights_in(rows) is not None
    is_sample = len(rows) >= config.max_labelled_rows
    found = {HELD_OUT: is_held_out, UNTOUCHED: is_untouched, SAMPLE: is_sample}
    return [name for name, holds in found.items() if holds]


def metric_changes(rows: Iterable[Any]) -> tuple[MetricChange, ...]:
    """The changes that the policy decides by: measured with labels, of all users, by metric."""
    return tuple(
        MetricChange(
            row.metric,
            row.window_start,
            row.window_end,
            row.difference,
            row.difference_low,
            row.difference_high,
            row.n_positive,
        )
        for row in sorted(rows, key=lambda row: str(row.metric))
        if (row.basis, row.slice) == (LABELS, ALL)
        and None not in (row.difference, row.difference_low, row.difference_high)
    )


def _window(as_of: date, bundle: ModelBundle) -> tuple[date, date]:
    """An as-of date and the days of its labels: windows that don't overlap share no label."""
    return as_of, as_of + timedelta(days=bundle.label["horizon_days"])


def _slices(rows: pd.DataFrame, min_rows: int) -> Iterator[tuple[str, pd.DataFrame]]:
    yield ALL, rows
    for segment in SEGMENTS:
        for value, part in rows.groupby(segment):
            if len(part) >= min_rows:
                yield f"{segment}={value}", part


def _measure(
    rows: pd.DataFrame, bundle: ModelBundle, config: MonitoringConfig
) -> dict[str, Estimate]:
    if rows.empty:
        return {}
    return measure(
        rows["label"].to_numpy(dtype=float),
        rows["churn_probability"].to_numpy(),
        rows["user_id"].to_numpy(),
        threshold=bundle.metrics["threshold"],
        n_replicas=config.n_replicas,
        seed=_SEED,
        weights=weights_in(rows),
    )


def _usual(
    reference: pd.DataFrame, rows: pd.DataFrame, bundle: ModelBundle, config: MonitoringConfig
) -> dict[str, Estimate]:
    found = _measure(reference, bundle, config)
    share = float(np.average(rows["label"], weights=weights_in(rows)))
    at_share = _measure(at_base_rate(reference, share), bundle, config)
    return found | {metric: at_share[metric] for metric in FOLLOW_BASE_RATE if metric in at_share}


def _estimate(estimate: Estimate) -> dict[str, float]:
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high}


def _known(value: Any) -> Any:
    """Spark's null where Python has NaN."""
    return None if isinstance(value, float) and math.isnan(value) else value
