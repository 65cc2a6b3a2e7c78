"""A test on dates and users that no model has seen: the ladder fitted, told and described."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.contracts.tables import BACKTEST_ROWS, LABELS, SNAPSHOTS, TRANSITIONS
from churn_spark.errors import InputError
from churn_spark.evaluation.backtest import (
    PRIMARY,
    SEGMENTS,
    TEST,
    cell_of,
    headline_cell,
    tenure_band,
)
from churn_spark.evaluation.metrics import best_f1_threshold
from churn_spark.features.labels import with_horizon
from churn_spark.models.baselines import PageHazard, Rule
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.date_split import DateSplit, split_dates
from churn_spark.models.estimators import collect_bounded, logistic_probabilities
from churn_spark.models.importance import gain_shares, measure_importance
from churn_spark.models.splits import STOPPING, VALIDATION, held_out_users
from churn_spark.models.training import FittedBaseline, FittedTrees
from churn_spark.reports.card import ModelCard
from churn_spark.simulate.probabilities import build_probabilities
from churn_spark.steps import training
from churn_spark.steps.weeks import known_dates
from churn_spark.timeline import Horizon

MAX_ROWS = 200_000


@dataclass(frozen=True)
class Tested:
    """A fitted model and what it says of dates and users it has not seen.

    Attributes:
        plan: the dates.
        prepared: the rows in Spark, and what made them.
        trees: the primary model and how it came about.
        baseline: the logistic regression.
        bundle: the primary model with all that belongs to it.
        rows: as_of, user_id, label, split, cell and all features, bounded by `MAX_ROWS`.
        probabilities: model -> what it says of `rows`, in the ladder's order.
    """

    plan: DateSplit
    prepared: training.Prepared
    trees: FittedTrees
    baseline: FittedBaseline
    bundle: ModelBundle
    rows: pd.DataFrame
    probabilities: dict[str, NDArray[np.float64]]


def choose_dates(context: job.JobContext, end: Date) -> DateSplit:
    """The dates to learn from and to test on, of the log up to a date.

    Raises:
        TooFewDatesError: if the log is too short for both.
    """
    config, known = context.config, known_dates(context, end)
    return split_dates(known, config.labels.horizon, config.backtest.n_test_dates)


def fit_and_predict(context: job.JobContext, plan: DateSplit, truth: Path | None) -> Tested:
    """Fit all models on the older dates and let them predict all rows.

    Raises:
        TooFewCancelsError: if there is too little to learn from.
    """
    prepared = training.prepare(
        context, plan.cutoff, *label_dates(context, plan), BACKTEST_ROWS, plan.learnt
    )
    trees, baseline = training.fit(context, prepared)
    bundle = training.build_bundle(context, prepared, trees)
    rows = collect_bounded(prepared.described, MAX_ROWS)
    is_held_out = (rows["split"] == VALIDATION).to_numpy()
    rows["cell"] = cell_of(is_held_out, rows["as_of"].isin(plan.judged).to_numpy())
    probabilities = predict(context, plan, prepared, rows, bundle, baseline, truth)
    return Tested(plan, prepared, trees, baseline, bundle, rows, probabilities)


def label_dates(context: job.JobContext, plan: DateSplit) -> tuple[DataFrame, DataFrame]:
    """Snapshots and labels of all dates of the plan."""
    is_chosen = F.col("as_of").isin(*plan.learnt, *plan.judged)
    labels = with_horizon(context.lakehouse.read(LABELS), context.config.labels.horizon)
    return context.lakehouse.read(SNAPSHOTS).filter(is_chosen), labels.filter(is_chosen)


def predict(
    context: job.JobContext,
    plan: DateSplit,
    prepared: training.Prepared,
    rows: pd.DataFrame,
    bundle: ModelBundle,
    baseline: FittedBaseline,
    truth: Path | None,
) -> dict[str, NDArray[np.float64]]:
    """Probabilities of every model of the ladder, in its order, for the collected rows."""
    config = context.config
    learnt = rows[rows["as_of"].isin(plan.learnt) & (rows["split"] != VALIDATION)]
    known = context.lakehouse.read(TRANSITIONS).filter(
        (F.col("event_date") < F.lit(plan.cutoff))
        & ~held_out_users(F.col("user_id"), config.training)
    )
    hazard = PageHazard.fit(known, learnt, config.labels.horizon_days)
    scored = logistic_probabilities(baseline.spark_model, prepared.encoded, baseline.encoding)
    by_key = scored.select("as_of", "user_id", "churn_probability").toPandas()
    logistic = rows[["as_of", "user_id"]].merge(by_key, how="left", on=["as_of", "user_id"])
    found = {
        "base_rate": np.full(len(rows), learnt["label"].mean()),
        "rule": Rule.fit(learnt).probabilities(rows),
        "logistic_regression": logistic["churn_probability"].to_numpy(),
        "hazard": hazard.probabilities(rows),
    }
    if bundle.behaviour is not None:
        found["behaviour"] = rows["behaviour_probability"].to_numpy()
    found[PRIMARY] = bundle.probabilities(rows)
    if truth is not None:
        found["oracle"] = true_probabilities(rows, truth, config.labels.horizon)
    return found


def true_probabilities(rows: pd.DataFrame, world: Path, horizon: Horizon) -> NDArray[np.float64]:
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
    found = rows[["as_of", "user_id"]].merge(truth[columns], how="left", on=["as_of", "user_id"])
    if found["cancel_probability"].isna().any():
        raise InputError(
            f"found users of the log that the world in {world} doesn't have, expected the world "
            "that the log was simulated in: correct --truth"
        )
    return found["cancel_probability"].to_numpy()


def choose_thresholds(tested: Tested) -> dict[str, float]:
    """Where each model flags: the best F1 on stopping users as of the dates learnt from."""
    rows = tested.rows
    chosen = ((rows["split"] == STOPPING) & (rows["cell"] == "training")).to_numpy()
    labels = rows["label"].to_numpy(dtype=float)[chosen]
    thresholds = {
        model: best_f1_threshold(labels, values[chosen])
        for model, values in tested.probabilities.items()
    }
    return thresholds | {
        PRIMARY: tested.trees.judged.metrics.threshold,
        "logistic_regression": tested.baseline.judged.metrics.threshold,
    }


def describe_predictions(tested: Tested) -> pd.DataFrame:
    """A row for each as-of date and user, with its segments and all probabilities."""
    rows = tested.rows
    return rows[["as_of", "user_id", "cell", "label", "os", "gender"]].assign(
        level=rows["last_subscription_level"],
        tenure_band=tenure_band(rows["tenure_days"]),
        **tested.probabilities,
    )


def lengthen(predictions: pd.DataFrame, tested: Tested, n_reasons: int) -> pd.DataFrame:
    """One row for each model; reasons for the primary one's unseen rows."""
    keys = ["as_of", "user_id", "cell", "label", *SEGMENTS]
    long = predictions.melt(keys, list(tested.probabilities), "model", "churn_probability")
    unseen = tested.rows[tested.rows["cell"].isin(["future", "both"])]
    found = pd.Series(tested.bundle.reasons(unseen, n_reasons), index=unseen.index, dtype=object)
    reasons = unseen[["as_of", "user_id"]].assign(
        model=PRIMARY,
        reasons=found.map(lambda several: [reason.sentence for reason in several]),
        reason_fields=found.map(lambda several: [reason.fields() for reason in several]),
    )
    joined = long.merge(reasons, how="left", on=["as_of", "user_id", "model"])
    # A row without reasons has NaN there, which is no list.
    return joined.assign(
        **{
            name: pd.Series(
                [one if isinstance(one, list) else None for one in joined[name]],
                index=joined.index,
                dtype=object,
            )
            for name in ("reasons", "reason_fields")
        }
    )


def main_figures(figures: pd.DataFrame) -> dict[str, float]:
    """The headline figures as `model.metric`, for MLflow."""
    chosen = figures[(figures["cell"] == TEST) & (figures["versus"] == "")]
    named_values = zip(chosen["model"] + "." + chosen["metric"], chosen["value"], strict=True)
    return {name: value for name, value in named_values if np.isfinite(value)}


def build_importance(context: job.JobContext, tested: Tested) -> pd.DataFrame:
    """How much each feature moves the scores of unseen dates, and how stable that is."""
    rows, bundle = tested.rows, tested.bundle
    test = rows[rows["cell"].isin(["future", "both"])]
    parts = pd.util.hash_array(test["user_id"].to_numpy()) % context.config.backtest.n_folds
    folds = [bundle.contributions(test[parts == part]).values for part in sorted(set(parts))]
    found = measure_importance(folds, bundle.encoding.features, gain_shares(bundle.booster))
    declared = {feature.name: feature for feature in bundle.features}
    return pd.DataFrame(
        {
            "feature": one.feature,
            "meaning": declared[one.feature].meaning,
            "unit": declared[one.feature].unit,
            "mean_abs_shap": one.mean_abs_shap,
            "share": one.share,
            "rank_low": one.best_rank,
            "rank_high": one.worst_rank,
            "gain": one.gain,
        }
        for one in found
    )


def build_card(
    context: job.JobContext, tested: Tested, run_id: str, *, is_simulated: bool
) -> ModelCard:
    """The facts behind the run."""
    config, plan, rows = context.config, tested.plan, tested.rows
    calibration = tested.trees.calibration
    threshold = tested.trees.judged.metrics.threshold
    return ModelCard(
        run_id=run_id,
        model_version=f"backtest of {plan.cutoff}",
        headline_cell=headline_cell(rows["cell"].to_numpy(), rows["label"].to_numpy(dtype=float)),
        train_dates=plan.learnt,
        calibration_dates=plan.learnt[1:][-1:],
        test_dates=plan.judged,
        horizon_days=config.labels.horizon_days,
        gap_days=config.labels.gap_days,
        population=f"users with an event in the {config.snapshots.active_days} days before the "
        "date who have not cancelled before it",
        base_rate=tested.trees.base_rate,
        n_train_users=rows.loc[rows["cell"] == "training", "user_id"].nunique(),
        n_test_users=rows.loc[rows["cell"] == "both", "user_id"].nunique(),
        feature_sets=training.used_sets(context),
        fingerprint=tested.bundle.encoding.fingerprint,
        engine=config.lightgbm.engine,
        parameters=config.lightgbm.model_dump() | {"rounds": tested.trees.rounds.rounds},
        calibration=f"{calibration.calibration.kind}: {calibration.reason}",
        threshold=min(threshold, 1.0),
        threshold_reason="best F1 on users who decide the number of trees",
        is_simulated=is_simulated,
    )
