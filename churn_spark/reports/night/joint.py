"""All features at once: whether users can be told from training rows, and what moves the scores."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from churn_spark.contracts.features.segments import ALL
from churn_spark.evaluation.intervals import Interval
from churn_spark.monitoring.drift.comparisons import TRAINING
from churn_spark.monitoring.frames.joint import choose_features
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.feature_cells import (
    NONE,
    importance_cell,
    name_cell,
    statistic_cell,
)
from churn_spark.reports.page import Block, Cell, Facts, Section, Table
from churn_spark.reports.words import percent
from churn_spark.wording import count_of, name_some

_N_OPEN = 8
_Z = 1.96
_TITLE = "All features at once"


def joint_section(data: NightData) -> Section:
    """What no distribution shows by itself, and what the model makes of tonight's users."""
    if data.drift.empty:
        return Section("joint", _TITLE, "Drift was not measured yet.", ())
    blocks: list[Block] = [*_facts(data), *_attribution_tables(data)]
    return Section("joint", _TITLE, _answer(data), tuple(blocks))


def change_of(row: dict[str, Any]) -> tuple[float, bool]:
    """How much more a feature moves the scores than in training, by itself, and whether surely.

    NaN where it was not measured, or moved none of the training rows.
    """
    before, now, error = (row[f"contribution_{name}"] for name in ("baseline", "current", "error"))
    if pd.isna(before) or pd.isna(now) or not before:
        return math.nan, False
    return now / before - 1, not pd.isna(error) and abs(now - before) > _Z * error


def _answer(data: NightData) -> str:
    row = data.joint
    if row is None or row["status"] != "ok":
        return f"Not tested: {_why_untested(data)}."
    found = Interval(row["auc"], row["auc_low"], row["auc_high"])
    told = f"A classifier tells today's users from the training rows with ROC AUC {found}"
    looked_at = "It uses the features that have not drifted by themselves"
    if not data.is_apart:
        return f"{told}: 0.5 means not at all, and this is nothing to act on. {looked_at}."
    names = name_some(list(row["told_by"]), len(row["told_by"]))
    return (
        f"{told}, mostly by {names}. {looked_at}: what has changed is their combination, or many "
        "of them a little."
    )


def _why_untested(data: NightData) -> str:
    row, drift = data.joint, data.drift
    if row is None or not row["n_baseline"]:
        return (
            "the model is of an older release and doesn't say which of its training rows belong "
            "to the same user"
        )
    tests = drift[(drift["comparison"] == TRAINING) & (drift["slice"] == ALL)]
    if not choose_features(tests, data.policy):
        return "no feature is left that can be compared and has not drifted by itself"
    return (
        f"{row['n_baseline']:,} comparable training rows and {row['n_current']:,} users are too "
        "few (monitoring.min_slice_rows of each are needed)"
    )


def _facts(data: NightData) -> Iterator[Block]:
    row, policy = data.joint, data.policy
    if row is None or row["status"] != "ok":
        return
    names = [str(name) for name in row["told_by"]]
    yield Facts(
        (
            ("Compared", f"{row['n_baseline']:,} training rows and {row['n_current']:,} users"),
            (
                "Features that tell them apart most",
                (
                    f"{name_some(names, len(names))}: {percent(row['importance'], 1)} of feature "
                    "importance"
                    if names
                    else "none"
                ),
            ),
            (
                "Counts as drifted",
                f"from the run in which the lower bound reaches {policy.enter_auc_low:g} until "
                f"the AUC falls below {policy.exit_auc:g}: "
                f"{'now it does' if data.is_apart else 'now it does not'}",
            ),
            (
                "Consequence",
                f"a warning after {count_of(policy.bad_nights, 'such run')} out of "
                f"{policy.of_nights}, if these features have at least "
                f"{percent(policy.min_breached_share)} of feature importance; never a retraining "
                "by itself",
            ),
        )
    )


def _attribution_tables(data: NightData) -> Iterator[Block]:
    rows = [row for row in [*data.judged, *data.trending] if not math.isnan(change_of(row)[0])]
    rows = sorted(rows, key=_size_of_change, reverse=True)
    head, tail = rows[:_N_OPEN], rows[_N_OPEN:]
    if head:
        yield _attribution_table("Features whose contribution has changed most", head)
    if tail:
        folded = count_of(len(tail), "more feature")
        yield _attribution_table("The other features", tail, folded)


def _attribution_table(caption: str, rows: list[dict[str, Any]], folded: str = "") -> Table:
    return Table(
        caption,
        ("Feature", "In training", "Now", "Change", "KS distance", "Importance", "Importance × KS"),
        tuple(
            (
                name_cell(row),
                Cell(f"{row['contribution_baseline']:.3f}", tone="number"),
                Cell(f"{row['contribution_current']:.3f}", tone="number"),
                _change_cell(row),
                statistic_cell(row),
                importance_cell(row),
                _weight_cell(row),
            )
            for row in rows
        ),
        note="In training and now: the feature's mean absolute contribution to a prediction, in "
        "log-odds (SHAP values). The largest change first. If a contribution grows although the "
        "distribution has hardly changed, the feature's relation to others has changed, or it has "
        "changed in a range to which the model is sensitive.",
        folded=folded,
    )


def _size_of_change(row: dict[str, Any]) -> tuple[float, str]:
    return abs(row["contribution_current"] - row["contribution_baseline"]), row["feature"]


def _change_cell(row: dict[str, Any]) -> Cell:
    change, is_sure = change_of(row)
    text = f"{100 * change:+.0f} %".replace("-", "−")
    return Cell(text, "" if is_sure else "not significant", "number" if is_sure else "number quiet")


def _weight_cell(row: dict[str, Any]) -> Cell:
    weight = row["weight"]
    return NONE if pd.isna(weight) else Cell(f"{weight:.4f}", tone="number")
