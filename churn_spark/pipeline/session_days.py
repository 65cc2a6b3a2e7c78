"""Bronze `events` -> silver `session_days`: only the dates that new events touch."""

from __future__ import annotations

from churn_spark.contracts.tables import EVENTS, SESSION_DAYS
from churn_spark.features.session_days import build_session_days
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.touched import rebuild_touched
from churn_spark.pipeline.use_case import UseCase

USE_CASE = UseCase(
    "build_session_days",
    "one row per user, session and date; only the dates that new events touch",
    reads=(EVENTS,),
    writes=(SESSION_DAYS,),
)


def run(lakehouse: Lakehouse) -> None:
    """Rebuild the dates that were touched since the last run.

    Raises:
        MissingTableError: if no events were loaded yet.
    """
    rebuild_touched(lakehouse, USE_CASE, build_session_days)
