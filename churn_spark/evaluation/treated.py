"""Which outcomes a contact may have changed, and by whom these are represented.

A user who was put on a list that is worked from may be contacted, and may stay because of it: what
happened is no longer what would have happened. The draw decides who was put on it and who was
withheld (docs/adr/0049), so the withheld show what would have happened to both: each counts as
often as one over the chance to be withheld, and the listed are left out. Why by the draw and not by
the contacts made, for how long, and what that costs: docs/adr/0060.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.contracts.tables.ml import LISTED
from churn_spark.timeline import Horizon

WEIGHT: Final = "weight"
"""Column of what a row counts; without it each row counts once."""
_KEYS: Final = ["as_of", "user_id"]
_DRAW: Final = ["user_id", "campaign"]


def campaign_starts(
    campaigns: Mapping[date, str], contact_dates: Collection[date]
) -> dict[str, date]:
    """Campaign -> the first of its lists that a contact names: from then on it is worked from.

    All later lists count, named or not: of a team that calls, not every call is recorded.

    Args:
        campaigns: date of a list -> campaign.
        contact_dates: dates of the lists that contacts name.
    """
    starts: dict[str, date] = {}
    for day in sorted(contact_dates):
        if day in campaigns:
            starts.setdefault(campaigns[day], day)
    return starts


def worked_from(lists: pd.DataFrame, starts: Mapping[str, date]) -> pd.DataFrame:
    """The rows of lists that were worked from.

    Args:
        lists: `as_of`, `user_id`, `campaign`, `assignment` and `control_share` of lists.
        starts: from `campaign_starts`.
    """
    is_worked = [
        campaign in starts and day >= starts[campaign]
        for campaign, day in zip(lists["campaign"], lists["as_of"], strict=True)
    ]
    return lists[np.array(is_worked, dtype=bool)]


def treatment_weights(
    lists: pd.DataFrame, as_of_dates: Iterable[date], horizon: Horizon, effect_days: int
) -> pd.DataFrame:
    """What the outcomes of users count whom a list has named while its campaign could change these.

    A list of date d acts on `[d, d + effect_days)`; the outcome of an as-of date is what happens
    from that date to the end of its window, the gap included: who is kept in the gap is seen in the
    window. Where the two meet for any list of a campaign, all count otherwise whom the campaign has
    named before the window ends: whoever was listed counts 0, and whoever was withheld on all of
    its lists counts one over the chance of that: within a campaign the smallest share, since a
    larger one keeps whom a smaller one had; of several campaigns the product, since they draw
    independently. A campaign without control group has nobody who could stand for its users: they
    count once, as it happened.

    Nobody is taken back before the campaign is over, since whether a later list names a user
    depends on the draw: the reached may be suppressed, the kept come back, and the withheld do
    neither.

    Grain: (as_of, user_id); `weight`: 0, 1 (no control group) or more. Who isn't in it counts once.

    Args:
        lists: rows of `worked_from`, back to the first list of each campaign that still acts.
        as_of_dates: the dates of the outcomes.
        horizon: their window.
        effect_days: how long after a list's date a contact may still change what happens.
    """
    drawn = lists.assign(
        is_listed=(lists["assignment"] == LISTED) & (lists["control_share"] > 0),
        chance=lists["control_share"].where(lists["control_share"] > 0, 1.0),
    )
    named = drawn.sort_values("as_of").drop_duplicates([*_DRAW, "is_listed", "chance"])
    nights = lists[["campaign", "as_of"]].drop_duplicates()
    parts = [pd.DataFrame({"as_of": [], "user_id": [], WEIGHT: []}).astype({WEIGHT: np.float64})]
    for day in sorted(set(as_of_dates)):
        first, end = day - timedelta(days=effect_days - 1), horizon.end(day)
        acting = {name for name, one in nights.itertuples(index=False) if first <= one < end}
        is_before = np.array([one < end for one in named["as_of"]], dtype=bool)
        by_campaign = (
            named[is_before & named["campaign"].isin(acting)]
            .groupby(_DRAW, as_index=False)
            .agg(is_listed=("is_listed", "any"), chance=("chance", "min"))
        )
        by_user = by_campaign.groupby("user_id", as_index=False).agg(
            is_listed=("is_listed", "any"), chance=("chance", "prod")
        )
        weights = (1.0 / by_user["chance"]).where(~by_user["is_listed"], 0.0)
        parts.append(pd.DataFrame({"as_of": day, "user_id": by_user["user_id"], WEIGHT: weights}))
    return pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)


def weigh_rows(rows: pd.DataFrame, changed: pd.DataFrame | None) -> pd.DataFrame:
    """The rows in their order with `weight`; as they are where nothing has been changed.

    Args:
        rows: with `as_of` and `user_id`.
        changed: from `treatment_weights`.
    """
    if changed is None:
        return rows
    found = rows[_KEYS].merge(changed, how="left", on=_KEYS)[WEIGHT].fillna(1.0)
    return rows.assign(**{WEIGHT: found.to_numpy(dtype=np.float64)})


def weights_in(rows: pd.DataFrame) -> Floats | None:
    """What each row counts; none where each counts once."""
    return rows[WEIGHT].to_numpy(dtype=np.float64) if WEIGHT in rows.columns else None
