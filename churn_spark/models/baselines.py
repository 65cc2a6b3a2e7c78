"""The simple models that every evaluation puts beside the primary one.

Each gives probabilities of rows as people know them, and is fitted on training rows and
transitions only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.contracts.pages import Page
from churn_spark.evaluation.treated import weights_in
from churn_spark.models.behaviour.cells import CANCEL

_COLUMN_OF_PAGE: Final[Mapping[str, str]] = {
    Page.DOWNGRADE: "downgrades_28d",
    Page.SETTINGS: "settings_28d",
    Page.ROLL_ADVERT: "adverts_28d",
    Page.THUMBS_DOWN: "thumbs_down_28d",
}
_ACTIVE_HOURS: Final = 72.0
_WINDOW_DAYS: Final = 28.0
_PRIOR_DAYS: Final = 7.0
_TENTHS: Final = 10


@dataclass(frozen=True)
class Rule:
    """Paid and active in the last three days: the rule that any model has to beat.

    Attributes:
        rate_flagged: share that cancels of the users whom the rule names.
        rate_other: of all others.
    """

    rate_flagged: float
    rate_other: float

    @staticmethod
    def names(rows: pd.DataFrame) -> Bools:
        """Whom the rule names."""
        is_recent = rows["hours_since_last_event"].to_numpy(dtype=float) <= _ACTIVE_HOURS
        return np.asarray((rows["last_subscription_level"] == "paid").to_numpy() & is_recent)

    @staticmethod
    def fit(rows: pd.DataFrame) -> Rule:
        """Fit on training rows with `label`: the shares that cancel, one of each outcome added.

        Rows count as often as their `weight` says, if there is one.
        """
        named, labels = Rule.names(rows).astype(int), rows["label"].to_numpy(dtype=float)
        n, n_cancels = _sums_by(named, labels, 2, weights_in(rows))
        other, flagged = ((n_cancels + 1) / (n + 2)).tolist()
        return Rule(flagged, other)

    def probabilities(self, rows: pd.DataFrame) -> Floats:
        """One of two numbers for each row."""
        return np.where(self.names(rows), self.rate_flagged, self.rate_other)


@dataclass(frozen=True)
class SilenceRule:
    """How long ago the newest event is: what any model of inactivity has to beat.

    It may use what the models must not see: it is the answer that is known already.

    Attributes:
        edges: hours that part the users into tenths, rising.
        rates: share of each tenth that stays away.
    """

    edges: tuple[float, ...]
    rates: tuple[float, ...]

    @staticmethod
    def fit(rows: pd.DataFrame) -> SilenceRule:
        """Fit on training rows with `label`: one of each outcome added to each tenth.

        Rows count as often as their `weight` says, if there is one.
        """
        hours, labels = _hours_of(rows), rows["label"].to_numpy(dtype=float)
        edges = np.unique(np.quantile(hours, np.arange(1, _TENTHS) / _TENTHS))
        tenth = np.searchsorted(edges, hours, side="right")
        n, n_away = _sums_by(tenth, labels, len(edges) + 1, weights_in(rows))
        return SilenceRule(tuple(edges.tolist()), tuple(((n_away + 1) / (n + 2)).tolist()))

    def probabilities(self, rows: pd.DataFrame) -> Floats:
        """That of its tenth for each row."""
        tenth = np.searchsorted(np.array(self.edges), _hours_of(rows), side="right")
        return np.array(self.rates)[tenth]


def _sums_by(
    group: Ints, labels: Floats, n_groups: int, weights: Floats | None
) -> tuple[Floats, Floats]:
    """Rows and positive labels of each group, each row as often as it counts."""
    counted = np.ones(len(labels)) if weights is None else weights
    n, n_positive = (
        np.bincount(group, of_rows, n_groups).astype(np.float64)
        for of_rows in (counted, counted * labels)
    )
    return n, n_positive


def _hours_of(rows: pd.DataFrame) -> Floats:
    return rows["hours_since_last_event"].to_numpy(dtype=float)


@dataclass(frozen=True)
class PageHazard:
    """Cancelling as a fixed chance per visit of four pages, by level, without kinds of users.

    Attributes:
        chances: (level, page) -> chance that a visit of it leads to Cancel.
        weekly: page -> visits a week of the mean user, to shrink towards.
        horizon_days: days ahead.
    """

    chances: dict[tuple[str, str], float]
    weekly: dict[str, float]
    horizon_days: int

    @staticmethod
    def fit(transitions: DataFrame, rows: pd.DataFrame, horizon_days: int) -> PageHazard:
        """Count what follows the pages; eight numbers come to the driver.

        Args:
            transitions: to fit on.
            rows: to fit on.
            horizon_days: days ahead.
        """
        counted = (
            transitions.filter(F.col("page").isin(*_COLUMN_OF_PAGE))
            .groupBy("level", "page")
            .agg(
                F.sum("n_transitions").alias("n"),
                F.sum(
                    F.when(F.col("next_page") == CANCEL, F.col("n_transitions")).otherwise(0)
                ).alias("cancels"),
            )
            .collect()
        )
        chances = {(row.level, row.page): row.cancels / row.n for row in counted}
        days = _watched_days(rows).sum()
        weekly = {
            page: float(7.0 * rows[column].sum() / days) for page, column in _COLUMN_OF_PAGE.items()
        }
        return PageHazard(chances, weekly, horizon_days)

    def probabilities(self, rows: pd.DataFrame) -> Floats:
        """One minus the chance that none of the expected visits ends in a cancellation."""
        days, hazard = _watched_days(rows), np.zeros(len(rows))
        level = rows["last_subscription_level"].to_numpy()
        for page, column in _COLUMN_OF_PAGE.items():
            expected = rows[column].to_numpy(dtype=float) + self.weekly[page] * _PRIOR_DAYS / 7.0
            by_level = {name: self.chances.get((name, page), 0.0) for name in ("free", "paid")}
            chance = np.where(level == "paid", by_level["paid"], by_level["free"])
            hazard += chance * expected / (days + _PRIOR_DAYS)
        return np.asarray(-np.expm1(-self.horizon_days * hazard), dtype=np.float64)


def _watched_days(rows: pd.DataFrame) -> Floats:
    return np.minimum(rows["exposure_days"].to_numpy(dtype=float), _WINDOW_DAYS)
