"""What is known on a night, from the tables: what the policy decides by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date as Date
from datetime import timedelta

import pandas as pd
from pyspark.sql import Row
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.contracts.features.segments import ALL, SEGMENTS
from churn_spark.contracts.tables import DATA_CHECKS, DRIFT, PERFORMANCE, SNAPSHOTS
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.drift.comparisons import TRAINING
from churn_spark.monitoring.frames.drift import drift_facts
from churn_spark.monitoring.performance.labelled import LABELS, metric_changes
from churn_spark.monitoring.performance.performance import compare_aucs, compare_challenger
from churn_spark.monitoring.policy.evidence import (
    ChallengerComparison,
    Evidence,
    ProbationComparison,
)
from churn_spark.monitoring.policy.policy_state import PolicyState
from churn_spark.steps.labelled import read_labelled
from churn_spark.steps.weeks import sound_dates, training_dates, unseen_dates


def read_checks(context: job.JobContext, date: Date) -> tuple[CheckResult, ...]:
    """The night's data checks, as `check_data` has left them."""
    rows = job.read_of_run(context.lakehouse, DATA_CHECKS, date).orderBy("name").collect()
    return tuple(
        CheckResult(row.name, row.found, row.expected, row.passed, row.sentence) for row in rows
    )


def read_drift(context: job.JobContext, date: Date) -> list[Row]:
    """The night's drift rows of all users against the training rows, one a feature.

    Raises:
        MissingTableError: if there are none; `monitor_model` writes them.
    """
    rows = job.read_of_run(context.lakehouse, DRIFT, date)
    return rows.filter((F.col("comparison") == TRAINING) & (F.col("slice") == ALL)).collect()


def gather_evidence(
    context: job.JobContext, date: Date, state: PolicyState, checks: Sequence[CheckResult]
) -> Evidence:
    """All that is known on the night; the snapshots of the dates on probation are there."""
    lakehouse = context.lakehouse
    failed = tuple(sorted(check.name for check in checks if not check.passed))
    n_rows = job.read_as_of(lakehouse, SNAPSHOTS, date).count()
    if failed:
        return Evidence(n_rows, failed)
    drift = [row for row in read_drift(context, date) if row.model_version == state.champion]
    features, prediction = drift_facts(drift)
    judged = lakehouse.read(PERFORMANCE).filter(
        (F.col("run_date") <= F.lit(date)) & (F.col("model_version") == state.champion)
    )
    labelled = judged.filter((F.col("basis") == LABELS) & (F.col("slice") == ALL)).collect()
    newest = max(sound_dates(context, {row.window_start for row in labelled}), default=None)
    performance = metric_changes(row for row in labelled if row.window_start == newest)
    probation = compare_on_probation(context, date, state)
    return Evidence(n_rows, failed, features, prediction, performance, None, probation)


def probation_dates(context: job.JobContext, date: Date, state: PolicyState) -> list[Date]:
    """As-of dates whose labels are known since the promotion; none outside probation."""
    if state.previous is None or state.probation_end is None or date >= state.probation_end:
        return []
    promoted = state.probation_end - timedelta(days=context.config.policy.probation_days)
    return unseen_dates(context, date, promoted)


def compare_on_probation(
    context: job.JobContext, date: Date, state: PolicyState
) -> ProbationComparison | None:
    """The new champion and the one before, on all rows labelled since; none outside probation."""
    dates = probation_dates(context, date, state)
    if state.previous is None or not dates:
        return None
    rows = _read_pair(context, state.champion, state.previous, dates, held_out=False)
    auc = compare_aucs(
        rows["label"].to_numpy(dtype=float),
        rows["new"].to_numpy(),
        rows["old"].to_numpy(),
        rows["user_id"].to_numpy(),
    )
    # With fewer than two cancels nothing can be told.
    if math.isnan(auc.high):
        return None
    return ProbationComparison(state.champion, state.previous, auc.value, auc.high)


def compare_with_champion(
    context: job.JobContext, date: Date, version: str, champion: str
) -> ChallengerComparison:
    """Challenger and champion on the newest labelled weeks, on users that neither has seen."""
    weeks = training_dates(context, date)[-context.config.policy.comparison_weeks :]
    rows = _read_pair(context, version, champion, weeks, held_out=True)
    return compare_challenger(
        (version, champion),
        rows["label"].to_numpy(dtype=float),
        rows["new"].to_numpy(),
        rows["old"].to_numpy(),
        rows["user_id"].to_numpy(),
        {segment: rows[segment].to_numpy(dtype=str) for segment in SEGMENTS},
    )


def _read_pair(
    context: job.JobContext, new: str, old: str, dates: Sequence[Date], *, held_out: bool
) -> pd.DataFrame:
    registry = ModelRegistry(context.config.registry, context.config.lakehouse)
    bundles = {"new": registry.load(new), "old": registry.load(old)}
    return read_labelled(context, bundles, dates, held_out=held_out)
