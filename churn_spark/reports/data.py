"""What an evaluation report is made from, and how its parts are looked up."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from churn_spark.config import CostsConfig
from churn_spark.evaluation.intervals import Interval
from churn_spark.evaluation.kaplan_meier import GroupCurve
from churn_spark.reports.card import ModelCard
from churn_spark.reports.page import Cell
from churn_spark.reports.words import (
    METRICS,
    SEGMENT_NAMES,
    in_ladder_order,
    interval,
    measured,
    number,
)

_NAN = math.nan
_KEYS = ["cell", "segment", "model", "versus", "metric"]


@dataclass(frozen=True)
class Figure(Interval):
    """One measured value, or the paired difference to another model; NaN where there is none.

    Attributes:
        metric: its name in the table of figures.
        n: rows.
        n_positive: rows with label 1.
    """

    metric: str
    n: int
    n_positive: int

    @property
    def is_known(self) -> bool:
        """Whether there is a value and an interval; nothing is concluded without them."""
        return all(map(math.isfinite, (self.value, self.low, self.high)))

    @property
    def style(self) -> str:
        """How its metric is written."""
        return METRICS[self.metric].style

    @property
    def text(self) -> str:
        """The value for people."""
        return number(self.value, self.style)

    @property
    def interval(self) -> str:
        """The interval for people; says where there is none."""
        return interval(self.low, self.high, self.style) or "too few"

    @property
    def cell(self) -> Cell:
        """Value and interval for a table."""
        return measured(self.value, self.low, self.high, self.style)


@dataclass(frozen=True)
class EvaluationData:
    """Everything the evaluation report shows; all frames are of one run.

    Attributes:
        card: the model's and the run's facts.
        predictions: as_of, user_id, cell, model, label, churn_probability, reasons,
            reason_fields and the segments level, tenure_band, os, gender; at most 200,000 rows a
            model.
        figures: cell, segment, model, versus, metric, value, low, high, n, n_positive.
        importance: feature, meaning, unit, mean_abs_shap, share, rank_low, rank_high, gain.
        features: as_of, user_id and the snapshot's features of the primary model's rows.
        timelines: as_of, user_id, day, n_sessions, n_songs, n_adverts, n_downgrades of the
            examples that `choose_examples` takes from `primary_rows`.
        costs: of the two mistakes.
        primary: the model that the report is about.
        staying: how long the users of the headline cell stayed beside what was expected, all users
            first; empty where that isn't forecast, or hardly anybody has cancelled.
        are_contacted: whether contacts may have kept some of them.
    """

    card: ModelCard
    predictions: pd.DataFrame
    figures: pd.DataFrame
    importance: pd.DataFrame
    features: pd.DataFrame
    timelines: pd.DataFrame
    costs: CostsConfig
    primary: str = "lightgbm"
    staying: tuple[GroupCurve, ...] = ()
    are_contacted: bool = False

    @property
    def cell(self) -> str:
        """The headline cell."""
        return self.card.headline_cell

    @cached_property
    def primary_rows(self) -> pd.DataFrame:
        """The primary model's rows of the headline cell, with their features."""
        return select_primary(self.predictions, self.cell, self.primary).merge(
            self.features, on=["as_of", "user_id"], how="left", suffixes=("", "_feature")
        )

    @cached_property
    def models(self) -> list[str]:
        """The models with predictions in the headline cell, in the ladder's order."""
        here = in_cell(self.predictions, self.cell)
        return in_ladder_order(self.predictions.loc[here, "model"].unique().tolist())

    @cached_property
    def cells(self) -> list[str]:
        """The cells that have figures, the headline's first."""
        return sorted(self.figures["cell"].unique(), key=lambda cell: (cell != self.cell, cell))

    def rows_of(self, model: str) -> pd.DataFrame:
        """A model's rows of the headline cell."""
        return select_primary(self.predictions, self.cell, model)

    def figure(
        self,
        metric: str,
        model: str = "",
        *,
        cell: str = "",
        segment: str = "all",
        versus: str = "",
    ) -> Figure:
        """A figure by its key, of the primary model and the headline cell if not said otherwise.

        One that isn't in the table is NaN, with no rows.
        """
        key = (cell or self.cell, segment, model or self.primary, versus, metric)
        value, low, high, n, n_positive = self._by_key.get(key, (_NAN, _NAN, _NAN, 0, 0))
        return Figure(value, low, high, metric, int(n), int(n_positive))

    def segments(self) -> Iterator[tuple[str, str]]:
        """Segment and value of each part of the users that has figures in the headline cell."""
        here = self.figures[
            (self.figures["cell"] == self.cell) & (self.figures["segment"] != "all")
        ]
        names = here["segment"].unique()
        for segment in SEGMENT_NAMES:
            values = [n.removeprefix(f"{segment}=") for n in names if n.startswith(f"{segment}=")]
            for value in sorted(values, key=by_numbers):
                yield segment, value

    @cached_property
    def _by_key(self) -> Mapping[tuple[str, ...], tuple[float, ...]]:
        keys = self.figures[_KEYS].fillna("").itertuples(index=False, name=None)
        values = self.figures[["value", "low", "high", "n", "n_positive"]].astype(float)
        return dict(zip(keys, values.itertuples(index=False, name=None), strict=True))


def by_numbers(value: str) -> tuple[tuple[int, ...], str]:
    """A sort key: `under 30 days` before `30 to 90 days` before `over 90 days`."""
    return tuple(map(int, re.findall(r"\d+", value))), value


def in_cell(predictions: pd.DataFrame, cell: str) -> pd.Series:
    """Which rows lie in a cell; `test` is both cells of later dates."""
    return predictions["cell"].isin(["future", "both"] if cell == "test" else [cell])


def select_primary(predictions: pd.DataFrame, cell: str, model: str) -> pd.DataFrame:
    """One model's rows of one cell, in a fixed order."""
    is_here = in_cell(predictions, cell) & (predictions["model"] == model)
    rows = predictions[is_here]
    return rows.sort_values(["as_of", "user_id"], ignore_index=True)
