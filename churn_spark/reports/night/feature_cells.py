"""The cells of the tables about features: one of each for a row of `drift`."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

from churn_spark.monitoring.drift.comparisons import NOT_COMPARABLE
from churn_spark.monitoring.drift.movement import NOT_JUDGED, describe_wait
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.reports.night import words
from churn_spark.reports.night.data import NightData
from churn_spark.reports.page import Cell
from churn_spark.reports.words import percent
from churn_spark.wording import count_of

NONE = Cell("–", tone="number quiet")


def since_cell(day: date, night: date) -> Cell:
    """The date since when something is so, and how long ago that was."""
    age = (night - day).days
    return Cell(str(day), f"{count_of(age, 'day')} ago" if age else "this run", "whole")


def is_sure(row: dict[str, Any]) -> bool:
    """Whether the row has surely moved: its lower bound is above 0."""
    return bool(row["status"] == "ok" and row["lower_bound"] > 0)


def where(row: dict[str, Any]) -> str:
    """Where and how a feature has moved, or why that is not said."""
    if row["status"] == NOT_COMPARABLE:
        return describe_wait(row["feature"])
    if row["status"] != "ok":
        return "not tested: no value on one side"
    if not is_sure(row):
        return "no significant change"
    if row["kind"] == "category":
        return f"other shares: {words.points(row['statistic'])} are in other categories"
    unit = words.unit(row["feature"])
    return words.place(row["direction"], row["statistic"], row["location"], unit)


def name_cell(row: dict[str, Any]) -> Cell:
    """The feature, with its meaning beside it."""
    if row["feature"] == PREDICTION:
        return Cell("the prediction", words.meaning(PREDICTION))
    return Cell(row["feature"], words.meaning(row["feature"]))


def moved_cell(data: NightData, row: dict[str, Any]) -> Cell:
    """Since when the feature has moved; that night itself where the policy remembers nothing."""
    if row["is_trending"]:
        return Cell(NOT_JUDGED, tone="quiet")
    since = data.moved.get(row["feature"])
    if since is None:
        return Cell("–", tone="quiet")
    day, was_before = since
    if was_before:
        return Cell(f"before {day}", tone="whole")
    return since_cell(day, data.night)


def statistic_cell(row: dict[str, Any]) -> Cell:
    """The KS distance, and its lower bound."""
    if row["status"] != "ok":
        return NONE
    low = words.at_least(row["lower_bound"])
    return Cell(words.statistic(row["statistic"]), low, "number")


def importance_cell(row: dict[str, Any]) -> Cell:
    """The feature's share of what moves the scores."""
    if row["feature"] == PREDICTION:
        return NONE
    return Cell(percent(row["importance"], 1), tone="number")


def shift_cell(row: dict[str, Any]) -> Cell:
    """How far values lie from those of training, in the feature's unit."""
    if row["kind"] == "category" or pd.isna(row["wasserstein"]):
        return NONE
    return Cell(words.amount(row["wasserstein"], words.unit(row["feature"])), tone="number")


def rates_cell(row: dict[str, Any], column: str) -> Cell:
    """A share of rows, in the training rows and now."""
    before, now = row[f"{column}_baseline"], row[f"{column}_current"]
    if pd.isna(before) or pd.isna(now):
        return NONE
    tone = "number quiet" if before == now == 0 else "number"
    return Cell(f"{percent(before, 1)} → {percent(now, 1)}", tone=tone)


def psi_cell(row: dict[str, Any]) -> Cell:
    """PSI, less what chance alone gives."""
    value = row["psi_corrected"]
    if pd.isna(value):
        return NONE
    return Cell(f"{value:z.3f}".replace("-", "−"), tone="number")
