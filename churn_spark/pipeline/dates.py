"""The weekly as-of dates that a night trains on, and those that a model is evaluated on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date as Date
from datetime import timedelta
from typing import Final

from churn_spark.config import LabelsConfig, LearningConfig
from churn_spark.contracts.features.history import History
from churn_spark.contracts.places import AT_EDGE
from churn_spark.contracts.tables import LOG_DATES, SNAPSHOTS
from churn_spark.errors import InputError
from churn_spark.features.log_dates import find_silent_dates
from churn_spark.lakehouse.reads import read_log_days
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.stores.checks import read_failed_nights
from churn_spark.timeline import LogSpan, days_after, weekly_dates

_DAYS_A_SILENT_ONE: Final = 20
_MAX_DAYS_BETWEEN: Final = 7


@dataclass(frozen=True)
class LogDates:
    """The dates that the log covers, and those whose data are not to be used.

    Attributes:
        span: first date and end of the log.
        newest_night: the newest date that a night has been run for, or is.
        failed: nights whose data failed their checks and were not mended since. Dates that were
            no nights, from before the first one or left out, have no checks and are used.
        silent: dates of the log with as good as no events.
    """

    span: LogSpan
    newest_night: Date
    failed: frozenset[Date] = frozenset()
    silent: frozenset[Date] = frozenset()

    @property
    def reached(self) -> Date:
        """All before this date has come in, but for what is late.

        The log may have begun on a day that isn't over: that day's night is still to come.
        """
        return min(self.span.end, self.newest_night)

    def sound(self, dates: Iterable[Date]) -> list[Date]:
        """The dates, oldest first, without those whose data failed their checks."""
        return sorted(set(dates) - self.failed)

    def history(self, date: Date) -> History:
        """How much log there is before a date.

        A day in twenty may be silent: it moves a sum over four weeks by less than chance does.
        """
        log_days = max(0, (date - self.span.start).days)
        n_silent = 0
        for days in range(1, log_days + 1):
            n_silent += days_after(date, -days) in self.silent
            if n_silent > days // _DAYS_A_SILENT_ONE:
                return History(log_days, days - 1)
        return History(log_days, log_days)


def read_log_dates(lakehouse: Lakehouse, date: Date | None = None) -> LogDates:
    """The dates of the log as it is.

    A night leaves a snapshot, so nights in any order leave the same labels: those that the
    newest of them knows.

    Args:
        lakehouse: with the session days.
        date: of the night; all of the log has come in where there is none.

    Raises:
        InputError: if there is no event.
        MissingTableError: if no events were loaded yet.
    """
    days, failed = read_log_days(lakehouse), read_failed_nights(lakehouse)
    span = LogSpan(min(days), days_after(max(days), 1))
    nights = {*lakehouse.partition_values(SNAPSHOTS, "as_of")} - failed
    silent = find_silent_dates(days, span)
    return LogDates(span, max({*nights, date or span.end}), failed, silent)


def refuse_ahead(lakehouse: Lakehouse, log: LogDates, config: LearningConfig, date: Date) -> None:
    """Keep a mistyped date from becoming that of a model: no night before it could use the model.

    Raises:
        InputError: if the date lies ahead of the log, and what is learnt depends on it.
    """
    last = end_with_edge(lakehouse, log)
    if date > last and not config.is_lifetime:
        raise InputError(
            f"found the date {date} to train as of, expected {last} or an earlier one: the log "
            f"ends with {days_after(last, -1)}, and every night before {date} would refuse the "
            "model. Correct the date, or load the events that are missing first"
        )


def end_with_edge(lakehouse: Lakehouse, log: LogDates) -> Date:
    """The day after the newest one with events, few as they may be: a day that has only begun.

    Days that come more than a week after all others may be of a clock that is wrong.
    """
    at_edge = lakehouse.read_rows(LOG_DATES, {"place": [AT_EDGE]}, ["event_date"])
    end = log.span.end
    for day in sorted(at_edge["event_date"]):
        if end <= day <= days_after(end, _MAX_DAYS_BETWEEN):
            end = days_after(day, 1)
    return end


def training_dates(log: LogDates, config: LearningConfig, date: Date) -> list[Date]:
    """The as-of dates a training on the date uses; none for the lifetime label."""
    if config.is_lifetime:
        return []
    return labelled_dates(log, config, date)[-config.training.max_weeks :]


def labelled_dates(log: LogDates, config: LearningConfig, date: Date) -> list[Date]:
    """The as-of dates, oldest first, whose labels are known by the date."""
    dates = weekly_dates(
        days_after(log.span.start, config.training.history_days),
        newest_labelled(log, config.labels, date),
        config.training.as_of_weekday,
    )
    return log.sound(dates)


def newest_labelled(log: LogDates, labels: LabelsConfig, date: Date) -> Date:
    """The newest as-of date whose labels are known by the date."""
    return labels.horizon.newest_known(labels.known_by(min(date, log.reached)))


def unseen_dates(log: LogDates, config: LearningConfig, date: Date, trained: Date) -> list[Date]:
    """The as-of dates whose labels became known after a training, up to the date."""
    labels = config.labels
    first = labels.horizon.newest_known(labels.known_by(trained)) + timedelta(days=1)
    newest = newest_labelled(log, labels, date)
    return log.sound(weekly_dates(first, newest, config.training.as_of_weekday))


def partly_known_dates(dates: Iterable[Date], labels: LabelsConfig, trained: Date) -> list[Date]:
    """Those of the as-of dates whose windows had begun when a model was trained.

    It knows how such a window began for the users it was fitted on, so only the others show how
    good it is there (docs/adr/0067).

    Args:
        dates: as-of dates.
        labels: what the window is.
        trained: all before this date was known to the training.
    """
    return [date for date in dates if labels.horizon.start(date) < trained]
