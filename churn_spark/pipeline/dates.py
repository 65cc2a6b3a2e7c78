"""The weekly as-of dates that a night trains on, and those that a model is evaluated on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta

from churn_spark.config import LearningConfig
from churn_spark.lakehouse.reads import read_log_span
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.stores.checks import read_failed_nights
from churn_spark.timeline import LogSpan, days_after, weekly_dates


@dataclass(frozen=True)
class LogDates:
    """The dates that the log covers, and those whose data are not to be used.

    Attributes:
        span: first date and end of the log.
        failed: nights whose data failed their checks and were not mended since. Dates that were
            no nights, from before the first one or left out, have no checks and are used.
    """

    span: LogSpan
    failed: frozenset[Date] = frozenset()

    def sound(self, dates: Iterable[Date]) -> list[Date]:
        """The dates, oldest first, without those whose data failed their checks."""
        return sorted(set(dates) - self.failed)


def read_log_dates(lakehouse: Lakehouse) -> LogDates:
    """The dates of the log as it is.

    Raises:
        InputError: if there is no event.
        MissingTableError: if no events were loaded yet.
    """
    return LogDates(read_log_span(lakehouse), read_failed_nights(lakehouse))


def training_dates(log: LogDates, config: LearningConfig, date: Date) -> list[Date]:
    """The as-of dates a training on the date uses; none for the lifetime label."""
    if config.is_lifetime:
        return []
    return labelled_dates(log, config, date)[-config.training.max_weeks :]


def labelled_dates(log: LogDates, config: LearningConfig, date: Date) -> list[Date]:
    """The as-of dates, oldest first, whose labels are known by the date."""
    dates = weekly_dates(
        days_after(log.span.start, config.training.history_days),
        config.labels.horizon.newest_known(min(date, log.span.end)),
        config.training.as_of_weekday,
    )
    return log.sound(dates)


def unseen_dates(log: LogDates, config: LearningConfig, date: Date, trained: Date) -> list[Date]:
    """The as-of dates whose labels became known after a training, up to the date."""
    horizon = config.labels.horizon
    first = horizon.newest_known(trained) + timedelta(days=1)
    newest = horizon.newest_known(min(date, log.span.end))
    return log.sound(weekly_dates(first, newest, config.training.as_of_weekday))
