"""Bronze `events` -> silver `transitions`: only the dates that new events touch."""

from __future__ import annotations

from churn_spark.contracts.tables import EVENTS, TRANSITIONS
from churn_spark.features.transitions import build_transitions, dates_to_read, dates_to_rebuild
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.touched import rebuild_touched
from churn_spark.pipeline.use_case import UseCase

USE_CASE = UseCase(
    "build_transitions",
    "which page followed which, by user and date; only the dates that new events touch",
    reads=(EVENTS,),
    writes=(TRANSITIONS,),
)


def run(lakehouse: Lakehouse) -> None:
    """Rebuild the dates that were touched since the last run, and those after them.

    Raises:
        MissingTableError: if no events were loaded yet.
    """
    rebuild_touched(
        lakehouse, USE_CASE, build_transitions, rebuilt=dates_to_rebuild, read=dates_to_read
    )
