"""Silver `session_days` -> gold `snapshots` as of a date, and `labels` as they mature.

A snapshot that was used for a score stays as its night has seen it, unless `snapshots.refresh` or a
`--refresh-from` says otherwise; others are brought up to date when they are learnt from or judged
on. Labels always are: each run makes those again whose window has closed or was touched since.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date as Date
from datetime import timedelta
from typing import Final

import polars as pl
from pyspark.sql import DataFrame

from churn_spark.config import LearningConfig, SnapshotsConfig
from churn_spark.contracts.tables import (
    BUILT_DATES,
    DATA_CHECKS,
    LABELS,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    USER_TOTALS,
)
from churn_spark.errors import InputError
from churn_spark.features.local.snapshots import build_snapshots as build_from_totals
from churn_spark.features.snapshots import build_snapshots
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import replace_users
from churn_spark.pipeline.built_dates import BuiltDates
from churn_spark.pipeline.console import say
from churn_spark.pipeline.dates import LogDates, read_log_dates
from churn_spark.pipeline.labels import find_unripe_dates, horizon_of, write_labels
from churn_spark.pipeline.use_case import UseCase
from churn_spark.pipeline.user_totals import are_few_days, read_history
from churn_spark.timeline import LogSpan
from churn_spark.wording import count_of, name_some

USE_CASE = UseCase(
    "build_snapshots",
    "every feature of every living user, knowing only what came before the date; labels "
    "as they become known",
    reads=(SESSION_DAYS,),
    writes=(SNAPSHOTS, LABELS, USER_TOTALS, BUILT_DATES),
    reads_if_there=(LABELS, USER_TOTALS, BUILT_DATES, DATA_CHECKS, SCORES),
)
_LATE_DAYS: Final = 28
_NAMED: Final = 4


def run(
    lakehouse: Lakehouse,
    dates: Collection[Date],
    config: LearningConfig,
    log: LogDates | None = None,
) -> None:
    """Replace the snapshots and labels of the dates, and the labels that have changed since.

    Args:
        lakehouse: with the session days.
        dates: as-of dates.
        config: how long a user counts as active, and the window of the labels.
        log: its dates; read where they aren't known yet.

    Raises:
        MissingTableError: if there are no session days yet.
        InputError: if there is no event before one of the dates.
    """
    with USE_CASE.start(lakehouse) as facts:
        log = log or read_log_dates(lakehouse, max(dates))
        span = log.span
        if min(dates) <= span.start:
            raise InputError(
                f"found no event before {min(dates)}; expected a date after the log's first day, "
                f"{span.start}, up to {span.end}: choose another --date"
            )
        built = BuiltDates.read(lakehouse, log, config)
        write_snapshots(lakehouse, dates, span, config)
        labelled = {*dates, *find_changed_labels(lakehouse, built)}
        write_labels(lakehouse, labelled, config.labels, built.known_by)
        built.write(lakehouse, dates, labelled)
        newest = lakehouse.count_rows(SNAPSHOTS, {"as_of": [max(dates)]})
        facts.append(
            f"features of {count_of(len(dates), 'date')} up to {max(dates)} "
            f"({count_of(newest, 'user')} on that date)"
        )
        facts.append(f"labels (outcomes known so far) of {count_of(len(labelled), 'date')}")


def write_snapshots(
    lakehouse: Lakehouse, dates: Collection[Date], span: LogSpan, config: LearningConfig
) -> None:
    """Replace the snapshots of the dates.

    In this process while the session days that they are made of fit in it; by Spark's windows
    over all session days beyond, or where only Spark reaches them.
    """
    if are_few_days(lakehouse, dates):
        found = build_in_process(lakehouse, dates, span, config)
        lakehouse.replace_rows(found.to_arrow(), SNAPSHOTS, {"as_of": dates})
    else:
        by_windows = build_by_spark(lakehouse, dates, span, config)
        replace_users(lakehouse, by_windows, SNAPSHOTS, {"as_of": dates})


def build_in_process(
    lakehouse: Lakehouse, dates: Collection[Date], span: LogSpan, config: LearningConfig
) -> pl.DataFrame:
    """The snapshots of the dates, where their session days fit in this process."""
    history = read_history(lakehouse, dates)
    return build_from_totals(
        history.session_days,
        history.totals,
        dates,
        span.start,
        config.snapshots.active_days,
        only_paid=config.snapshots.is_only_paid,
        ending=config.labels.ending,
    )


def build_by_spark(
    lakehouse: Lakehouse, dates: Collection[Date], span: LogSpan, config: LearningConfig
) -> DataFrame:
    """The same, by Spark's windows over all session days."""
    return build_snapshots(
        lakehouse.read(SESSION_DAYS),
        dates,
        config.snapshots.active_days,
        span.start,
        only_paid=config.snapshots.is_only_paid,
        ending=config.labels.ending,
    )


def run_stale(
    lakehouse: Lakehouse, dates: Collection[Date], config: LearningConfig, log: LogDates
) -> None:
    """Build the snapshots and labels of those of the dates that aren't of the log as it is.

    A snapshot that differs by late events alone stays where `snapshots.refresh` says so; its labels
    are mended.
    """
    if not dates:
        return
    built = BuiltDates.read(lakehouse, log, config)
    stale = built.stale(dates)
    kept = built.outdated(stale) & _never_refreshed(lakehouse, stale, config.snapshots)
    if rebuilt := stale - kept:
        run(lakehouse, rebuilt, config, log)
    elif mended := kept & built.stale_labels():
        write_labels(lakehouse, mended, config.labels, built.known_by)
        built.write(lakehouse, (), mended)


def refresh(lakehouse: Lakehouse, first: Date, config: LearningConfig) -> None:
    """Build all snapshots from a date on that aren't of the log as it is, scored or not.

    Raises:
        MissingTableError: if there are no session days yet.
    """
    USE_CASE.check_inputs(lakehouse)
    log = read_log_dates(lakehouse)
    stale = find_stale(lakehouse, first, config, log)
    if not stale:
        say(USE_CASE.name, f"nothing to refresh from {first} on: all is up to date with the log")
        return
    run(lakehouse, stale, config, log)
    if scored := sorted(stale & _scored(lakehouse)):
        say(
            USE_CASE.name,
            f"scores of {name_some([str(day) for day in scored], _NAMED)} are of the features "
            "before: `score_users` with --from and --to renews them",
        )


def find_stale(
    lakehouse: Lakehouse, first: Date, config: LearningConfig, log: LogDates
) -> set[Date]:
    """The dates from one on whose snapshot or labels aren't of the log as it is."""
    there = [day for day in lakehouse.partition_values(SNAPSHOTS, "as_of") if day >= first]
    return BuiltDates.read(lakehouse, log, config).stale(there)


def _never_refreshed(
    lakehouse: Lakehouse, dates: Collection[Date], config: SnapshotsConfig
) -> set[Date]:
    """Those of the dates whose snapshot stays as it is when events come late."""
    if config.refresh == "all":
        return set()
    return {*dates} if config.refresh == "none" else {*dates} & _scored(lakehouse)


def _scored(lakehouse: Lakehouse) -> set[Date]:
    return {*lakehouse.partition_values(SCORES, "as_of")}


def find_changed_labels(lakehouse: Lakehouse, built: BuiltDates) -> set[Date]:
    """The dates whose labels are others now than when they were written.

    Those that became known are found by themselves too: an older release has noted nothing. Where
    nothing is noted at all, events count that come up to `_LATE_DAYS` after a window's end.
    """
    changed = {*find_unripe_dates(lakehouse, built.horizon, built.known_by)}
    if lakehouse.is_native:
        return changed | built.stale_labels()
    newest = built.horizon.newest_known(built.known_by)
    labelled = lakehouse.partition_values(LABELS, "as_of")
    late = [one for one in labelled if newest - timedelta(days=_LATE_DAYS) <= one <= newest]
    where: Where = {"as_of": late, **horizon_of(built.horizon)}
    return changed | {*lakehouse.read_rows(LABELS, where, ["as_of"])["as_of"]}
