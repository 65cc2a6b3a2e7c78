"""The dates that the log covers."""

from __future__ import annotations

from datetime import date

from churn_spark.contracts.places import IN_LOG
from churn_spark.contracts.tables import EVENTS, LOG_DATES, QUARANTINE, SESSION_DAYS
from churn_spark.errors import InputError
from churn_spark.lakehouse.tables import Lakehouse


def read_log_days(lakehouse: Lakehouse) -> dict[date, int]:
    """The dates of the log with an event, and how many each has; wrong clocks left out.

    As the rollups have found them; of a lakehouse of an older release, all dates, with one each.

    Raises:
        InputError: if there is no event.
        MissingTableError: if no events were loaded yet.
    """
    in_log = lakehouse.read_rows(LOG_DATES, {"place": [IN_LOG]}, ["event_date", "n_events"])
    days = dict(in_log.itertuples(index=False, name=None))
    days = days or dict.fromkeys(lakehouse.partition_values(SESSION_DAYS, "event_date"), 1)
    if not days:
        if not lakehouse.exists(EVENTS) or lakehouse.count_rows(EVENTS):
            lakehouse.require(SESSION_DAYS)
        raise InputError(_describe_nothing(lakehouse))
    return days


def _describe_nothing(lakehouse: Lakehouse) -> str:
    """Why there may be no event: what is wrong with a line that was rejected, if one was."""
    n_lines = lakehouse.count_rows(QUARANTINE)
    if not n_lines:
        return (
            f"found no event of a known user in {lakehouse.root}, expected records with a userId: "
            "what was read is anonymous, if anything was"
        )
    one = lakehouse.read(QUARANTINE).limit(1).collect()[0]
    return (
        f"found no event of a known user in {lakehouse.root}, but {n_lines:,} rejected lines, such "
        f"as one at byte {one.byte_offset} of {one.source_file}: {one.reason} ({one.contents}); "
        "expected a JSON object a line with ts, page, userId and sessionId: see bronze/quarantine"
    )
