"""Whether rows are there once, of users of the population, with the label that the log gives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from churn_spark.leakage.table import (
    KEY,
    FeatureTable,
    Finding,
    days_between,
    matrix_of,
)
from churn_spark.timeline import day_start

_AGREES = 0.99
_IS_RECENCY = 0.9


def check_population(table: FeatureTable) -> Iterator[Finding]:
    """Rows that are there twice, and labels of windows that the log doesn't reach."""
    if n := int(table.rows.duplicated(KEY).sum()):
        yield Finding(
            "duplicates", "rows", n, 0, f"{n:,} rows have the as-of date and user of another row"
        )
    for as_of, rows in table.dated():
        n = int(rows["label"].notna().sum())
        if n and not table.horizon.is_known(as_of, table.log_end):
            end = table.horizon.end(as_of)
            yield Finding(
                "unripe labels",
                "label",
                n,
                0,
                f"{n:,} rows as of {as_of} have a label, but its window ends on {end} and the log "
                f"on {table.log_end}: who has not cancelled yet is counted as staying",
            )


def check_cancellations(table: FeatureTable) -> Iterator[Finding]:
    """Users who were gone before the date, and labels other than the log's cancellations.

    Who stays silent, or whose subscription runs out, needs no cancellation.
    """
    if table.spans is None or table.churn == "lapse":
        return
    rows = table.rows[[*KEY, "label"]].merge(table.spans, on=KEY, how="inner")
    start = pd.to_datetime(rows["as_of"])
    ahead = np.floor(days_between(rows["cancel_ts"].dt.normalize(), start))
    gap, end = table.horizon.gap_days, table.horizon.gap_days + table.horizon.days
    if n := int((ahead < 0).sum()):
        yield Finding(
            "gone users", "rows", n, 0, f"{n:,} rows are of users who had cancelled before the date"
        )
    if table.churn != "cancel":
        return
    label = rows["label"].to_numpy(dtype=float)
    known = ~np.isnan(label) & ~(ahead < 0)
    in_gap = known & (ahead >= 0) & (ahead < gap)
    if n := int(in_gap.sum()):
        yield Finding(
            "gap labels",
            "label",
            n,
            0,
            f"{n:,} rows have a label though the user cancels within the gap of {gap} days: that "
            "is neither a hit nor a miss",
        )
    counted = known & ~in_gap
    cancels = (ahead >= gap) & (ahead < end)
    n = int((label[counted] != cancels[counted]).sum())
    if n and not _labels_are_silence(table):
        yield Finding(
            "wrong labels",
            "label",
            n,
            0,
            f"{n:,} labels differ from the cancellations in [D+{gap}, D+{end}) of the log",
        )


def check_silence(table: FeatureTable) -> Iterator[Finding]:
    """Features that say how long a user was silent, where the label says who stays silent."""
    if not _labels_are_silence(table):
        return
    rows = _with_spans(table)
    recency = days_between(pd.to_datetime(rows["as_of"]), rows["last_ts"])
    for name, values in zip(table.numeric, matrix_of(rows, table.numeric).T, strict=True):
        known = ~np.isnan(values) & ~np.isnan(recency)
        if known.sum() < 3 or np.ptp(values[known]) == 0:
            continue
        likeness = abs(float(spearmanr(values[known], recency[known]).statistic))
        if likeness > _IS_RECENCY:
            yield Finding(
                "silence",
                name,
                likeness,
                _IS_RECENCY,
                f"the label is the absence of events in the window, and {name} is how long there "
                "were none before it: one silence, measured twice",
            )


def _with_spans(table: FeatureTable) -> pd.DataFrame:
    assert table.spans is not None
    return table.labelled.merge(table.spans, on=KEY, how="inner")


def _labels_are_silence(table: FeatureTable) -> bool:
    """Whether the labels say who has no event in the window: as declared, or by what they are."""
    if table.spans is None or table.churn == "lapse":
        return False
    if table.churn == "inactivity":
        return True
    rows = _with_spans(table)
    ends = {as_of: day_start(table.horizon.end(as_of)) for as_of in rows["as_of"].unique()}
    end = pd.to_datetime(rows["as_of"].map(ends), utc=True).dt.tz_localize(None)
    is_silent = (rows["next_ts"].isna() | (rows["next_ts"] >= end)).to_numpy()
    label = rows["label"].to_numpy(dtype=float) == 1
    return bool(label.any()) and float((label == is_silent).mean()) >= _AGREES
