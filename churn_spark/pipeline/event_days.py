"""Bronze `events` -> silver `event_days`: only the dates that new events touch."""

from __future__ import annotations

from typing import Final

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import EVENT_DAYS, EVENTS, LOG_DATES
from churn_spark.features.rollups import EVENT_DAY_ROLLUP
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import rollups
from churn_spark.pipeline.use_case import UseCase

USE_CASE = UseCase(
    "build_event_days",
    "counts, nulls and values of each day's events; only the dates that new events touch",
    reads=(EVENTS,),
    writes=(EVENT_DAYS, LOG_DATES),
)
STEP: Final = {USE_CASE: EVENT_DAY_ROLLUP}


def run(lakehouse: Lakehouse, config: IngestConfig) -> None:
    """Rebuild the dates that were touched since the last run.

    Raises:
        MissingTableError: if no events were loaded yet.
    """
    rollups.run(lakehouse, config, STEP)
