"""All features at once: whether users can be told from training rows, and what moves the scores."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from churn_spark.evaluation.intervals import Interval
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
        return Section("joint", _TITLE, "No night has been counted yet.", ())
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
        return f"Not tested: {_why_untested(row)}."
    found = Interval(row["auc"], row["auc_low"], row["auc_high"])
    told = f"Trees tell tonight's users from the training rows with AUC {found}"
    looked_at = "They look at the features that have not moved by themselves"
    if not data.is_apart:
        return f"{told}: 0.5 is not at all, and this is nothing to act on. {looked_at}."
    names = name_some(list(row["told_by"]), len(row["told_by"]))
    return (
        f"{told}, most by {names}. {looked_at}: what has changed is how these go together, or many "
        "of them a little."
    )


def _why_untested(row: dict[str, Any] | None) -> str:
    if row is None or not row["n_baseline"]:
        return (
            "the champion is of an older release, and doesn't say which of its training rows are "
            "of one user"
        )
    return (
        f"{row['n_baseline']:,} training rows and {row['n_current']:,} users are too few, or no "
        "feature is left that can be compared and has not moved by itself"
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
                "Tell them apart most",
                (
                    f"{name_some(names, len(names))}: {percent(row['importance'], 1)} of the "
                    "importance"
                    if names
                    else "nothing does"
                ),
            ),
            (
                "Counts as apart",
                f"from the night on which the lower bound reaches {policy.enter_auc_low:g} until "
                f"the AUC falls below {policy.exit_auc:g}: "
                f"{'tonight it does' if data.is_apart else 'tonight it does not'}",
            ),
            (
                "What follows",
                f"a warning after {count_of(policy.bad_nights, 'such night')} out of "
                f"{policy.of_nights}, if these features have "
                f"{percent(policy.min_breached_share)} of the importance; never a retraining by "
                "itself",
            ),
        )
    )


def _attribution_tables(data: NightData) -> Iterator[Block]:
    rows = [row for row in [*data.judged, *data.trending] if not math.isnan(change_of(row)[0])]
    rows = sorted(rows, key=_size_of_change, reverse=True)
    head, tail = rows[:_N_OPEN], rows[_N_OPEN:]
    if head:
        yield _attribution_table("What moves the scores otherwise than in training", head)
    if tail:
        folded = count_of(len(tail), "more feature")
        yield _attribution_table("What else moves the scores", tail, folded)


def _attribution_table(caption: str, rows: list[dict[str, Any]], folded: str = "") -> Table:
    return Table(
        caption,
        ("Feature", "In training", "Tonight", "Change", "D", "Importance", "Importance × D"),
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
        note="In training and tonight: by how much the feature moves a score, up or down, on "
        "average over the users, in log-odds (mean size of its SHAP values). The largest change "
        "first. A feature whose part grows though it has hardly moved goes together with others "
        "in another way, or has moved where the model looks.",
        folded=folded,
    )


def _size_of_change(row: dict[str, Any]) -> tuple[float, str]:
    return abs(row["contribution_current"] - row["contribution_baseline"]), row["feature"]


def _change_cell(row: dict[str, Any]) -> Cell:
    change, is_sure = change_of(row)
    text = f"{100 * change:+.0f} %".replace("-", "−")
    return Cell(text, "" if is_sure else "may be chance", "number" if is_sure else "number quiet")


def _weight_cell(row: dict[str, Any]) -> Cell:
    weight = row["weight"]
    return NONE if pd.isna(weight) else Cell(f"{weight:.4f}", tone="number")
