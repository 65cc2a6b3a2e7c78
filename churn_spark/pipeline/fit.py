"""Both families fitted to the rows of a training, and the model kept."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date as Date

from threadpoolctl import threadpool_limits

from churn_spark.config import LearningConfig, LightGBMConfig
from churn_spark.contracts.features.spec import FEATURES, fingerprint
from churn_spark.contracts.tables import (
    CONTACTS,
    EVENTS,
    LABELS,
    SESSION_DAYS,
    SNAPSHOTS,
    TRAINING_ROWS,
    TRANSITIONS,
    VALIDATION_SCORES,
)
from churn_spark.evaluation.evaluation import Evaluation
from churn_spark.hashing import text_hash
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.differences import held_out
from churn_spark.models.registry import CHALLENGER, UNDER_WAY, ModelRegistry
from churn_spark.models.run_log import log_family
from churn_spark.models.training import (
    FittedBaseline,
    FittedTrees,
    build_baseline_rows,
    build_validation_scores,
    train_logistic_regression,
    train_trees,
)
from churn_spark.pipeline.publish import publish
from churn_spark.pipeline.survival import with_checked_curves
from churn_spark.pipeline.training_data import TrainingData, chosen_features, used_sets

_INPUTS = (EVENTS, SESSION_DAYS, TRANSITIONS, SNAPSHOTS, LABELS, TRAINING_ROWS)


def fit(data: TrainingData, config: LearningConfig) -> tuple[FittedTrees, FittedBaseline]:
    """Fit both families on the same rows, side by side: each has times when it waits."""
    rows = data.learnt
    features = chosen_features(config.training.baseline_sets, config)
    encoding = data.encoding.only([feature.name for feature in features])
    # While trees grow on all cores, BLAS's own threads mostly wait, and keep a core busy with it.
    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(1) as beside:
        baseline = beside.submit(
            train_logistic_regression,
            rows,
            encoding,
            config.logistic_regression,
            offset_features(data, config),
        )
        return _fit_trees(data, tree_parameters(config), config), baseline.result()


def fit_unweighted(data: TrainingData, config: LearningConfig) -> FittedTrees | None:
    """The trees with each row counting once, to compare with; none where they are so already."""
    parameters = tree_parameters(config)
    if parameters.class_weight == "none":
        return None
    return _fit_trees(data, parameters.model_copy(update={"class_weight": "none"}), config)


def _fit_trees(
    data: TrainingData, parameters: LightGBMConfig, config: LearningConfig
) -> FittedTrees:
    offset, seed = offset_features(data, config), config.training.seed
    return train_trees(data.learnt, data.encoding, parameters, offset, seed)


def tree_parameters(config: LearningConfig) -> LightGBMConfig:
    """The parameters of the trees, for the kind of label."""
    if not config.is_lifetime:
        return config.lightgbm
    least = config.training.retrospective_min_data
    few_rows = {
        "min_data_in_leaf": least,
        "min_data_per_group": least,
        "lambda_l2": config.training.retrospective_lambda_l2,
    }
    return config.lightgbm.model_copy(update=few_rows)


def offset_features(data: TrainingData, config: LearningConfig) -> list[str]:
    """The probabilities to whose log-odds the trees add; none where they hold everything."""
    from_behaviour = config.training.start_from_behaviour and data.behaviour is not None
    starts = {
        "behaviour_probability": from_behaviour,
        "fading_probability": data.fading is not None,
    }
    return [name for name, is_used in starts.items() if is_used]


def build_bundle(data: TrainingData, trees: FittedTrees, config: LearningConfig) -> ModelBundle:
    """Put together all that scoring and monitoring need of the trees."""
    baseline = build_baseline_rows(
        data.population, data.encoding, trees, config.max_reference_rows, data.log.history
    )
    return ModelBundle(
        native_text=trees.native_text,
        encoding=data.encoding,
        calibration=trees.calibration.calibration,
        base_rate=trees.base_rate,
        label=config.labels.definition,
        baseline=baseline,
        offset=trees.offset,
        behaviour=data.behaviour,
        fading=data.fading,
        held_out=held_out(config),
        is_coarse=True,
    )


def register(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    data: TrainingData,
    fitted: tuple[FittedTrees, FittedBaseline],
    config: LearningConfig,
) -> str:
    """Log both runs and register the trees; returns their version, which nobody uses yet.

    The runs are marked as under way, until `ModelRegistry.note_done`.
    """
    trees, baseline = fitted
    known_by = config.labels.known_by(min(date, data.log.reached))
    built = build_bundle(data, trees, config)
    bundle = with_checked_curves(lakehouse, built, data.described, known_by, config.effect_days)
    about = training_key(lakehouse, date, config) | {
        "label_kind": config.labels.kind,
        "is_retrospective": str(config.is_lifetime),
        "feature_sets": ",".join(used_sets(config)),
        "feature_fingerprint": data.encoding.fingerprint,
        **{f"version_{spec.name}": str(lakehouse.version(spec)) for spec in _INPUTS},
        **{f"rows_{split}": str(n) for split, n in data.n_rows.items()},
        **{f"cancels_{split}": str(n) for split, n in data.n_positive.items()},
    }
    with registry.run("logistic_regression", {**about, **UNDER_WAY}) as run_id:
        log_family(
            "logistic_regression",
            about | config.logistic_regression.model_dump() | {"reg_param": baseline.reg_param},
            baseline.evaluation,
        )
        keep_scores(lakehouse, run_id, "logistic_regression", baseline.evaluation)
    chosen = {
        "scale_pos_weight": trees.class_weight,
        "rounds": trees.rounds.rounds,
        "rounds_reason": trees.rounds.reason,
        "calibration": trees.calibration.calibration.kind,
        "calibration_reason": trees.calibration.reason,
    }
    with registry.run("lightgbm", {**about, **UNDER_WAY}) as run_id:
        parameters = about | tree_parameters(config).model_dump() | chosen
        metrics = log_family("lightgbm", parameters, trees.evaluation)
        keep_scores(lakehouse, run_id, "lightgbm", trees.evaluation)
        return registry.register(bundle, run_id, metrics)


def announce(
    lakehouse: Lakehouse, registry: ModelRegistry, version: str, key: Mapping[str, str]
) -> str:
    """Make a version the first champion, or let it wait for the next night; returns in words.

    With that its training, which has the key, is done.
    """
    alias = registry.assign_alias(version)
    publish(lakehouse, registry)
    registry.note_done(key)
    if alias == CHALLENGER:
        return f"version {version} waits as challenger: the next night judges it"
    if alias is None:
        return f"version {version} is retrospective: it describes the past, it forecasts nothing"
    return f"version {version} is {alias}, the model in use"


def training_key(lakehouse: Lakehouse, date: Date, config: LearningConfig) -> dict[str, str]:
    """What decides a training: the same key gives the same model, so it needs no other run."""
    sections = config.model_dump_json(
        include={"training", "labels", "lightgbm", "behaviour", "encoding", "snapshots"}
    )
    key = {
        "as_of": str(date),
        "version_events": str(lakehouse.version(EVENTS)),
        "table_events": lakehouse.table_id(EVENTS),
        "configuration": text_hash(sections),
        "definitions": fingerprint(FEATURES),
    }
    if lakehouse.partition_values(CONTACTS, "list_date"):
        # They decide which outcomes count.
        key["version_contacts"] = str(lakehouse.version(CONTACTS))
        key["effect_days"] = str(config.effect_days)
    return key


def keep_scores(lakehouse: Lakehouse, run_id: str, family: str, evaluation: Evaluation) -> None:
    """Keep the validation rows of one run as a table."""
    scores = build_validation_scores(evaluation, run_id, family)
    lakehouse.replace_rows(scores, VALIDATION_SCORES, {"run_id": [run_id]})
