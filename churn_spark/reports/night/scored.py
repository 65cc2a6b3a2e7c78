"""What the scores of a night, and of nights long before, tell of lists and of how users stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd

from churn_spark.config import MAX_LISTED, CostsConfig
from churn_spark.contracts.survival import CAP_DAYS, survival_columns
from churn_spark.contracts.tables import RETENTION_LISTS, SCORES, SNAPSHOTS
from churn_spark.contracts.tables.ml import BY_VALUE, LISTED
from churn_spark.evaluation.kaplan_meier import GroupCurve, observe_parts
from churn_spark.evaluation.list_length import ListPlan, plan_lists
from churn_spark.lakehouse.frames import count_and_sum, first_rows, join, sample_rows
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_dates
from churn_spark.models.bundle import ModelBundle
from churn_spark.scoring.bands import BANDS
from churn_spark.stores.cancels import days_to_cancel, read_cancels
from churn_spark.stores.contacts import are_contacted

_LEVEL: Final = "last_subscription_level"
_KEYS: Final = ("as_of", "user_id")
_MAX_USERS: Final = 200_000
_FEWEST_DAYS: Final = 7


@dataclass(frozen=True)
class Watched:
    """How users stayed who were scored on a night long before.

    Attributes:
        as_of: the night.
        groups: all users first, then parts.
        measured_days: up to here the model's curves were held against what happened.
        is_sample: whether they are a sample of those scored.
        are_contacted: whether contacts since may have kept some.
    """

    as_of: date
    groups: tuple[GroupCurve, ...]
    measured_days: int
    is_sample: bool = False
    are_contacted: bool = False


@dataclass(frozen=True)
class Scored:
    """What the page of a night says of the scores.

    Attributes:
        plan: lists of several lengths; none without scores.
        watched: how users stayed; none where no scores are old enough.
    """

    plan: ListPlan | None = None
    watched: Watched | None = None


def read_scored(
    lakehouse: Lakehouse, night: date, costs: CostsConfig, bundle: ModelBundle | None
) -> Scored:
    """Sums over the users of the night, and of the oldest night that is still told of.

    What is collected: of the night, a chance of each of the users who could be listed; of the old
    night, of at most 200,000 users.

    Args:
        lakehouse: with the scores.
        night: the date.
        costs: of the two mistakes.
        bundle: the champion; none before the first.
    """
    if bundle is None:
        return Scored()
    plan = _plan(lakehouse, night, costs, bundle)
    if not bundle.forecasts_cancels:
        return Scored(plan)
    return Scored(plan, _watch(lakehouse, night, bundle))


def _plan(
    lakehouse: Lakehouse, night: date, costs: CostsConfig, bundle: ModelBundle
) -> ListPlan | None:
    columns = [*_KEYS, "churn_probability", "value_at_risk"]
    scores = read_dates(lakehouse, SCORES, [night], columns)
    first = first_rows(scores, BY_VALUE, MAX_LISTED)
    listed = lakehouse.read_rows(
        RETENTION_LISTS,
        {"as_of": [night], "assignment": [LISTED]},
        ["churn_probability", "expected_saves"],
    )
    is_by_effect = listed["expected_saves"].notna().any()
    by_effect = float(listed["churn_probability"].sum()) if is_by_effect else None
    chances = first["churn_probability"].to_numpy(dtype=np.float64)
    scored = count_and_sum(scores, "churn_probability")
    return plan_lists(chances, len(listed), bundle.n_checked, costs, scored, by_effect)


def _watch(lakehouse: Lakehouse, night: date, bundle: ModelBundle) -> Watched | None:
    gap_days = bundle.horizon.gap_days
    first = night - timedelta(days=gap_days + CAP_DAYS)
    last = night - timedelta(days=gap_days + _FEWEST_DAYS)
    scored = lakehouse.partition_values(SCORES, "as_of")
    # By an older release, which told no days.
    untold = {*lakehouse.partition_values(SCORES, "as_of", null_in=survival_columns()[0])}
    oldest = [day for day in scored if first <= day <= last and day not in untold][:1]
    for as_of in oldest:
        rows, is_sample = _read_watched(lakehouse, as_of, night, gap_days)
        groups = tuple(_groups(rows))
        if groups:
            measured = bundle.checked.measured_days if bundle.checked else 0
            contacted = are_contacted(lakehouse, as_of, night)
            return Watched(as_of, groups, measured, is_sample, contacted)
    return None


def _read_watched(
    lakehouse: Lakehouse, as_of: date, night: date, gap_days: int
) -> tuple[pd.DataFrame, bool]:
    """The users of an old night whose days are known, with when they cancelled before tonight.

    And whether they are a sample.
    """
    columns = [*_KEYS, "risk_band", *survival_columns()]
    scores = read_dates(lakehouse, SCORES, [as_of], columns)
    levels = read_dates(lakehouse, SNAPSHOTS, [as_of], [*_KEYS, _LEVEL])
    rows = sample_rows(join(scores, levels, _KEYS, "left"), _MAX_USERS)
    cancelled = days_to_cancel(rows, read_cancels(lakehouse), gap_days)
    watched = min((night - as_of).days - gap_days, CAP_DAYS)
    stays_until_begin = cancelled > 0
    found = rows.assign(cancelled=cancelled, watched=float(watched))[stays_until_begin]
    return found, len(rows) >= _MAX_USERS


def _groups(rows: pd.DataFrame) -> Iterator[GroupCurve]:
    """Everybody, if enough have cancelled, and the parts of whom enough have."""
    parts = [("all", rows)]
    parts += [(f"level={level}", rows[rows[_LEVEL] == level]) for level in ("free", "paid")]
    parts += [(f"band={band}", rows[rows["risk_band"] == band]) for band in BANDS]
    return observe_parts(parts)
