"""Gold `snapshots`, `behaviour` and `labels` -> what in them no forecast could have known.

A bounded sample of users, on the newest dates whose labels are known. Their session days and
transitions are held against their events. The features are also built anew from the log, of which
none may differ, and from one whose future was changed, of which none may differ either. Nothing is
written.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date as Date

from rich.console import Console
from rich.table import Table

from churn_spark.config import LeakageConfig, LearningConfig
from churn_spark.contracts.tables import (
    BEHAVIOUR,
    BUILT_DATES,
    DATA_CHECKS,
    EVENTS,
    FADING,
    LABELS,
    LOG_DATES,
    SESSION_DAYS,
    SNAPSHOTS,
    TRAINING_ROWS,
    TRANSITIONS,
)
from churn_spark.errors import LeakFoundError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.leakage.checks import find_leaks
from churn_spark.leakage.table import Finding
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.leak_table import collect_table
from churn_spark.pipeline.use_case import UseCase
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "check_leaks",
    "whether any feature knows what it must not, or isn't what the log gives, by rebuilding it",
    reads=(SESSION_DAYS, SNAPSHOTS, LABELS),
    reads_if_there=(
        EVENTS,
        LOG_DATES,
        TRANSITIONS,
        TRAINING_ROWS,
        BEHAVIOUR,
        FADING,
        BUILT_DATES,
        DATA_CHECKS,
    ),
    takes=("the champion",),
)


def run(
    lakehouse: Lakehouse,
    open_registry: Callable[[], ModelRegistry],
    date: Date,
    config: LearningConfig,
    leakage: LeakageConfig,
) -> None:
    """Check the newest snapshots whose labels are known by the date.

    Raises:
        MissingTableError: if there are none.
        LeakFoundError: if a check finds something; the findings have been printed.
    """
    with USE_CASE.start(lakehouse) as facts:
        log = read_log_dates(lakehouse, date)
        table = collect_table(lakehouse, open_registry, log, date, config, leakage)
        findings = find_leaks(table, leakage)
        n_dates, n = table.rows["as_of"].nunique(), len(table.features)
        facts.append(
            f"{count_of(len(findings), 'leak') if findings else 'no leaks'} found in {n} features"
        )
        facts.append(f"{count_of(len(table.rows), 'row')} of {count_of(n_dates, 'date')}")
    if findings:
        say_findings(findings)
        raise LeakFoundError(
            f"found {count_of(len(findings), 'leak')} in {SNAPSHOTS.path} (features that know the "
            "outcome): correct the features or labels named above before training a model"
        )


def say_findings(findings: list[Finding]) -> None:
    """Print the findings, one row each."""
    listed = Table("check", "feature", "value", "limit", "what is wrong")
    for finding in findings:
        value, limit = f"{finding.value:.4g}", f"{finding.limit:.4g}"
        listed.add_row(finding.check, finding.feature, value, limit, finding.sentence)
    Console(width=110).print(listed)
