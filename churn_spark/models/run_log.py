"""What a training leaves in its MLflow run: parameters, figures, curve and errors."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import mlflow

from churn_spark.evaluation.artifacts import write_validation_files
from churn_spark.evaluation.judged import Judged

_KEYS = ("as_of", "user_id", "label", "split", "churn_probability")


def log_family(family: str, parameters: Mapping[str, Any], judged: Judged) -> dict[str, float]:
    """Log one family to the open run; returns the figures that are numbers."""
    mlflow.log_params(dict(parameters))
    figures = {name: float(value) for name, value in asdict(judged.metrics).items()}
    known = {name: value for name, value in figures.items() if value == value}
    mlflow.log_metrics(known)
    features = [name for name in judged.rows.columns if name not in _KEYS]
    with tempfile.TemporaryDirectory() as folder:
        write_validation_files(Path(folder), judged.rows, judged.metrics, features, family)
        mlflow.log_artifacts(folder, "validation")
    return known
