"""The users of a date, counted by whether they cancel, were listed, and are named by the rule."""

from __future__ import annotations

from typing import Final

import pandas as pd
from pyspark.sql import types as T

from churn_spark.contracts.tables.ml import CONTROL, LISTED
from churn_spark.lakehouse.frames import Batches, Rows, apply, collect
from churn_spark.models.baselines import Rule
from churn_spark.monitoring.performance.reach import Group

_TRAITS: Final = ("cancels", "is_listed", "is_named", "is_control")
_COUNTED: Final = T.StructType(
    [
        *[T.StructField(name, T.BooleanType()) for name in _TRAITS],
        T.StructField("n", T.LongType()),
    ]
)
RULE_FEATURES: Final = ("hours_since_last_event", "last_subscription_level")
"""The snapshot columns that the rule looks at."""


def count_groups(users: Rows) -> dict[Group, int]:
    """How many users are alike.

    Args:
        users: `label`, `assignment` (null for who wasn't to be listed) and `RULE_FEATURES` of each.
    """
    counted = collect(apply(users, _count, _COUNTED))
    sums = counted.groupby([*_TRAITS], as_index=False)["n"].sum()
    rows = sums.itertuples(index=False, name=None)
    return {Group(*traits): int(n) for *traits, n in rows}


def _count(batches: Batches) -> Batches:
    for batch in batches:
        traits = pd.DataFrame(
            {
                "cancels": (batch["label"] == 1).to_numpy(),
                "is_listed": batch["assignment"].isin([LISTED, CONTROL]).to_numpy(),
                "is_named": Rule.names(batch),
                "is_control": (batch["assignment"] == CONTROL).to_numpy(),
            }
        )
        yield traits.groupby([*_TRAITS]).size().rename("n").reset_index()
