"""The use cases called with a context, as the jobs call them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

from churn_spark.events.summary import IngestSummary
from churn_spark.pipeline import (
    backtest,
    check_data,
    check_leaks,
    decide,
    evaluate,
    ingest,
    monitor,
    night,
    replay,
    report,
    retention_list,
    score,
    session_days,
    snapshots,
    train,
    transitions,
)
from churn_spark.pipeline.context import JobContext
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.decide import Outcome
from churn_spark.pipeline.gather import Night, read_night


def ingest_events(context: JobContext, location: str) -> IngestSummary:
    """Load the new files at a folder, file or glob."""
    config = context.config
    return ingest.run(context.lakehouse, config.ingest, location, privacy=config.privacy)


def build_session_days(context: JobContext) -> None:
    """Rebuild the session days that changed."""
    session_days.run(context.lakehouse, context.config.ingest)


def build_transitions(context: JobContext) -> None:
    """Rebuild the transitions that changed."""
    transitions.run(context.lakehouse, context.config.ingest)


def build_snapshots(context: JobContext, dates: Collection[date]) -> None:
    """Build snapshots and labels of some dates, when all of the log has come in."""
    log = read_log_dates(context.lakehouse)
    snapshots.run(context.lakehouse, dates, context.config.learning, log)


def run_check_data(context: JobContext, day: date) -> None:
    """Check the data of a date."""
    check_data.run(context.lakehouse, context.registry, day, context.config.checks)


def train_model(context: JobContext, day: date) -> str:
    """Train as of a date; returns the model's version."""
    return train.run(context.lakehouse, context.registry, day, context.config.learning)


def score_users(context: JobContext, day: date) -> None:
    """Score the users of a date."""
    config = context.config
    score.run(
        context.lakehouse,
        context.registry,
        day,
        config.learning,
        config.scoring,
        config.retention_list,
    )


def build_retention_list(context: JobContext, day: date, csv: Path | None = None) -> None:
    """Build the list of a date."""
    config = context.config
    retention_list.run(
        context.lakehouse,
        context.registry,
        day,
        config.retention_list,
        config.scoring,
        config.uplift,
        csv,
    )


def monitor_model(context: JobContext, day: date) -> None:
    """Measure drift and performance of a date."""
    monitor.run(context.lakehouse, context.registry, day, context.config.night)


def retrain_if_needed(context: JobContext, day: date) -> Outcome:
    """Decide a date."""
    return decide.run(context.lakehouse, context.registry, day, context.config.night)


def nightly(context: JobContext, day: date | None, location: str) -> Outcome:
    """Do all steps for a date."""
    config = context.config.night
    return night.run(context.lakehouse, lambda: context.registry, config, day, location)


def run_backtest(context: JobContext, day: date | None = None, truth: Path | None = None) -> str:
    """Test the model on the log up to a date; returns the run's id."""
    return backtest.run(context.lakehouse, context.registry, context.config.evaluation, day, truth)


def evaluate_model(context: JobContext) -> str | None:
    """Test the model and write the page, where the log allows it; returns its path."""
    return evaluate.run(context.lakehouse, context.registry, context.config.evaluation)


def run_check_leaks(context: JobContext, day: date) -> None:
    """Look for leaks as of a date."""
    config = context.config
    check_leaks.run(
        context.lakehouse, lambda: context.registry, day, config.learning, config.leakage
    )


def run_replay(context: JobContext) -> None:
    """Decide the stored nights again."""
    replay.run(context.lakehouse, context.config.policy)


def build_report(context: JobContext) -> list[str]:
    """Write the pages; returns their paths."""
    config = context.config
    return report.run(context.lakehouse, context.registry, config.costs, config.policy)


def night_of(context: JobContext, day: date) -> Night:
    """What is known of a night before it is decided."""
    return read_night(context.lakehouse, context.registry, day)
