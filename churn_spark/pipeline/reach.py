"""What lists have reached and which labels have arrived, as rows of `performance` of a night."""

from __future__ import annotations

from datetime import date as Date
from datetime import timedelta
from typing import Any, Final

from churn_spark.config import ChecksConfig, LearningConfig
from churn_spark.contracts.places import OUT_OF_PLACE
from churn_spark.contracts.tables import LABELS, LOG_DATES, PERFORMANCE, RETENTION_LISTS, SNAPSHOTS
from churn_spark.lakehouse.frames import first_rows, join, only
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_dates
from churn_spark.monitoring.frames.list_counts import RULE_FEATURES, count_groups
from churn_spark.monitoring.performance.arrival import DueLabels, arrival_rows, missing_days
from churn_spark.monitoring.performance.reach import LIST, ListCounts, reach_rows
from churn_spark.pipeline.dates import LogDates, newest_labelled
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.labels import horizon_of, write_missing_labels
from churn_spark.timeline import weekly_dates

_KEYS: Final = ("as_of", "user_id")
_MOST_LISTS: Final = 28
_WEEKS: Final = 4
"""Whose labels are looked at: what has not arrived by then is not waited for."""


def measure_lists(
    lakehouse: Lakehouse, night: Night, config: LearningConfig
) -> list[dict[str, Any]]:
    """What each list has reached whose labels have become known since the night before.

    Of the lists as they are stored, at most of the newest four weeks.
    """
    dates = unmeasured_lists(lakehouse, night, config)
    known_by = config.labels.known_by(min(night.date, night.log.reached))
    write_missing_labels(lakehouse, dates, config.labels, known_by)
    return [
        row
        for date in dates
        for row in reach_rows(count_list(lakehouse, date, config), config.labels.horizon_days)
    ]


def unmeasured_lists(lakehouse: Lakehouse, night: Night, config: LearningConfig) -> list[Date]:
    """The dates with a list whose labels are known, and that no earlier night has measured."""
    last = newest_labelled(night.log, config.labels, night.date)
    listed = lakehouse.partition_values(RETENTION_LISTS, "as_of")
    known = {*lakehouse.partition_values(LABELS, "as_of")}
    earlier: Where = {"run_date": Between(last=night.date - timedelta(days=1)), "basis": [LIST]}
    measured = {*lakehouse.read_rows(PERFORMANCE, earlier, ["window_start"])["window_start"]}
    candidates = [date for date in night.log.sound(listed) if date <= last and date in known]
    return [date for date in candidates[-_MOST_LISTS:] if date not in measured]


def count_list(lakehouse: Lakehouse, date: Date, config: LearningConfig) -> ListCounts:
    """The users of a date, by label, list and rule; those whose label is unknown left out."""
    users = read_dates(lakehouse, SNAPSHOTS, [date], [*_KEYS, *RULE_FEATURES])
    labels = read_dates(lakehouse, LABELS, [date])
    labels = only(labels, **horizon_of(config.labels.horizon), label=[0, 1])
    columns = [*_KEYS, "model_version", "assignment"]
    listed = read_dates(lakehouse, RETENTION_LISTS, [date], columns)
    version = str(first_rows(listed, ["user_id"], 1)["model_version"].iloc[0])
    labelled = join(users, labels[[*_KEYS, "label"]], _KEYS, "inner")
    groups = count_groups(join(labelled, listed[[*_KEYS, "assignment"]], _KEYS, "left"))
    return ListCounts(date, version, groups)


def measure_arrival(
    lakehouse: Lakehouse, night: Night, version: str, config: LearningConfig, checks: ChecksConfig
) -> list[dict[str, Any]]:
    """How many labels have arrived of the newest weekly dates whose labels are due.

    Due is what the calendar says, however far the log has come.
    """
    labels, rows = config.labels, _events_by_day(lakehouse)
    last = labels.horizon.newest_known(labels.known_by(night.date))
    weeks = weekly_dates(_first_week(night.log, last), last, config.training.as_of_weekday)
    built = {*lakehouse.partition_values(LABELS, "as_of")}
    due = []
    for date in (one for one in weeks if one in built):
        of_date: Where = {"as_of": [date], **horizon_of(labels.horizon)}
        missing = missing_days(
            date,
            labels.horizon,
            lambda day: rows.get(day, 0),
            checks.min_label_day,
            checks.is_holiday,
        )
        due.append(
            DueLabels(
                date,
                n_due=lakehouse.count_rows(LABELS, of_date),
                n_cancels=lakehouse.count_rows(LABELS, {**of_date, "label": [1]})
                + lakehouse.count_rows(LABELS, {**of_date, "is_gap_cancel": [True]}),
                is_known=not lakehouse.count_rows(LABELS, {**of_date, "is_known": [False]}),
                missing=missing,
            )
        )
    found = arrival_rows(due, labels.horizon_days)
    return [{**row, "model_version": version} for row in found]


def _first_week(log: LogDates, last: Date) -> Date:
    return max(log.span.start, last - timedelta(weeks=_WEEKS) + timedelta(days=1))


def _events_by_day(lakehouse: Lakehouse) -> dict[Date, int]:
    rows = lakehouse.read_rows(LOG_DATES)
    in_place = rows[rows["place"] != OUT_OF_PLACE]
    return dict(zip(in_place["event_date"], map(int, in_place["n_events"]), strict=True))
