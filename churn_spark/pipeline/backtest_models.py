"""Dates and users that no model has seen: all models fitted on the older ones, predicting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import functions as F

from churn_spark.config import LearningConfig
from churn_spark.contracts.tables import BACKTEST_ROWS, TRANSITIONS
from churn_spark.errors import InputError
from churn_spark.evaluation.backtest import LADDER, PRIMARY, cell_of
from churn_spark.evaluation.date_split import DateSplit
from churn_spark.evaluation.treated import weights_in
from churn_spark.events.user_ids import UserIds
from churn_spark.lakehouse.frames import sample_rows
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.baselines import PageHazard, Rule, SilenceRule
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.splits import VALIDATION, held_out_users
from churn_spark.models.training import FittedBaseline, FittedTrees
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.fit import build_bundle, fit, fit_unweighted
from churn_spark.pipeline.training_data import TrainingData, label_dates, prepare
from churn_spark.simulate.probabilities import build_probabilities
from churn_spark.stores.user_ids import read_user_ids
from churn_spark.timeline import Horizon

MAX_ROWS = 200_000


@dataclass(frozen=True)
class BacktestResult:
    """A fitted model and what it says of dates and users it has not seen.

    Attributes:
        plan: the dates.
        data: the rows, and what made them.
        trees: the primary model and how it came about.
        baseline: the logistic regression.
        unweighted: the primary model with each row counting once; none where it is so already.
        bundle: the primary model with all that belongs to it.
        rows: as_of, user_id, label, split, cell and all features, at most `MAX_ROWS` of the
            dates to test on and as many of the others; with `weight` where contacts may have
            changed outcomes, and without those that count 0.
        probabilities: model -> what it says of `rows`, in the ladder's order.
    """

    plan: DateSplit
    data: TrainingData
    trees: FittedTrees
    baseline: FittedBaseline
    unweighted: FittedTrees | None
    bundle: ModelBundle
    rows: pd.DataFrame
    probabilities: dict[str, NDArray[np.float64]]


def fit_and_predict(
    lakehouse: Lakehouse,
    log: LogDates,
    plan: DateSplit,
    config: LearningConfig,
    truth: Path | None,
) -> BacktestResult:
    """Fit all models on the older dates and let them predict all rows.

    Raises:
        TooFewCancelsError: if there is too little to learn from.
    """
    labelled = label_dates(lakehouse, [*plan.train, *plan.test], config)
    data = prepare(lakehouse, log, plan.cutoff, labelled, BACKTEST_ROWS, config, plan.train)
    trees, baseline = fit(data, config)
    bundle = build_bundle(data, trees, config)
    described = take_rows(data, plan)
    is_held_out = (described["split"] == VALIDATION).to_numpy()
    is_later = described["as_of"].isin(plan.test).to_numpy()
    rows = described.assign(cell=cell_of(is_held_out, is_later))
    found = predict_simply(lakehouse, plan, rows, config)
    encoded = pd.DataFrame(data.encoding.encode(rows), columns=list(data.encoding.features))
    found["logistic_regression"] = baseline.model.probabilities(encoded)
    if bundle.behaviour is not None:
        found["behaviour"] = rows["behaviour_probability"].to_numpy()
    if bundle.fading is not None:
        found["fading"] = rows["fading_probability"].to_numpy()
    unweighted = fit_unweighted(data, config)
    if unweighted is not None:
        found["unweighted"] = unweighted.probabilities(encoded, data.encoding)
    found[PRIMARY] = bundle.probabilities(rows)
    if truth is not None:
        users = read_user_ids(lakehouse)
        found["oracle"] = true_probabilities(rows, truth, config.labels.horizon, users)
    probabilities = {name: found[name] for name in LADDER if name in found}
    return BacktestResult(plan, data, trees, baseline, unweighted, bundle, rows, probabilities)


def take_rows(data: TrainingData, plan: DateSplit) -> pd.DataFrame:
    """Rows to predict: dates to test on don't give way to the many that are learnt from."""
    counting = data.described.counting
    parts = [counting.where("as_of", dates).take(MAX_ROWS) for dates in (plan.train, plan.test)]
    return sample_rows(pd.concat(parts, ignore_index=True), 2 * MAX_ROWS)


def predict_simply(
    lakehouse: Lakehouse, plan: DateSplit, rows: pd.DataFrame, config: LearningConfig
) -> dict[str, NDArray[np.float64]]:
    """Probabilities of the models that hardly learn, for the collected rows."""
    learnt = rows[rows["as_of"].isin(plan.train) & (rows["split"] != VALIDATION)]
    is_silence = config.labels.churn == "inactivity"
    rule = SilenceRule.fit(learnt) if is_silence else Rule.fit(learnt)
    found = {
        "base_rate": np.full(len(rows), np.average(learnt["label"], weights=weights_in(learnt))),
        "rule": rule.probabilities(rows),
    }
    if config.labels.churn == "cancel":
        known = lakehouse.read(TRANSITIONS).filter(
            (F.col("event_date") < F.lit(plan.cutoff))
            & ~held_out_users(F.col("user_id"), config.training)
        )
        hazard = PageHazard.fit(known, learnt, config.labels.horizon_days)
        found["hazard"] = hazard.probabilities(rows)
    return found


def true_probabilities(
    rows: pd.DataFrame, world: Path, horizon: Horizon, users: UserIds
) -> NDArray[np.float64]:
    """The true chance to cancel of every row of a simulated log.

    Raises:
        InputError: if the folder holds no world, or another one than the log's.
    """
    truth = pd.concat(
        build_probabilities(world, day, horizon.days, horizon.gap_days)
        .to_pandas()
        .assign(as_of=day)
        for day in sorted(set(rows["as_of"]))
    )
    columns = ["as_of", "user_id", "cancel_probability"]
    truth["user_id"] = truth["user_id"].map(users.stored)
    found = rows[["as_of", "user_id"]].merge(truth[columns], how="left", on=["as_of", "user_id"])
    if found["cancel_probability"].isna().any():
        raise InputError(
            f"found users of the log that the world in {world} doesn't have, expected the world "
            "that the log was simulated in: correct --truth"
        )
    return found["cancel_probability"].to_numpy()
