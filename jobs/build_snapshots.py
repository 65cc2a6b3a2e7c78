"""Silver `session_days` -> gold `snapshots` as of a date, and `labels` as they mature."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date as Date

import typer
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.contracts.tables import LABELS, SESSION_DAYS, SNAPSHOTS
from churn_spark.errors import InputError
from churn_spark.features.labels import build_labels, find_unripe_dates, with_horizon
from churn_spark.features.snapshots import build_snapshots

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    date: job.DateOption, env: job.EnvOption = "local", overrides: job.SetOption = None
) -> None:
    """Build the snapshot as of the date, and the labels that the log has made known."""
    with job.open_job("build_snapshots", env, overrides) as context:
        run(context, [date])


def run(context: job.JobContext, dates: Collection[Date]) -> None:
    """Replace the snapshots and labels of the dates, and the labels known since the last run.

    Raises:
        InputError: if there is no event before one of the dates.
    """
    config, lakehouse = context.config, context.lakehouse
    with job.closing_line("build_snapshots") as facts:
        session_days = lakehouse.read(SESSION_DAYS)
        span = job.log_span(context)
        if min(dates) <= span.start:
            raise InputError(
                f"found no event before {min(dates)}; expected a date after the log's first day, "
                f"{span.start}, up to {span.end}: choose another --date"
            )
        snapshots = build_snapshots(session_days, dates, config.snapshots.active_days)
        lakehouse.replace(snapshots, SNAPSHOTS, {"as_of": dates})
        horizon = config.labels.horizon
        lakehouse.create(LABELS)
        unripe = find_unripe_dates(lakehouse.read(LABELS), horizon, span.end).collect()
        labelled = {*dates, *(row.as_of for row in unripe)}
        population = lakehouse.read(SNAPSHOTS).filter(F.col("as_of").isin(*labelled))
        labels = build_labels(population, session_days, horizon, span.end)
        key = {"horizon_days": [horizon.days], "gap_days": [horizon.gap_days]}
        lakehouse.replace(labels, LABELS, {"as_of": labelled, **key})
        newest = lakehouse.read(SNAPSHOTS).filter(F.col("as_of") == max(dates)).count()
        facts.append(f"{len(dates)} dates up to {max(dates)}: {newest:,} users on it")
        facts.append(f"{len(labelled)} dates labelled")


def run_missing(context: job.JobContext, dates: Collection[Date]) -> None:
    """Build the snapshots and labels of those of the dates that have none yet.

    Labels are written last: a date that has them has its snapshot, however the job has ended.
    """
    if not dates:
        return
    labels = with_horizon(context.lakehouse.read(LABELS), context.config.labels.horizon)
    labelled = labels.filter(F.col("as_of").isin(*dates)).select("as_of").distinct()
    if missing := set(dates) - {row.as_of for row in labelled.collect()}:
        run(context, missing)


if __name__ == "__main__":
    job.main(app)
