"""A training step by step: its dates, its rows, both families fitted to them, the model kept."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date as Date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.config import LightGBMConfig
from churn_spark.contracts.features.spec import FEATURES, fingerprint, model_features
from churn_spark.contracts.tables import (
    EVENTS,
    LABELS,
    SESSION_DAYS,
    SNAPSHOTS,
    TRAINING_ROWS,
    TRANSITIONS,
    VALIDATION_SCORES,
    TableSpec,
)
from churn_spark.evaluation.evaluation import Evaluation
from churn_spark.features.labels import build_lifetime_labels, with_horizon
from churn_spark.features.snapshots import build_lifetime_snapshots
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.behaviour.fitting import build_registrations, fit_behaviour
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.encoding import Encoding
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.run_log import log_family
from churn_spark.models.splits import VALIDATION, held_out_users
from churn_spark.models.training import (
    FittedBaseline,
    FittedTrees,
    build_baseline_rows,
    build_validation_scores,
    train_logistic_regression,
    train_trees,
)
from churn_spark.models.training_rows import (
    check_enough_cancels,
    count_by_split,
    encode_rows,
    fit_encoding,
    join_behaviour,
    join_labels,
)
from churn_spark.steps.weeks import training_dates

_INPUTS = (EVENTS, SESSION_DAYS, TRANSITIONS, SNAPSHOTS, LABELS, TRAINING_ROWS)


@dataclass(frozen=True)
class Prepared:
    """Encoded rows in a table, and what made them.

    Attributes:
        rows: to learn from, encoded, as read back from the table.
        encoded: all of the table, rows to be judged on included.
        described: all rows, as people know them, with `label` and `split`.
        encoding: of their features, fitted on rows to learn from.
        behaviour: model of the features of the set `behaviour`; none where it isn't used.
        n_rows: split -> rows.
        n_positive: split -> cancellations.
    """

    rows: DataFrame
    encoded: DataFrame
    described: DataFrame
    encoding: Encoding
    behaviour: BehaviourModel | None
    n_rows: dict[str, int]
    n_positive: dict[str, int]


def label_snapshots(context: job.JobContext, date: Date) -> tuple[DataFrame, DataFrame]:
    """The snapshots a training on the date learns from, and their labels."""
    config, lakehouse = context.config, context.lakehouse
    if config.labels.kind == "lifetime":
        days = lakehouse.read(SESSION_DAYS).filter(F.col("event_date") < F.lit(date))
        snapshots = build_lifetime_snapshots(days, date)
        return snapshots, build_lifetime_labels(snapshots, days)
    is_chosen = F.col("as_of").isin(training_dates(context, date))
    labels = with_horizon(lakehouse.read(LABELS), config.labels.horizon)
    return lakehouse.read(SNAPSHOTS).filter(is_chosen), labels.filter(is_chosen)


def prepare(
    context: job.JobContext,
    date: Date,
    snapshots: DataFrame,
    labels: DataFrame,
    spec: TableSpec,
    learnt_dates: Collection[Date] | None = None,
) -> Prepared:
    """Join, describe, encode and store the rows of a training.

    Args:
        context: of the job.
        date: nothing of it or later is used to learn from.
        snapshots: of the dates to learn from, and of those to be judged on.
        labels: of the same.
        spec: table to store the encoded rows in.
        learnt_dates: the dates to learn from; all of them where none are given.

    Raises:
        TooFewCancelsError: if there is too little to learn from.
    """
    config, lakehouse = context.config, context.lakehouse
    is_learnt = F.col("as_of").isin(*learnt_dates) if learnt_dates else F.lit(True)
    sets = used_sets(context)
    # Counted, measured and encoded: small jobs on rows that fit in memory, spilled if not.
    rows = join_labels(snapshots, labels, config.training).persist()
    counts = {row.split: row for row in count_by_split(rows.filter(is_learnt)).collect()}
    n_rows = {split: row.n for split, row in counts.items()}
    n_positive = {split: row.n_positive for split, row in counts.items()}
    check_enough_cancels(n_positive, sum(n_rows.values()), config.training)
    behaviour = fit_behaviour_before(context, date) if "behaviour" in sets else None
    described = rows
    if behaviour is not None:
        transitions = lakehouse.read(TRANSITIONS)
        found = build_behaviour(rows, transitions, behaviour, config.labels.horizon)
        described = join_behaviour(rows, found).persist()
    features = model_features(sets, use_gender=config.training.use_gender)
    fitted_on = described.filter(is_learnt & (F.col("split") != VALIDATION))
    encoding = fit_encoding(fitted_on, features, config.encoding.max_levels)
    lakehouse.overwrite(encode_rows(described, encoding), spec)
    encoded = lakehouse.read(spec)
    return Prepared(
        encoded.filter(is_learnt), encoded, described, encoding, behaviour, n_rows, n_positive
    )


def used_sets(context: job.JobContext) -> tuple[str, ...]:
    """The feature sets of the trees, for the kind of label."""
    training = context.config.training
    is_lifetime = context.config.labels.kind == "lifetime"
    return training.retrospective_sets if is_lifetime else training.feature_sets


def fit_behaviour_before(context: job.JobContext, date: Date) -> BehaviourModel:
    """Fit the behaviour model to what users in no validation did before the date."""
    config, lakehouse = context.config, context.lakehouse
    is_learnt_from = ~held_out_users(F.col("user_id"), config.training)
    return fit_behaviour(
        lakehouse.read(TRANSITIONS).filter(is_learnt_from),
        build_registrations(lakehouse.read(SESSION_DAYS), date),
        job.log_span(context).start,
        date,
        config.behaviour,
    )


def fit(context: job.JobContext, prepared: Prepared) -> tuple[FittedTrees, FittedBaseline]:
    """Fit both families on the same rows."""
    config, rows = context.config, prepared.rows
    offset = offset_feature(context, prepared)
    parameters = tree_parameters(context)
    trees = train_trees(rows, prepared.encoding, parameters, offset, config.training.seed)
    features = model_features(config.training.baseline_sets, use_gender=config.training.use_gender)
    encoding = prepared.encoding.only([feature.name for feature in features])
    return trees, train_logistic_regression(rows, encoding, config.logistic_regression)


def tree_parameters(context: job.JobContext) -> LightGBMConfig:
    """The parameters of the trees, for the kind of label."""
    config = context.config
    if config.labels.kind != "lifetime":
        return config.lightgbm
    least = config.training.retrospective_min_data
    few_rows = {
        "min_data_in_leaf": least,
        "min_data_per_group": least,
        "lambda_l2": config.training.retrospective_lambda_l2,
    }
    return config.lightgbm.model_copy(update=few_rows)


def offset_feature(context: job.JobContext, prepared: Prepared) -> str | None:
    """The probability whose log-odds the trees add to; none where they hold everything."""
    starts = context.config.training.start_from_behaviour and prepared.behaviour is not None
    return "behaviour_probability" if starts else None


def build_bundle(context: job.JobContext, prepared: Prepared, trees: FittedTrees) -> ModelBundle:
    """Put together all that scoring and monitoring need of the trees."""
    config = context.config
    return ModelBundle(
        native_text=trees.native_text,
        encoding=prepared.encoding,
        calibration=trees.calibration.calibration,
        base_rate=trees.base_rate,
        label=config.labels.model_dump(),
        baseline=build_baseline_rows(
            prepared.rows, prepared.encoding, trees, config.monitoring.max_baseline_rows
        ),
        offset=trees.offset,
        behaviour=prepared.behaviour,
    )


def register(
    context: job.JobContext,
    date: Date,
    prepared: Prepared,
    trees: FittedTrees,
    baseline: FittedBaseline,
) -> tuple[str, str]:
    """Log both runs and register the trees; returns version and alias."""
    config, lakehouse = context.config, context.lakehouse
    bundle = build_bundle(context, prepared, trees)
    about = training_key(context, date) | {
        "label_kind": config.labels.kind,
        "is_retrospective": str(config.labels.kind == "lifetime"),
        "feature_sets": ",".join(used_sets(context)),
        "feature_fingerprint": prepared.encoding.fingerprint,
        **{f"version_{spec.name}": str(lakehouse.version(spec)) for spec in _INPUTS},
        **{f"rows_{split}": str(n) for split, n in prepared.n_rows.items()},
        **{f"cancels_{split}": str(n) for split, n in prepared.n_positive.items()},
    }
    registry = ModelRegistry(config.registry, config.lakehouse)
    with registry.run("logistic_regression", about) as run_id:
        log_family(
            "logistic_regression",
            about | config.logistic_regression.model_dump(),
            baseline.evaluation,
        )
        keep_scores(context, run_id, "logistic_regression", baseline.evaluation)
    chosen = {
        "scale_pos_weight": trees.class_weight,
        "rounds": trees.rounds.rounds,
        "rounds_reason": trees.rounds.reason,
        "calibration": trees.calibration.calibration.kind,
        "calibration_reason": trees.calibration.reason,
    }
    with registry.run("lightgbm", about) as run_id:
        parameters = about | tree_parameters(context).model_dump() | chosen
        metrics = log_family("lightgbm", parameters, trees.evaluation)
        keep_scores(context, run_id, "lightgbm", trees.evaluation)
        version = registry.register(bundle, run_id, metrics)
    return version, registry.assign_alias(version)


def training_key(context: job.JobContext, date: Date) -> dict[str, str]:
    """What decides a training: the same key gives the same model, so it needs no other run."""
    config = context.config
    sections = config.model_dump_json(
        include={"training", "labels", "lightgbm", "behaviour", "encoding", "snapshots"}
    )
    return {
        "as_of": str(date),
        "version_events": str(context.lakehouse.version(EVENTS)),
        "configuration": hashlib.sha256(sections.encode()).hexdigest()[:16],
        "definitions": fingerprint(FEATURES),
    }


def keep_scores(context: job.JobContext, run_id: str, family: str, judged: Evaluation) -> None:
    """Keep the validation rows of one run as a table."""
    scores = build_validation_scores(context.spark, judged, run_id, family)
    context.lakehouse.replace(scores, VALIDATION_SCORES, {"run_id": [run_id]})
