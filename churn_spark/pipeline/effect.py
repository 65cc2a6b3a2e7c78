"""Lists, labels and contacts -> `effect`: what being listed has changed, week by week."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import date as Date
from datetime import timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from churn_spark.config import CostsConfig, LearningConfig
from churn_spark.contracts.contact import NOT_REACHED
from churn_spark.contracts.tables import CONTACTS, EFFECT, LABELS, RETENTION_LISTS, SNAPSHOTS
from churn_spark.contracts.tables.ml import CONTROL
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_known
from churn_spark.monitoring.performance.effect import (
    WEEK,
    Part,
    Week,
    count_parts,
    effect_rows,
    read_parts,
)
from churn_spark.pipeline.dates import newest_labelled
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.labels import write_missing_labels

_KEYS: Final = ["as_of", "user_id"]
_CAMPAIGN: Final = ["campaign", "control_share"]
_SEVEN_DAYS: Final = timedelta(weeks=1)
_LOOKED_AT: Final = 4
"""Weeks, the newest that are known: later contacts and labels change none that was counted."""


def measure_effect(
    lakehouse: Lakehouse, night: Night, config: LearningConfig, costs: CostsConfig
) -> list[dict[str, Any]]:
    """Rows of `effect` of a night that knows one more week; none on other nights.

    The lists of the campaign come to the driver: as many rows as a list is long, times its nights;
    40,000 in a year of lists of 100.
    """
    last = newest_labelled(night.log, config.labels, night.date)
    counted = _read_counted(lakehouse, night.date)
    users = _users_to_count(lakehouse, newest_weeks(last), last, counted)
    if {*_by_week(users)} <= counted.keys():
        return []
    known_by = config.labels.known_by(min(night.date, night.log.reached))
    write_missing_labels(lakehouse, {*users["as_of"]}, config.labels, known_by)
    known = read_cancels(lakehouse, users, config)
    # What became of the others can't be known any more.
    if {*_by_week(known)} <= counted.keys():
        return []
    outcomes = _with_outcomes(lakehouse, known, config)
    found = {week: count_parts(some) for week, some in _by_week(outcomes).items()}
    told = {(week.campaign, week.control_share) for week in found}
    kept = {w: parts for w, parts in counted.items() if (w.campaign, w.control_share) in told}
    worth = math.nan if costs.are_placeholders else costs.missed_cancel
    rows = effect_rows(kept | found, worth)
    return [{**row, "run_date": night.date} for row in rows if _is_new(row, found)]


def _is_new(row: dict[str, Any], found: Collection[Week]) -> bool:
    """Weeks that an earlier night has counted for good stay in its rows."""
    week = Week(row["campaign"], row["control_share"], row["week_start"])
    return row["period"] != WEEK or week in found


def _by_week(users: pd.DataFrame) -> dict[Week, pd.DataFrame]:
    groups: Any = users.groupby([*_CAMPAIGN, "week"])
    return {Week(*key): some for key, some in groups}


def newest_weeks(last: Date) -> list[Date]:
    """The Mondays of the newest weeks whose every list has labels that are known."""
    monday = last - timedelta(days=(last.weekday() + 1) % 7 + 6)
    return [monday - n * _SEVEN_DAYS for n in reversed(range(_LOOKED_AT))]


def _read_counted(lakehouse: Lakehouse, night: Date) -> dict[Week, dict[str, Part]]:
    earlier: Where = {"run_date": Between(last=night - timedelta(days=1)), "period": [WEEK]}
    return read_parts(row.asDict() for row in lakehouse.collect_rows(EFFECT, earlier))


def end_of_week(monday: Date) -> Date:
    """The last day of the week."""
    return monday + _SEVEN_DAYS - timedelta(days=1)


def _users_to_count(
    lakehouse: Lakehouse, weeks: list[Date], last: Date, counted: Collection[Week]
) -> pd.DataFrame:
    """The users whose first list was in one of the weeks, or in one that no night has counted.

    After a pause of the nights there may be some between those that were counted and the newest.
    None without control, and none of a campaign that has no list in the weeks.
    """
    end = min(end_of_week(weeks[-1]), last)
    recent = lakehouse.read_rows(RETENTION_LISTS, {"as_of": Between(weeks[0], end)}, _CAMPAIGN)
    campaigns = sorted({*recent[recent["control_share"] > 0]["campaign"]})
    first = read_first_lists(lakehouse, campaigns, end, ["assignment", "risk_band"])
    monday = [day - timedelta(days=day.weekday()) for day in first["as_of"]]
    dated = first.assign(week=pd.Series(monday, first.index, dtype=object))
    each = map(Week, dated["campaign"], dated["control_share"], dated["week"])
    is_due = [week.start in weeks or week not in counted for week in each]
    return dated[np.array(is_due, dtype=bool)].reset_index(drop=True)


def read_first_lists(
    lakehouse: Lakehouse, campaigns: Collection[str], end: Date, columns: Sequence[str]
) -> pd.DataFrame:
    """The first row of each user in each campaign and share, of lists up to a date.

    Grain: (user_id, campaign, control_share), in the order of date and user. Lists without a
    control group are left out, and so are users who weren't drawn.
    """
    where: Where = {"as_of": Between(last=end), "campaign": campaigns}
    rows = lakehouse.read_rows(RETENTION_LISTS, where, [*_KEYS, *_CAMPAIGN, *columns])
    drawn = rows[rows["control_share"] > 0].sort_values(_KEYS)
    return drawn.drop_duplicates(["user_id", *_CAMPAIGN])


def read_cancels(lakehouse: Lakehouse, users: pd.DataFrame, config: LearningConfig) -> pd.DataFrame:
    """The users with whether they cancel from the date on; those of unknown label left out.

    Who cancels in the gap may have been called by then: intention to treat leaves nobody out.
    """
    horizon = config.labels.horizon
    columns = [*_KEYS, "horizon_days", "gap_days", "label", "is_gap_cancel"]
    labels = read_known(lakehouse, LABELS, users, columns)
    is_of = (labels["horizon_days"] == horizon.days) & (labels["gap_days"] == horizon.gap_days)
    is_gap_cancel = labels["is_gap_cancel"].eq(other=True)
    known = labels[is_of & (labels["label"].notna() | is_gap_cancel)]
    cancels = (known["label"] == 1) | is_gap_cancel[known.index]
    found: pd.DataFrame = users.merge(known[_KEYS].assign(cancels=cancels), on=_KEYS)
    return found


def _with_outcomes(
    lakehouse: Lakehouse, users: pd.DataFrame, config: LearningConfig
) -> pd.DataFrame:
    """The users, of whom it is known whether they cancel, with what `count_parts` asks of them."""
    horizon = config.labels.horizon
    levels = read_known(lakehouse, SNAPSHOTS, users, [*_KEYS, "last_subscription_level"])
    found = users.merge(levels, how="left", on=_KEYS)
    made = _read_contacts(lakehouse, found, horizon.gap_days + horizon.days)
    found = found.merge(made, how="left", on=_KEYS)
    return found.assign(
        is_control=found["assignment"] == CONTROL,
        is_contacted=found["offer"].notna(),
        offer=found["offer"].fillna(""),
        cost=found["cost"].fillna(0.0),
        level=found["last_subscription_level"].fillna("unknown"),
    )


def _read_contacts(lakehouse: Lakehouse, users: pd.DataFrame, days: int) -> pd.DataFrame:
    """Of each user who was contacted in the days from the first list on: cost, offer if reached.

    A contact that is made later counts for nothing, whatever list has led to it: what happened to
    the user was known by then.

    Grain: (as_of, user_id). The offer is the first that was made to one who was reached; empty
    where none was, missing where nobody was reached.
    """
    first, last = users["as_of"].min(), users["as_of"].max() + timedelta(days=days - 1)
    columns = ["list_date", "user_id", "contact_ts", "offer", "cost", "outcome"]
    contacts = lakehouse.read_rows(CONTACTS, {"list_date": Between(first, last)}, columns)
    each = users[_KEYS].merge(contacts, on="user_id")
    moments = zip(each["as_of"], each["list_date"], each["contact_ts"], strict=True)
    is_within = [
        since <= day and made.date() < since + timedelta(days=days) for since, day, made in moments
    ]
    within = each[np.array(is_within, dtype=bool)].sort_values("contact_ts")
    cost = within.groupby(_KEYS, as_index=False)["cost"].sum()
    made = within[within["outcome"] != NOT_REACHED]
    offers = made.assign(offer=made["offer"].replace("", None))
    # `first` passes over what is missing.
    offer = offers.groupby(_KEYS, as_index=False)["offer"].first()
    told = offer.assign(offer=offer["offer"].fillna(""))
    found: pd.DataFrame = cost.merge(told, how="left", on=_KEYS)
    return found
