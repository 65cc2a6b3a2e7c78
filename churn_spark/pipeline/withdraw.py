"""What a night has said, taken back: its data were broken, or its date lies ahead of the log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date as Date

from churn_spark.contracts.tables import (
    ALERTS,
    BEHAVIOUR,
    BEHAVIOUR_PARTS,
    BUILT_DATES,
    BUILT_LISTS,
    DATA_CHECKS,
    DECISIONS,
    DRIFT,
    DRIFT_CELLS,
    EFFECT,
    FADING,
    LABELS,
    PERFORMANCE,
    RETENTION_LISTS,
    SCORES,
    SNAPSHOTS,
    TRANSITION_TOTALS,
    USER_TOTALS,
    TableSpec,
)
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.ahead import end_alerts, move_human_decisions
from churn_spark.pipeline.console import say
from churn_spark.pipeline.dates import LogDates
from churn_spark.wording import name_some

_OF_NIGHT = (
    (BEHAVIOUR, "as_of"),
    (BEHAVIOUR_PARTS, "as_of"),
    (FADING, "as_of"),
    (SCORES, "as_of"),
    (RETENTION_LISTS, "as_of"),
    (BUILT_LISTS, "as_of"),
    (DRIFT_CELLS, "run_date"),
    (DRIFT, "run_date"),
    (PERFORMANCE, "run_date"),
    (EFFECT, "run_date"),
)
"""What a night says of the users and of the model, and the column of its date."""
_OF_DATE = (
    *_OF_NIGHT,
    (ALERTS, "run_date"),
    (DECISIONS, "run_date"),
    (SNAPSHOTS, "as_of"),
    (LABELS, "as_of"),
    (BUILT_DATES, "as_of"),
    # That it was held is forgotten last: a rerun after a kill finds it.
    (DATA_CHECKS, "run_date"),
)
"""All that a night leaves."""
_TOTALS = (USER_TOTALS, TRANSITION_TOTALS)


def withdraw(lakehouse: Lakehouse, date: Date) -> None:
    """Take back what the night said before its data were found to be broken."""
    for spec in _take_back(lakehouse, _OF_NIGHT, [date]):
        say("nightly", f"{spec.name} of {date} is withdrawn: the data failed their checks")


def withdraw_ahead(lakehouse: Lakehouse, log: LogDates, date: Date) -> bool:
    """Take back the held nights that lie after a night and ahead of the log.

    A mistyped date, or a clock that was wrong, must not stand before the nights that come. What a
    human has decided on such a night stays decided.

    Args:
        lakehouse: with what the nights have left.
        log: its dates, and the nights that were held.
        date: of the night that is to be run.

    Returns:
        Whether there was any.
    """
    ahead = find_ahead(log, date)
    if not ahead:
        return False
    say("nightly", describe_ahead(ahead, date))
    last = max(date, log.span.end)
    for spec in _TOTALS:
        cuts = [cut for cut in lakehouse.partition_values(spec, "before") if cut > last]
        lakehouse.replace_rows([], spec, {"before": cuts})
    # Before anything is gone, so that a rerun after a kill still finds them.
    move_human_decisions(lakehouse, ahead, date)
    end_alerts(lakehouse, ahead, date)
    _take_back(lakehouse, _OF_DATE, ahead)
    return True


def find_ahead(log: LogDates, date: Date) -> list[Date]:
    """The held nights that lie after a night and ahead of the log, the oldest first."""
    last = max(date, log.span.end)
    return sorted(night for night in log.failed if night > last)


def describe_ahead(ahead: Sequence[Date], date: Date) -> str:
    """What becomes of held nights ahead of a night, in words."""
    named = name_some([str(night) for night in ahead], 3)
    return f"{named} is withdrawn: it was held, and is ahead of {date} and of the log"


def _take_back(
    lakehouse: Lakehouse, tables: Iterable[tuple[TableSpec, str]], dates: list[Date]
) -> list[TableSpec]:
    """Remove the rows of some dates; returns the tables that had any, in their order."""
    found = []
    for spec, column in tables:
        of_dates: Where = {column: dates}
        if lakehouse.count_rows(spec, of_dates):
            lakehouse.replace_rows([], spec, of_dates)
            found.append(spec)
    return found
