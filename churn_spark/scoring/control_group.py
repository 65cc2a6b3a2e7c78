"""Who is withheld from the list, so that what the list changes can be measured."""

from __future__ import annotations

from typing import Final

import pandas as pd

from churn_spark.config import RetentionListConfig
from churn_spark.contracts.tables.ml import CONTROL, LEFT_ALONE, LISTED
from churn_spark.hashing import keyed_hash

_HEX_DIGITS: Final = 8


def is_control(user_id: str, campaign: str, share: float) -> bool:
    """Whether a user is in the control group of a campaign.

    It depends on the user and the campaign alone: who is withheld stays so on every list of the
    campaign. With a larger share the group keeps whom it has.

    Args:
        user_id: as the tables have it.
        campaign: its name keys the hash, so that two campaigns draw independently.
        share: of all users, 0 to 1.
    """
    digits = keyed_hash(campaign.encode(), "control", user_id)[:_HEX_DIGITS]
    return int(digits, 16) < share * 16**_HEX_DIGITS


def assign(users: pd.Series, config: RetentionListConfig) -> pd.Series:
    """`listed` or `control` for each user id."""
    names = [
        CONTROL if is_control(str(one), config.campaign, config.control_share) else LISTED
        for one in users
    ]
    return pd.Series(names, users.index, dtype=object)


def only_listed(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of a list without its control group and those left alone."""
    return rows[~rows["assignment"].isin([CONTROL, LEFT_ALONE])]
