"""Silver `session_days` -> gold `snapshots` as of a date, and `labels` as they mature."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date as Date
from typing import Final

from pyspark.sql import functions as F

from churn_spark.config import LearningConfig
from churn_spark.contracts.tables import LABELS, SESSION_DAYS, SNAPSHOTS, USER_TOTALS
from churn_spark.errors import InputError
from churn_spark.features.labels import build_labels
from churn_spark.features.local.snapshots import build_snapshots as build_from_totals
from churn_spark.features.snapshots import build_snapshots
from churn_spark.lakehouse.reads import read_log_span
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.use_case import UseCase
from churn_spark.pipeline.user_totals import cut_before, read_history
from churn_spark.timeline import Horizon, LogSpan
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "build_snapshots",
    "every feature of every living user, knowing only what came before the date; labels "
    "as they become known",
    reads=(SESSION_DAYS,),
    writes=(SNAPSHOTS, LABELS, USER_TOTALS),
    reads_if_there=(LABELS, USER_TOTALS),
)

_DAYS_OF_A_USER: Final = 20
"""Session days that a user has in nine weeks, at most as a rule: 17 in simulated logs."""


def run(
    lakehouse: Lakehouse,
    dates: Collection[Date],
    config: LearningConfig,
    span: LogSpan | None = None,
) -> None:
    """Replace the snapshots and labels of the dates, and the labels known since the last run.

    Args:
        lakehouse: with the session days.
        dates: as-of dates.
        config: how long a user counts as active, and the window of the labels.
        span: of the log; read where it isn't known yet.

    Raises:
        MissingTableError: if there are no session days yet.
        InputError: if there is no event before one of the dates.
    """
    with USE_CASE.start(lakehouse) as facts:
        session_days = lakehouse.read(SESSION_DAYS)
        span = span or read_log_span(lakehouse)
        if min(dates) <= span.start:
            raise InputError(
                f"found no event before {min(dates)}; expected a date after the log's first day, "
                f"{span.start}, up to {span.end}: choose another --date"
            )
        write_snapshots(lakehouse, dates, span.start, config.snapshots.active_days)
        horizon = config.labels.horizon
        labelled = {*dates, *find_unripe_dates(lakehouse, horizon, span.end)}
        population = lakehouse.read(SNAPSHOTS).filter(F.col("as_of").isin(*labelled))
        labels = build_labels(population, session_days, horizon, span.end)
        lakehouse.replace(labels, LABELS, {"as_of": labelled, **_horizon_of(horizon)})
        newest = lakehouse.count_rows(SNAPSHOTS, {"as_of": [max(dates)]})
        facts.append(
            f"{count_of(len(dates), 'date')} up to {max(dates)}: {count_of(newest, 'user')} on it"
        )
        facts.append(f"{count_of(len(labelled), 'date')} labelled")


def write_snapshots(
    lakehouse: Lakehouse, dates: Collection[Date], log_start: Date, active_days: int
) -> None:
    """Replace the snapshots of the dates.

    In this process while the session days that they are made of fit in it; by Spark's windows
    over all session days beyond, or where only Spark reaches them.
    """
    most = lakehouse.max_local_users * _DAYS_OF_A_USER
    where = {"event_date": Between(cut_before(min(dates)), max(dates))}
    if lakehouse.is_native and lakehouse.count_rows(SESSION_DAYS, where) <= most:
        history = read_history(lakehouse, dates)
        found = build_from_totals(
            history.session_days, history.totals, dates, log_start, active_days
        )
        lakehouse.replace_rows(found.to_arrow(), SNAPSHOTS, {"as_of": dates})
    else:
        by_windows = build_snapshots(lakehouse.read(SESSION_DAYS), dates, active_days)
        lakehouse.replace(by_windows, SNAPSHOTS, {"as_of": dates})


def run_missing(
    lakehouse: Lakehouse, dates: Collection[Date], config: LearningConfig, span: LogSpan
) -> None:
    """Build the snapshots and labels of those of the dates that have none yet.

    Labels are written last: a date that has them has its snapshot, however the job has ended.
    """
    where: Where = {"as_of": dates, **_horizon_of(config.labels.horizon)}
    labelled = lakehouse.read_rows(LABELS, where, ["as_of"])
    if missing := set(dates) - set(labelled["as_of"]):
        run(lakehouse, missing, config, span)


def find_unripe_dates(lakehouse: Lakehouse, horizon: Horizon, log_end: Date) -> list[Date]:
    """The as-of dates whose labels were not known when they were built, and are now."""
    newest_known = horizon.newest_known(log_end)
    # A label that isn't known is null: the log names the few dates that have such.
    with_nulls = lakehouse.partition_values(LABELS, "as_of", null_in="label")
    dates = [one for one in with_nulls if one <= newest_known]
    where: Where = {"as_of": dates, "is_known": [False], **_horizon_of(horizon)}
    return sorted(set(lakehouse.read_rows(LABELS, where, ["as_of"])["as_of"]))


def _horizon_of(horizon: Horizon) -> Where:
    return {"horizon_days": [horizon.days], "gap_days": [horizon.gap_days]}
