"""The newest known values of users' profiles."""

from __future__ import annotations

from typing import Final

import polars as pl

from churn_spark.contracts.features.sources import PROFILE_FIELDS

PROFILE_COLUMNS: Final = tuple(
    name for field, columns in PROFILE_FIELDS.items() for name in (*columns, f"{field}_seen")
)
"""Columns of session days that tell of the profile."""


def pick_newest(rows: pl.DataFrame) -> pl.DataFrame:
    """The newest known values of each group of profile columns that is read together.

    Of events at the same time and place the largest values count, as for session days.

    Args:
        rows: `user_id` and `PROFILE_COLUMNS`.

    Grain: (user_id).
    """
    found = rows.select("user_id").unique()
    for field, columns in PROFILE_FIELDS.items():
        seen = pl.col(f"{field}_seen")
        newest = (
            rows.filter(seen == seen.max().over("user_id"))
            .select("user_id", *columns, seen)
            .sort(columns, nulls_last=False)
            .unique("user_id", keep="last", maintain_order=True)
        )
        found = found.join(newest, "user_id", "left")
    return found
