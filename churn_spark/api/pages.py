"""What the two pages are made of, and their charts as matplotlib's figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import cached_property

import pandas as pd
from matplotlib.figure import Figure

from churn_spark.config import Config
from churn_spark.errors import InputError, MissingTableError
from churn_spark.lakehouse.readable import ReadableLakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.reports import evaluation as evaluation_page
from churn_spark.reports.card import ModelCard
from churn_spark.reports.charts import OF_EVALUATION, OF_NIGHT, find_charts
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.night import page as night_page
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.store import newest_night, read_night
from churn_spark.reports.page import Picture


class Charts:
    """Charts by the names that the gallery of the documentation gives them."""

    @cached_property
    def _charts(self) -> Mapping[str, Picture]:
        raise NotImplementedError

    @property
    def charts(self) -> dict[str, str]:
        """Name of each chart that there is -> what it shows, in a sentence."""
        return {name: picture.alt for name, picture in self._charts.items()}

    def figure(self, name: str) -> Figure:
        """A chart of the page, to be shown, changed or saved.

        Args:
            name: one of `charts`.

        Raises:
            InputError: if the page has no such chart.
        """
        if name not in self._charts:
            close = get_close_matches(name, self._charts, n=1)
            meant = f" (did you mean {close[0]}?)" if close else ""
            raise InputError(
                f"found no chart {name}{meant}, expected one that the page has: "
                f"{', '.join(self._charts) or 'it has none yet'}"
            )
        return self._charts[name].figure


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

        Columns: model, value, low, high.
        """
        figures = self.data.figures
        here = (figures["cell"] == self.data.cell) & (figures["metric"] == metric)
        plain = (figures["segment"] == "all") & (figures["versus"].fillna("") == "")
        if not (here & plain).any():
            known = sorted(figures["metric"].unique())
            raise InputError(f"found no metric {metric}, expected one of {', '.join(known)}")
        rows = figures.loc[here & plain, ["model", "value", "low", "high"]]
        return rows.sort_values("value", ascending=False, ignore_index=True)

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
        return find_charts(evaluation_page.build_page(self.data), OF_EVALUATION)


@dataclass(frozen=True)
class Night(Charts):
    """One night and the 90 days up to it.

    Attributes:
        data: all that its page is made of.
    """

    data: NightData

    @staticmethod
    def read(lakehouse: ReadableLakehouse, config: Config, night: date | None) -> Night:
        """A night, the newest where none is named.

        Raises:
            MissingTableError: if there was none.
        """
        night = night or newest_night(lakehouse)
        if night is None:
            raise MissingTableError(
                f"found no night in {lakehouse.root}, expected one that has been checked or "
                "decided: run `nightly` first"
            )
        registry = ModelRegistry(config.registry, config.lakehouse)
        log = read_log_dates(lakehouse)
        return Night(read_night(lakehouse, registry, config.policy, night, log.history))

    @property
    def date(self) -> date:
        """The night."""
        return self.data.night

    def drift(self) -> pd.DataFrame:
        """How far each feature has moved, by slice and by what it is compared with."""
        return self.data.drift

    def performance(self) -> pd.DataFrame:
        """What was measured as labels became known, in the 90 days up to the night."""
        return self.data.performance

    @cached_property
    def _charts(self) -> Mapping[str, Picture]:
        return find_charts(night_page.build_page(self.data), OF_NIGHT)
