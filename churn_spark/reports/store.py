"""The tables of the newest backtest -> what the evaluation report is made from."""

from __future__ import annotations

from datetime import date

import pandas as pd

from churn_spark.config import CostsConfig
from churn_spark.contracts.survival import CAP_DAYS, SURVIVAL_DAYS, survival_columns
from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_RUNS,
    SNAPSHOTS,
    TableSpec,
)
from churn_spark.errors import MissingTableError
from churn_spark.evaluation.examples import choose_examples
from churn_spark.evaluation.kaplan_meier import GroupCurve, observe_parts
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_known
from churn_spark.reports.card import ModelCard
from churn_spark.reports.data import EvaluationData, by_numbers, select_primary
from churn_spark.reports.timelines import read_timelines
from churn_spark.stores.backtests import newest_backtest
from churn_spark.stores.cancels import days_to_cancel, read_cancels
from churn_spark.stores.contacts import are_contacted

PRIMARY = "lightgbm"


def read_evaluation(lakehouse: Lakehouse, costs: CostsConfig) -> EvaluationData:
    """Everything about the backtest that was made last.

    What is collected is bounded by what a backtest keeps: at most 200,000 rows a model.

    Raises:
        MissingTableError: if there is no backtest yet, or it has no rows of the primary model.
        InputError: if its model card doesn't fit.
    """
    card, end = _newest_run(lakehouse)

    def rows_of(spec: TableSpec) -> pd.DataFrame:
        return lakehouse.read_rows(spec, {"run_id": [card.run_id]}).drop(columns="run_id")

    predictions = rows_of(BACKTEST_PREDICTIONS)
    primary = select_primary(predictions, card.headline_cell, PRIMARY)
    if primary.empty:
        raise MissingTableError(
            f"found no predictions of {PRIMARY} for {card.headline_cell!r} in run {card.run_id}, "
            "expected some in ml/backtest_predictions: run `backtest` again"
        )
    chosen = choose_examples(primary, card.threshold)[["as_of", "user_id"]]
    return EvaluationData(
        card=card,
        predictions=predictions,
        figures=rows_of(BACKTEST_FIGURES),
        importance=rows_of(BACKTEST_IMPORTANCE),
        features=read_known(lakehouse, SNAPSHOTS, primary, SNAPSHOTS.column_names),
        timelines=read_timelines(lakehouse, chosen),
        costs=costs,
        primary=PRIMARY,
        staying=read_staying(lakehouse, primary, card.gap_days, end),
        are_contacted=are_contacted(lakehouse, min(card.test_dates), end),
    )


def has_backtest(lakehouse: Lakehouse) -> bool:
    """Whether a backtest has been kept."""
    return lakehouse.count_rows(BACKTEST_RUNS) > 0


def read_staying(
    lakehouse: Lakehouse, rows: pd.DataFrame, gap_days: int, end: date
) -> tuple[GroupCurve, ...]:
    """Each user as of the first date, watched up to the end of the log that the backtest used.

    Nothing where that is less than the first of the days that are told.
    """
    first = rows.drop_duplicates("user_id").dropna(subset=[*survival_columns()])
    known = (pd.Timestamp(end) - pd.to_datetime(first["as_of"])).dt.days - gap_days
    if not (known >= SURVIVAL_DAYS[0]).any():
        return ()
    watched = first.assign(
        cancelled=days_to_cancel(first, read_cancels(lakehouse), gap_days),
        watched=known.clip(upper=CAP_DAYS).astype(float),
    )
    parts = [("all", watched)]
    for segment in ("level", "tenure_band"):
        for value in sorted(watched[segment].dropna().unique(), key=by_numbers):
            parts.append((f"{segment}={value}", watched[watched[segment] == value]))
    return tuple(observe_parts(parts))


def _newest_run(lakehouse: Lakehouse) -> tuple[ModelCard, date]:
    newest = newest_backtest(lakehouse.collect_rows(BACKTEST_RUNS))
    if newest is None:
        raise MissingTableError(
            f"found no backtest in {lakehouse.root}, expected one to report on: run `backtest`, "
            "then this again"
        )
    return ModelCard.from_json(newest.card), newest.date
