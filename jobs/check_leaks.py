"""Gold `snapshots` and `labels` -> what in them no forecast could have known; exit code 30 if any.

A bounded sample of users, on the newest dates whose labels are known. The features are also
built anew from session days whose future was changed: none may differ. Nothing is written.
"""

from __future__ import annotations

from datetime import date as Date

import typer
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from churn_spark import job
from churn_spark.errors import LeakFoundError, MissingTableError
from churn_spark.features.labels import with_horizon
from churn_spark.features.snapshots import build_snapshots as build_features
from churn_spark.features.spec import SNAPSHOT_FEATURES
from churn_spark.models.leak_rows import (
    build_event_spans,
    build_leak_rows,
    build_poisoned_snapshots,
    sample_users,
)
from churn_spark.models.leakage.checks import find_leaks
from churn_spark.models.leakage.table import KEY, FeatureTable, Finding, Rebuilds
from churn_spark.schemas import LABELS, SESSION_DAYS, SNAPSHOTS

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    date: job.DateOption, env: job.EnvOption = "local", overrides: job.SetOption = None
) -> None:
    """Look for leaks in the feature table as of the date; exit code 30 if there are any."""
    with job.open_job("check_leaks", env, overrides) as context:
        run(context, date)


def run(context: job.JobContext, date: Date) -> None:
    """Check the newest snapshots whose labels are known by the date.

    Raises:
        MissingTableError: if there are none.
        LeakFoundError: if a check finds something; the findings have been printed.
    """
    with job.closing_line("check_leaks") as facts:
        table = collect_table(context, date)
        findings = find_leaks(table, context.config.leakage)
        n_dates, n = table.rows["as_of"].nunique(), len(table.features)
        facts.append(f"{len(findings) or 'no'} leaks found in {n} features")
        facts.append(f"{len(table.rows):,} rows of {n_dates} dates")
    if findings:
        say_findings(findings)
        raise LeakFoundError(
            f"found {len(findings)} leaks in {SNAPSHOTS.layer}/{SNAPSHOTS.name}, expected none: "
            "mend the features or labels named above before a model learns from them"
        )


def known_dates(context: job.JobContext, date: Date) -> list[Date]:
    """The newest dates that have labels whose window ends by the date, oldest first.

    Raises:
        MissingTableError: if there are none.
    """
    config = context.config
    newest_known = config.labels.horizon.newest_known(date)
    labels = with_horizon(context.lakehouse.read(LABELS), config.labels.horizon)
    known = labels.filter(F.col("is_known") & (F.col("as_of") <= F.lit(newest_known)))
    newest = known.select("as_of").distinct().orderBy(F.desc("as_of"))
    dates = sorted(row.as_of for row in newest.head(config.leakage.n_dates))
    if not dates:
        raise MissingTableError(
            f"found no label that is known by {date}, expected some as of {newest_known} or "
            "before: run the job build_snapshots for such a date"
        )
    return dates


def collect_table(context: job.JobContext, date: Date) -> FeatureTable:
    """Bring a sample of the users to the driver, with their features built twice.

    Raises:
        MissingTableError: if no label is known by the date.
    """
    config, lakehouse, dates = context.config, context.lakehouse, known_dates(context, date)
    horizon, active_days = config.labels.horizon, config.snapshots.active_days
    span = job.log_span(context)
    days = lakehouse.read(SESSION_DAYS)
    n_users = days.select("user_id").distinct().count()
    share = min(1.0, config.leakage.max_users / n_users)
    days = sample_users(days, share).persist()
    snapshots = lakehouse.read(SNAPSHOTS).filter(F.col("as_of").isin(dates))
    labels = with_horizon(lakehouse.read(LABELS), horizon)
    rows = build_leak_rows(sample_users(snapshots, share), labels, config.training)
    table = FeatureTable(
        rows=rows.orderBy(*KEY).toPandas(),
        features=tuple(feature.name for feature in SNAPSHOT_FEATURES),
        horizon=horizon,
        log_end=span.end,
        claim="users",
        trending=frozenset(f.name for f in SNAPSHOT_FEATURES if f.is_trending),
        rebuilds=Rebuilds(
            build_features(days, dates, active_days).toPandas(),
            build_poisoned_snapshots(days, dates, active_days).toPandas(),
        ),
        spans=build_event_spans(days, dates).toPandas(),
    )
    days.unpersist()
    return table


def say_findings(findings: list[Finding]) -> None:
    """Print the findings, one row each."""
    listed = Table("check", "feature", "value", "limit", "what is wrong")
    for finding in findings:
        value, limit = f"{finding.value:.4g}", f"{finding.limit:.4g}"
        listed.add_row(finding.check, finding.feature, value, limit, finding.sentence)
    Console(width=110).print(listed)


if __name__ == "__main__":
    job.main(app)
