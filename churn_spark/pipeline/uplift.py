"""Listed and withheld users -> by what the lists to come are ordered: a decision, and its model.

Due once a week, when the labels of one more week of first lists are known and somebody of the
campaign's lists was contacted; without contacts nothing is read and nothing written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date as Date
from typing import Final

import numpy as np
import pandas as pd

from churn_spark.config import NightConfig, RetentionListConfig, UpliftConfig
from churn_spark.contracts.tables import CONTACTS, SNAPSHOTS
from churn_spark.contracts.tables.ml import CONTROL
from churn_spark.evaluation.qini import Drawn
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_known
from churn_spark.models.encoding import Encoding
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.uplift.judging import Learnt, count, is_enough, learn, needed_users
from churn_spark.models.uplift.model import RISK, Campaign, UpliftModel, uplift_encoding
from churn_spark.models.uplift.store import keep_uplift, load_uplift
from churn_spark.monitoring.policy.evidence import Evidence, OrderEvidence
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.order import BY_EFFECT, STANDS_DAYS
from churn_spark.monitoring.policy.policy import decide
from churn_spark.pipeline.dates import newest_labelled
from churn_spark.pipeline.effect import (
    end_of_week,
    newest_weeks,
    read_cancels,
    read_first_lists,
)
from churn_spark.pipeline.gather import Night
from churn_spark.stores.decisions import read_entries
from churn_spark.timeline import days_after

_KEYS: Final = ["as_of", "user_id"]


def order_if_due(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    night: Night,
    tonight: Sequence[Entry],
    config: NightConfig,
) -> list[Entry]:
    """The decision about the order of the lists to come; empty where none is due.

    The users of the campaign come to the driver, the newest `uplift.max_users` of them.

    Args:
        lakehouse: with lists, labels, snapshots and contacts.
        registry: with the champion; the model by effect is kept there while it orders lists.
        night: with the decisions before it.
        tonight: its own, which are judged already.
        config: of the night.
    """
    listing, uplift = config.retention_list, config.uplift
    last = tonight[-1] if tonight else None
    if last is None or last.after is None or not listing.control_share or not uplift.enabled:
        return []
    if not lakehouse.exists(CONTACTS):
        return []
    week = newest_weeks(newest_labelled(night.log, config.learning.labels, night.date))[-1]
    if week <= _decided_week(night, listing):
        return []
    users = _read_drawn(lakehouse, week, listing, config)
    if users.empty or not _any_contacted(lakehouse, users, week):
        return []
    encoding = uplift_encoding(registry.load(last.after.champion).encoding)
    campaign = Campaign(night.date, listing.campaign, listing.control_share)
    drawn, learnt = _drawn_of(users, listing.control_share), None
    if is_enough(drawn, uplift):
        learnt = _learn(lakehouse, users, drawn, encoding, campaign, uplift)
    order = build_evidence(week, campaign, drawn, learnt, uplift)
    n_rows = next((e.evidence.n_rows for e in tonight if e.evidence is not None), 0)
    evidence = Evidence(n_rows, order=order)
    after, decision = decide(last.after, evidence, config.policy, night.date)
    if learnt is not None and decision.rule == BY_EFFECT:
        keep_uplift(registry, learnt.model)
    return [Entry(0, decision, last.after, evidence, after, config.policy)]


def find_order(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    listing: RetentionListConfig,
    config: UpliftConfig,
) -> UpliftModel | None:
    """The model that the list of a date is ordered by; none: it is by risk.

    The newest decision before the date counts, if it was about the campaign of the list.
    """
    if not config.enabled or not lakehouse.exists(CONTACTS):
        return None
    recent = read_entries(lakehouse, days_after(date, -STANDS_DAYS))
    decided = [entry for entry in recent if entry.decision.night < date and _order_of(entry)]
    if not decided or decided[-1].decision.rule != BY_EFFECT:
        return None
    order = _order_of(decided[-1])
    if order is None or not _is_of(order, listing):
        return None
    return load_uplift(registry, decided[-1].decision.night)


def build_evidence(
    week: Date, campaign: Campaign, drawn: Drawn, learnt: Learnt | None, config: UpliftConfig
) -> OrderEvidence:
    """What is known of the order, as the decision is made by it and stored.

    Args:
        week: Monday of the newest week of first lists.
        campaign: of the users.
        drawn: who was drawn, and what came of it.
        learnt: on held-out users; none where there were too few to learn from.
        config: how many learning takes.
    """
    counts = count(drawn)
    known = OrderEvidence(
        week,
        campaign.name,
        campaign.control_share,
        counts.listed.n,
        counts.listed.n_cancels,
        counts.control.n,
        counts.control.n_cancels,
        config.min_cancels,
        needed_users(drawn, learnt.difference if learnt else None),
    )
    if learnt is None:
        return known
    bounds = learnt.difference.always
    return OrderEvidence(
        **vars(known)
        | {
            "by_effect": learnt.by_effect.value,
            "by_risk": learnt.by_risk.value,
            "difference": learnt.difference.value,
            "low": _finite(bounds.low),
            "high": _finite(bounds.high),
            "n_harmed": learnt.n_harmed,
            "harmed_saved": _finite(learnt.harmed.value),
            "harmed_high": _finite(learnt.harmed.always.high),
        }
    )


def _decided_week(night: Night, listing: RetentionListConfig) -> Date:
    """The newest week that a decision before the night knew of the campaign."""
    orders = [_order_of(e) for e in night.entries if e.decision.night < night.date]
    weeks = [order.week for order in orders if order is not None and _is_of(order, listing)]
    return max(weeks, default=Date.min)


def _order_of(entry: Entry) -> OrderEvidence | None:
    return entry.evidence.order if entry.evidence is not None else None


def _is_of(order: OrderEvidence, listing: RetentionListConfig) -> bool:
    campaign = order.campaign, order.control_share
    return campaign == (listing.campaign, listing.control_share)


def _read_drawn(
    lakehouse: Lakehouse, week: Date, listing: RetentionListConfig, config: NightConfig
) -> pd.DataFrame:
    """The users of the campaign up to a week, as of their first list, with what came of them."""
    columns = ["assignment", RISK, "value_at_risk"]
    first = read_first_lists(lakehouse, [listing.campaign], end_of_week(week), columns)
    first = first[first["control_share"] == listing.control_share]
    newest = first.iloc[-config.uplift.max_users :]
    return read_cancels(lakehouse, newest, config.learning) if len(newest) else newest


def _any_contacted(lakehouse: Lakehouse, users: pd.DataFrame, week: Date) -> bool:
    of_lists = {"list_date": Between(users["as_of"].min(), end_of_week(week))}
    return lakehouse.count_rows(CONTACTS, of_lists) > 0


def _drawn_of(users: pd.DataFrame, share: float) -> Drawn:
    return Drawn(
        (users["assignment"] == CONTROL).to_numpy(),
        users["cancels"].to_numpy(dtype=bool),
        users[RISK].to_numpy(dtype=np.float64),
        share,
    )


def _learn(
    lakehouse: Lakehouse,
    users: pd.DataFrame,
    drawn: Drawn,
    encoding: Encoding,
    campaign: Campaign,
    config: UpliftConfig,
) -> Learnt:
    columns = [*_KEYS, *encoding.features]
    rows = users.merge(read_known(lakehouse, SNAPSHOTS, users, columns), how="left", on=_KEYS)
    worth = (rows["value_at_risk"] / rows[RISK]).where(rows[RISK] > 0, 1.0).to_numpy()
    return learn(rows, drawn, worth, encoding, campaign, config)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
