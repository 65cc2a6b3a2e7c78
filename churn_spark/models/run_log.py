"""What a training leaves in its MLflow run: parameters, metrics, curve and errors."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow

from churn_spark.contracts.features.spec import named
from churn_spark.evaluation.artifacts import write_validation_files
from churn_spark.evaluation.coarse import coarsen
from churn_spark.evaluation.evaluation import Evaluation
from churn_spark.evaluation.treated import WEIGHT, weights_in
from churn_spark.evaluation.weights import count_positive_users
from churn_spark.models.bundle import POSITIVE_USERS

_KEYS = ("as_of", "user_id", "label", "split", WEIGHT, "churn_probability")


def log_family(
    family: str, parameters: Mapping[str, Any], evaluation: Evaluation
) -> dict[str, float]:
    """Log one family to the open run; returns the metrics that are numbers."""
    mlflow.log_params(dict(parameters))
    known = known_metrics(evaluation)
    mlflow.log_metrics(known)
    features = [name for name in evaluation.rows.columns if name not in _KEYS]
    shown = coarsen(evaluation.rows, named(features))
    with tempfile.TemporaryDirectory() as folder:
        write_validation_files(Path(folder), shown, evaluation.metrics, features, family)
        mlflow.log_artifacts(folder, "validation")
    return known


def known_metrics(evaluation: Evaluation) -> dict[str, float]:
    """The metrics that are numbers, and how many users cancel among the rows.

    Of these depends how well the level of the probabilities is known: a user who cancels is in the
    rows of two dates or more, which tell the same.
    """
    rows = evaluation.rows
    n_users = count_positive_users(
        rows["label"].to_numpy(), rows["user_id"].to_numpy(), weights_in(rows)
    )
    metrics = asdict(evaluation.metrics) | {POSITIVE_USERS: n_users}
    return {name: float(value) for name, value in metrics.items() if not math.isnan(value)}
