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
from churn_spark.evaluation.treated import WEIGHT

_KEYS = ("as_of", "user_id", "label", "split", WEIGHT, "churn_probability")


def log_family(
    family: str, parameters: Mapping[str, Any], evaluation: Evaluation
) -> dict[str, float]:
    """Log one family to the open run; returns the metrics that are numbers."""
    mlflow.log_params(dict(parameters))
    metrics = {name: float(value) for name, value in asdict(evaluation.metrics).items()}
    known = {name: value for name, value in metrics.items() if not math.isnan(value)}
    mlflow.log_metrics(known)
    features = [name for name in evaluation.rows.columns if name not in _KEYS]
    shown = coarsen(evaluation.rows, named(features))
    with tempfile.TemporaryDirectory() as folder:
        write_validation_files(Path(folder), shown, evaluation.metrics, features, family)
        mlflow.log_artifacts(folder, "validation")
    return known
