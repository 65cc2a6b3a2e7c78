"""Tables -> `reports/evaluation.html` and `reports/monitoring.html`, pages that need no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date as Date

from churn_spark.config import CostsConfig, PolicyConfig
from churn_spark.contracts.tables import (
    ALERTS,
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_RUNS,
    CONTACTS,
    DATA_CHECKS,
    DECISIONS,
    DRIFT,
    DRIFT_CELLS,
    PERFORMANCE,
    RETENTION_LISTS,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
)
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline.console import say
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.use_case import UseCase
from churn_spark.reports.evaluation import render_evaluation
from churn_spark.reports.night.page import render_night
from churn_spark.reports.night.scored import read_scored
from churn_spark.reports.night.store import newest_night, read_night
from churn_spark.reports.store import has_backtest, read_evaluation
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "build_report",
    "what the model finds, how sure, where it is wrong and what that costs; what the "
    "night decided and why",
    reads_if_there=(
        SESSION_DAYS,
        SNAPSHOTS,
        DATA_CHECKS,
        DRIFT_CELLS,
        DRIFT,
        PERFORMANCE,
        DECISIONS,
        ALERTS,
        SCORES,
        RETENTION_LISTS,
        CONTACTS,
        BACKTEST_RUNS,
        BACKTEST_PREDICTIONS,
        BACKTEST_FIGURES,
        BACKTEST_IMPORTANCE,
    ),
    leaves=(
        "`reports/evaluation.html`",
        "`reports/monitoring.html`",
    ),
)


def run(
    lakehouse: Lakehouse, registry: ModelRegistry, costs: CostsConfig, policy: PolicyConfig
) -> list[str]:
    """Write each page that there are tables for; returns their paths.

    Raises:
        MissingTableError: if there are none for either.
    """
    written = []
    night = newest_night(lakehouse)
    if has_backtest(lakehouse):
        written.append(write_evaluation(lakehouse, costs))
    if night is not None:
        written.append(write_monitoring(lakehouse, registry, policy, costs, night))
    if not written:
        raise MissingTableError(
            f"found neither a backtest nor a night in {lakehouse.root}, expected one to report "
            "on: run `backtest` or `nightly`, then this again"
        )
    for name, is_missing, step in (
        ("evaluation", not has_backtest(lakehouse), "backtest"),
        ("monitoring", night is None, "nightly"),
    ):
        if is_missing:
            say("build_report", f"no {name} page: {step} has not run here")
    return written


def write_evaluation(lakehouse: Lakehouse, costs: CostsConfig) -> str:
    """Write the evaluation of the newest backtest; returns its path.

    Raises:
        MissingTableError: before the first backtest.
        InputError: if the backtest's model card doesn't fit.
    """
    with USE_CASE.start(lakehouse) as facts:
        data = read_evaluation(lakehouse, costs)
        page = render_evaluation(data)
        path = lakehouse.write_report(page, "evaluation.html")
        facts.append(f"run {data.card.run_id}, {len(data.primary_rows):,} rows")
        facts.append(f"{len(page.encode()) / 1e6:.1f} MB")
        facts.append(path)
    return path


def write_monitoring(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    policy: PolicyConfig,
    costs: CostsConfig,
    date: Date,
) -> str:
    """Write the page of a night, as if it were the newest; returns its path.

    Raises:
        MissingTableError: if the night was neither checked, counted nor decided.
    """
    with USE_CASE.start(lakehouse) as facts:
        data = read_night(
            lakehouse, registry, policy, date, lambda day: read_log_dates(lakehouse).history(day)
        )
        bundle = None if data.champion is None else registry.load(data.champion)
        data = replace(data, scored=read_scored(lakehouse, date, costs, bundle))
        page = render_night(data)
        path = lakehouse.write_report(page, "monitoring.html")
        facts.append(
            f"page of {date}, drift measured in "
            f"{count_of(data.history['run_date'].nunique(), 'run')} so far"
        )
        facts.append(f"{len(page.encode()) / 1e6:.1f} MB")
        facts.append(path)
    return path
