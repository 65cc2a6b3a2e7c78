"""The log up to a date -> a model tested on dates and users it has not seen, beside simple ones."""

from __future__ import annotations

from dataclasses import replace
from datetime import date as Date
from pathlib import Path
from typing import Final

import mlflow
import pandas as pd

from churn_spark.config import BacktestConfig, EvaluationConfig, LearningConfig
from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_ROWS,
    BACKTEST_RUNS,
    CONTACTS,
    DATA_CHECKS,
    LABELS,
    RETENTION_LISTS,
    SESSION_DAYS,
    SNAPSHOTS,
    TRANSITIONS,
)
from churn_spark.evaluation.backtest import PRIMARY, TEST, measure
from churn_spark.evaluation.date_split import DateSplit, split_dates
from churn_spark.evaluation.intervals import Interval
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import snapshots
from churn_spark.pipeline.backtest_models import fit_and_predict
from churn_spark.pipeline.backtest_tables import (
    build_card,
    build_importance,
    choose_thresholds,
    describe_predictions,
    lengthen,
    main_figures,
    unseen_rows,
)
from churn_spark.pipeline.behaviour import with_parts
from churn_spark.pipeline.champion import refuse_lifetime
from churn_spark.pipeline.dates import LogDates, labelled_dates, read_log_dates
from churn_spark.pipeline.labels import count_gap_cancels
from churn_spark.pipeline.use_case import UseCase
from churn_spark.reports.card import ModelCard
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "backtest",
    "the model on dates and users it has not seen, beside simple ones, with intervals",
    reads=(SESSION_DAYS, TRANSITIONS),
    writes=(
        SNAPSHOTS,
        LABELS,
        BACKTEST_ROWS,
        BACKTEST_PREDICTIONS,
        BACKTEST_FIGURES,
        BACKTEST_IMPORTANCE,
        BACKTEST_RUNS,
    ),
    leaves=("MLflow",),
    reads_if_there=(DATA_CHECKS, RETENTION_LISTS, CONTACTS),
)
_LOGGED: Final = {
    "horizon_days",
    "gap_days",
    "feature_sets",
    "fingerprint",
    "engine",
    "calibration",
    "threshold",
    "n_gap_cancels",
    "is_simulated",
}
"""Fields of the model card that are parameters of the MLflow run, beside those of the trees."""


def run(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    config: EvaluationConfig,
    date: Date | None = None,
    truth: Path | None = None,
) -> str:
    """Fit on the older dates, test on the newest ones, keep everything; returns the run's id.

    Args:
        lakehouse: with the session days.
        registry: where the run is logged.
        config: of the training, and how much is tested, how often drawn anew and how explained.
        date: end of the log that is used; all of it where none is given.
        truth: folder of the simulated world that the log is of, if it is.

    Raises:
        MissingTableError: if there are no session days yet.
        OtherModelError: if the label describes the past.
        TooFewDatesError: if the log is too short for both.
        TooFewCancelsError: if there is too little to learn from.
    """
    USE_CASE.check_inputs(lakehouse)
    learning, backtest = config.learning, config.backtest
    log = read_log_dates(lakehouse, date)
    end = min(date or Date.max, log.span.end)
    plan = choose_dates(log, end, learning, backtest)
    snapshots.run_stale(lakehouse, {*plan.train, *plan.test}, learning, log)
    with USE_CASE.start(lakehouse) as facts:
        tested = fit_and_predict(lakehouse, log, plan, learning, truth)
        predictions = describe_predictions(tested)
        figures = measure(
            predictions,
            list(tested.probabilities),
            choose_thresholds(tested),
            n_replicas=backtest.n_replicas,
            seed=learning.training.seed,
        )
        importance = build_importance(tested, backtest.n_folds)
        n_in_gap = count_gap_cancels(lakehouse, [*plan.train, *plan.test], learning)
        about = {"date": str(end), "cutoff": str(plan.cutoff)}
        with registry.run("backtest", about) as run_id:
            card = build_card(tested, run_id, learning, n_in_gap, is_simulated=truth is not None)
            parameters = about | card.model_dump(mode="json", include=_LOGGED) | card.parameters
            mlflow.log_params(parameters)
            mlflow.log_metrics(main_figures(figures))
            mlflow.log_text(card.model_dump_json(indent=1), "card.json")
            mlflow.log_text(figures.to_csv(index=False), "figures.csv")
            mlflow.log_text(importance.to_csv(index=False), "importance.csv")
        unseen = with_parts(lakehouse, unseen_rows(tested), tested.bundle)
        for spec, rows in (
            (BACKTEST_PREDICTIONS, lengthen(predictions, tested, unseen, config.scoring)),
            (BACKTEST_FIGURES, figures),
            (BACKTEST_IMPORTANCE, importance),
            (BACKTEST_RUNS, _run_row(lakehouse, card, end)),
        ):
            of_run = rows.assign(run_id=run_id)[spec.column_names]
            lakehouse.replace_rows(of_run, spec, {"run_id": [run_id]})
        tested.data.release()
        facts.extend(describe_run(plan, figures))
        facts.append(
            f"excluded: {count_of(n_in_gap, 'row')} that cancel before the prediction window"
        )
        if tested.data.changed is not None:
            facts.append(tested.data.changed.describe())
    return run_id


def _run_row(lakehouse: Lakehouse, card: ModelCard, end: Date) -> pd.DataFrame:
    """The row of a run that is newer than all there are; without its id."""
    numbers = (run.number or 0 for run in lakehouse.collect_rows(BACKTEST_RUNS))
    number = 1 + max(numbers, default=0)
    return pd.DataFrame({"date": [end], "card": [card.model_dump_json()], "number": [number]})


def choose_dates(
    log: LogDates, end: Date, config: LearningConfig, backtest: BacktestConfig
) -> DateSplit:
    """The dates to learn from and to test on, of the log up to a date.

    A training would learn from no more than the newest `training.max_weeks`.

    Raises:
        OtherModelError: if the label describes the past: it has no dates.
        TooFewDatesError: if the log is too short for both.
    """
    refuse_lifetime(config)
    known = labelled_dates(log, config, end)
    split = split_dates(known, config.labels.horizon, backtest.n_test_dates)
    return replace(split, train=split.train[-config.training.max_weeks :])


def describe_run(plan: DateSplit, figures: pd.DataFrame) -> list[str]:
    """The closing line's facts."""
    is_auc = (figures["cell"] == TEST) & (figures["metric"] == "roc_auc")
    aucs = figures[is_auc & (figures["segment"] == "all")]

    def figure(model: str, versus: str = "") -> str:
        row = aucs[(aucs["model"] == model) & (aucs["versus"] == versus)]
        value, low, high = row[["value", "low", "high"]].to_numpy(dtype=float)[0]
        return str(Interval(value, low, high))

    return [
        f"trained on {count_of(len(plan.train), 'date')} up to {plan.train[-1]}, tested on "
        f"{len(plan.test)} up to {plan.test[-1]}",
        f"ROC AUC [95 % interval]: LightGBM {figure(PRIMARY)}, logistic regression "
        f"{figure('logistic_regression')}, simple rule {figure('rule')}; LightGBM minus logistic "
        f"regression {figure(PRIMARY, 'logistic_regression')}",
    ]
