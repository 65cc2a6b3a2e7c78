"""The weekly as-of dates that a night learns from, and those that a model is judged on."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date as Date
from datetime import timedelta

from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.contracts.tables import DATA_CHECKS
from churn_spark.timeline import days_after, weekly_dates


def training_dates(context: job.JobContext, date: Date) -> list[Date]:
    """The as-of dates a training on the date learns from; none for the lifetime label."""
    if context.config.labels.kind == "lifetime":
        return []
    return known_dates(context, date)[-context.config.training.max_weeks :]


def known_dates(context: job.JobContext, date: Date) -> list[Date]:
    """The as-of dates, oldest first, whose labels are known by the date."""
    config, span = context.config, job.log_span(context)
    dates = weekly_dates(
        days_after(span.start, config.training.history_days),
        config.labels.horizon.newest_known(min(date, span.end)),
        config.training.as_of_weekday,
    )
    return sound_dates(context, list(dates))


def unseen_dates(context: job.JobContext, date: Date, trained: Date) -> list[Date]:
    """The as-of dates whose labels became known after a training, up to the date."""
    horizon = context.config.labels.horizon
    end = min(date, job.log_span(context).end)
    first = horizon.newest_known(trained) + timedelta(days=1)
    weekday = context.config.training.as_of_weekday
    return sound_dates(context, list(weekly_dates(first, horizon.newest_known(end), weekday)))


def sound_dates(context: job.JobContext, dates: Collection[Date]) -> list[Date]:
    """The dates, oldest first, without those of nights whose data failed their checks.

    A night that was mended and done again has passed them since. Dates that were no nights, from
    before the first one or left out, have no checks and are kept.
    """
    if not context.lakehouse.exists(DATA_CHECKS):
        return sorted(dates)
    failed = context.lakehouse.read(DATA_CHECKS).filter(
        F.col("run_date").isin(*dates) & ~F.col("passed")
    )
    broken = {row.run_date for row in failed.select("run_date").distinct().collect()}
    return sorted(set(dates) - broken)
