"""The rows that are compared as wholes: samples of the training rows and of tonight's users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churn_spark.contracts.features.history import FULL_WINDOWS, History
from churn_spark.lakehouse.frames import Rows, sample_rows
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.reference_folds import FOLD, folds_of
from churn_spark.monitoring.drift.joint import Side
from churn_spark.monitoring.frames.attribution import Attribution, compare_contributions
from churn_spark.monitoring.frames.reference import compared_rows, encode_users


@dataclass(frozen=True)
class Sides:
    """Encoded rows of two sides, mostly of the same users, with the part that a user belongs to.

    Attributes:
        bundle: the champion, whose inputs they are.
        reference: of its training rows, one row a user. A champion of an older release doesn't
            say which rows are of one user: then all rows, without a part.
        current: of tonight's users.
    """

    bundle: ModelBundle
    reference: pd.DataFrame
    current: pd.DataFrame

    @staticmethod
    def of(users: Rows, bundle: ModelBundle, max_rows: int, tonight: History) -> Sides:
        """Samples of at most so many rows of a side.

        Args:
            users: tonight's scored snapshot rows.
            bundle: the champion.
            max_rows: of a side; those of the users with the lowest hashes, on both the same.
            tonight: how much log there is before the night.
        """
        sample = sample_rows(users, max_rows)
        coarse = bundle.features if bundle.is_coarse else ()
        current = encode_users(sample, bundle.encoding, coarse)
        current = current.assign(**{FOLD: folds_of(sample["user_id"])})
        return Sides(bundle, choose_reference(bundle.baseline, tonight).head(max_rows), current)

    def pair(self, names: Sequence[str]) -> tuple[Side, Side]:
        """Some features of both sides, of the users whose part is known."""
        return _side(self.reference, names), _side(self.current, names)

    def attributions(self, max_rows: int) -> Mapping[str, Attribution]:
        """What each feature moves the scores by on both sides, on at most so many rows of each."""
        names = list(self.bundle.encoding.features)
        before, now = (
            self.bundle.contributions_of(rows[names].head(max_rows).to_numpy(dtype=np.float64))
            for rows in (self.reference, self.current)
        )
        return compare_contributions(names, before.values, now.values)


def choose_reference(baseline: pd.DataFrame, tonight: History) -> pd.DataFrame:
    """One training row of each user; all, without a part, where it isn't known whose they are.

    Where some of them had full windows, and tonight's users have, only these: what a young log
    has changed is no drift. Else there is nothing to tell the sides apart by, but the scores.
    """
    if FOLD not in baseline:
        return baseline.assign(**{FOLD: np.nan})
    rows = baseline[baseline[FOLD].notna()]
    is_full = compared_rows(rows, FULL_WINDOWS, tonight)
    return rows[is_full] if is_full.any() else rows


def _side(rows: pd.DataFrame, names: Sequence[str]) -> Side:
    known = rows[rows[FOLD].notna()]
    values = known[[*names]].to_numpy(dtype=np.float64)
    return Side(values, known[FOLD].to_numpy(dtype=np.int64))
