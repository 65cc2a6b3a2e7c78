"""The newest backtest: its figures, and the charts of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import pandas as pd

from churn_spark.api.charts import Charts
from churn_spark.errors import InputError
from churn_spark.reports.card import ModelCard
from churn_spark.reports.charts import OF_EVALUATION, find_charts
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.evaluation import build_page
from churn_spark.reports.page import Picture

_BEST: Final[Mapping[str, float]] = {
    **dict.fromkeys(("log_loss", "brier", "calibration_error", "calibration_intercept"), 0.0),
    "calibration_slope": 1.0,
}
"""Metric -> the value that none is better than; of the others more is better."""


@dataclass(frozen=True)
class Evaluation(Charts):
    """The newest backtest.

    Attributes:
        data: all that its page is made of.
    """

    data: EvaluationData

    @property
    def card(self) -> ModelCard:
        """What the model is, what it was trained and judged on."""
        return self.data.card

    def figures(self) -> pd.DataFrame:
        """Every measured value with its 95 % interval.

        Grain: (cell, segment, model, versus, metric); `versus` names the model that a difference
        is to, and is empty for a value.
        """
        return self.data.figures

    def ladder(self, metric: str = "roc_auc") -> pd.DataFrame:
        """One metric of each model on the rows that the page's first figures are of, best first.

        The best of an error is the least, of a calibration line the nearest to slope 1 and
        intercept 0, of all else the largest.

        Columns: model, value, low, high.
        """
        figures = self.data.figures
        here = (figures["cell"] == self.data.cell) & (figures["metric"] == metric)
        plain = (figures["segment"] == "all") & (figures["versus"].fillna("") == "")
        if not (here & plain).any():
            known = sorted(figures["metric"].unique())
            raise InputError(f"found no metric {metric}, expected one of {', '.join(known)}")
        rows = figures.loc[here & plain, ["model", "value", "low", "high"]]
        best = _BEST.get(metric)

        def distance(values: pd.Series) -> pd.Series:
            return -values if best is None else (values - best).abs()

        return rows.sort_values("value", key=distance, kind="stable", ignore_index=True)

    def predictions(self) -> pd.DataFrame:
        """What each model said of each row that it was tested on.

        Grain: (as_of, user_id, cell, model).
        """
        return self.data.predictions

    def importance(self) -> pd.DataFrame:
        """How much each feature moves the scores, and how its rank varies over the folds."""
        return self.data.importance

    @cached_property
    def _charts(self) -> Mapping[str, Picture]:
        return find_charts(build_page(self.data), OF_EVALUATION)
