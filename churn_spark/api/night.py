"""One night: what it has measured, and the charts of its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import pandas as pd

from churn_spark.api.charts import Charts
from churn_spark.config import Config
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse.readable import ReadableLakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.reports.charts import OF_NIGHT, find_charts
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.page import build_page
from churn_spark.reports.night.store import newest_night, read_night
from churn_spark.reports.page import Picture


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
        return find_charts(build_page(self.data), OF_NIGHT)
