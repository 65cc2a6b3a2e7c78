"""What a backtest keeps: predictions with reasons, figures, importance and the model card."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn_spark.config import LearningConfig, ScoringConfig
from churn_spark.contracts.survival import survival_columns
from churn_spark.evaluation.backtest import (
    BACKTEST_SEGMENTS,
    PRIMARY,
    TEST,
    headline_cell,
)
from churn_spark.evaluation.metrics import choose_threshold
from churn_spark.evaluation.segments import tenure_band
from churn_spark.evaluation.treated import WEIGHT, weights_in
from churn_spark.models.importance import gain_shares, measure_importance
from churn_spark.models.splits import STOPPING, TRAIN
from churn_spark.models.training import FittedBaseline, FittedTrees
from churn_spark.pipeline.backtest_models import BacktestResult
from churn_spark.pipeline.training_data import used_sets
from churn_spark.reports.card import Leaving, ModelCard
from churn_spark.scoring.scores import staying_columns


def choose_thresholds(tested: BacktestResult) -> dict[str, float]:
    """Where each model flags: the best F1 on stopping users as of the dates learnt from."""
    rows = tested.rows
    chosen = ((rows["split"] == STOPPING) & (rows["cell"] == "training")).to_numpy()
    labels, weights = rows["label"].to_numpy(dtype=float)[chosen], weights_in(rows[chosen])
    thresholds = {
        model: choose_threshold(labels, values[chosen], weights)
        for model, values in tested.probabilities.items()
    }
    fitted: dict[str, FittedTrees | FittedBaseline] = {
        PRIMARY: tested.trees,
        "logistic_regression": tested.baseline,
    }
    if tested.unweighted is not None:
        fitted["unweighted"] = tested.unweighted
    # These have learnt from the stopping users, too: theirs are of fits that hadn't.
    return thresholds | {name: one.evaluation.metrics.threshold for name, one in fitted.items()}


def describe_predictions(tested: BacktestResult) -> pd.DataFrame:
    """A row for each as-of date and user, with its segments and all probabilities.

    With `weight` where rows don't count once each.
    """
    rows, weight = tested.rows, [WEIGHT] if WEIGHT in tested.rows.columns else []
    return rows[["as_of", "user_id", "cell", "label", "os", "gender", *weight]].assign(
        level=rows["last_subscription_level"],
        tenure_band=tenure_band(rows["tenure_days"]),
        **tested.probabilities,
    )


def unseen_rows(tested: BacktestResult) -> pd.DataFrame:
    """The rows of dates that the primary model has not seen: those that it explains."""
    return tested.rows[tested.rows["cell"].isin(["future", "both"])].reset_index(drop=True)


def lengthen(
    predictions: pd.DataFrame,
    tested: BacktestResult,
    unseen: pd.DataFrame,
    config: ScoringConfig,
) -> pd.DataFrame:
    """One row for each model; of the primary one's unseen rows reasons, and how long users stay.

    Args:
        predictions: from `describe_predictions`.
        tested: the models.
        unseen: from `unseen_rows`, with the parts of what the behaviour model says.
        config: which reasons are told.
    """
    keys = ["as_of", "user_id", "cell", "label", *BACKTEST_SEGMENTS]
    long = predictions.melt(keys, list(tested.probabilities), "model", "churn_probability")
    found = pd.Series(tested.bundle.reasons(unseen, config), index=unseen.index, dtype=object)
    staying = staying_columns(unseen, tested.bundle.probabilities(unseen), tested.bundle)
    told = unseen[["as_of", "user_id"]].assign(
        model=PRIMARY,
        reasons=found.map(lambda several: [reason.sentence for reason in several]),
        reason_fields=found.map(lambda several: [reason.fields() for reason in several]),
        **{name: staying[name] for name in survival_columns()},
    )
    joined = long.merge(told, how="left", on=["as_of", "user_id", "model"])
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
    """The figures of all tested rows as `model.metric`, for MLflow."""
    is_main = (figures["cell"] == TEST) & (figures["segment"] == "all")
    chosen = figures[is_main & (figures["versus"] == "")]
    named_values = zip(chosen["model"] + "." + chosen["metric"], chosen["value"], strict=True)
    return {name: value for name, value in named_values if np.isfinite(value)}


def build_importance(tested: BacktestResult, n_folds: int) -> pd.DataFrame:
    """How much each feature moves the scores of unseen dates, and how stable that is."""
    rows, bundle = tested.rows, tested.bundle
    test = rows[rows["cell"].isin(["future", "both"])]
    parts = pd.util.hash_array(test["user_id"].to_numpy()) % n_folds
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
    tested: BacktestResult,
    run_id: str,
    config: LearningConfig,
    n_gap_cancels: int,
    *,
    is_simulated: bool,
) -> ModelCard:
    """The facts behind the run."""
    plan, rows = tested.plan, tested.rows
    calibration = tested.trees.calibration
    threshold = tested.trees.evaluation.metrics.threshold
    return ModelCard(
        run_id=run_id,
        model_version=f"backtest of {plan.cutoff}",
        headline_cell=headline_cell(
            rows["cell"].to_numpy(), rows["label"].to_numpy(dtype=float), weights_in(rows)
        ),
        train_dates=plan.train,
        calibration_dates=plan.train[1:][-1:],
        test_dates=plan.test,
        horizon_days=config.labels.horizon_days,
        gap_days=config.labels.gap_days,
        population=describe_population(config) + _who_counts(tested),
        base_rate=tested.trees.base_rate,
        n_train_users=tested.data.learnt.where("split", [TRAIN, STOPPING]).n_users,
        n_test_users=rows.loc[rows["cell"] == "both", "user_id"].nunique(),
        feature_sets=used_sets(config),
        fingerprint=tested.bundle.encoding.fingerprint,
        engine=config.lightgbm.engine,
        parameters=config.lightgbm.model_dump() | {"rounds": tested.trees.rounds.rounds},
        calibration=calibration.reason,
        threshold=min(threshold, 1.0),
        threshold_reason="best F1 on the early-stopping users; as many as expected where none of "
        "them cancels",
        n_gap_cancels=n_gap_cancels,
        is_weighted=tested.data.changed is not None,
        is_simulated=is_simulated,
        leaving=_leaving(tested),
    )


def describe_population(config: LearningConfig) -> str:
    """Who is scored as of a date, in words."""
    parts = [
        f"users with an event in the {config.snapshots.active_days} days before the date who have "
        "not cancelled before it"
    ]
    if config.snapshots.is_only_paid:
        parts.append("only who was paying then")
    if config.labels.ending is not None:
        parts.append("only whose subscription ends in the window of the label")
    return "; ".join(parts)


def _who_counts(tested: BacktestResult) -> str:
    """What was left out because of contacts; nothing where there were none."""
    changed = tested.data.changed
    return f"; {changed.describe()}, in all figures; curves show each row once" if changed else ""


def _leaving(tested: BacktestResult) -> Leaving | None:
    """What the models of how users leave have learnt; none without the model of fading."""
    fading = tested.bundle.fading
    if fading is None:
        return None
    found = fading.parameters
    return Leaving(
        slopes=dict(tested.trees.offset.slopes),
        fading_days=1.0 / (found.recovery + found.cancel_fading),
        slowing=found.slowing,
        fading_share=found.fading_at_start,
    )
