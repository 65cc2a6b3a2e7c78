"""Both engines of the trees on one matrix: how fast, and how alike."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from pyspark.sql import SparkSession

from bench.promises import holds
from bench.said_models import console
from churn_spark.config import load_config
from churn_spark.evaluation.metrics import evaluate
from churn_spark.models.encoding import Encoding
from churn_spark.models.estimators import TreePlan, fit_trees
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.offset import Offset


def say_engines(spark: SparkSession, work: Path, n_rows: int) -> None:
    """SynapseML beside LightGBM's own library on one matrix."""
    rng = np.random.default_rng(0)
    names = [f"x{number}" for number in range(60)]
    values = rng.normal(size=(n_rows, 60))
    margin = values[:, :5].sum(axis=1) * 0.5 - 2.5
    frame = pd.DataFrame(values, columns=names).assign(
        label=(rng.random(n_rows) < 1 / (1 + np.exp(-margin))).astype(int),
        user_id=[str(number) for number in range(n_rows)],
        as_of=date(2018, 11, 5),
    )
    path = str(work / "matrix")
    spark.createDataFrame(frame).repartition(2).write.parquet(path)
    rows = LearntRows.of(spark.read.parquet(path))
    encoding = Encoding(tuple(names), {}, {}, "")
    config = load_config().lightgbm
    plan = TreePlan(100, 1.0, 1, Offset.at(None, 0.1))
    seconds: dict[str, list[float]] = {}
    aucs: dict[str, float] = {}
    for engine in ("lightgbm", "synapseml", "lightgbm", "synapseml"):
        started = time.monotonic()
        text = fit_trees(rows, encoding, config, plan, engine)
        seconds.setdefault(engine, []).append(time.monotonic() - started)
        booster = lightgbm.Booster(model_str=text)
        scores = np.asarray(booster.predict(values[:100_000]))
        aucs[engine] = evaluate(frame["label"].to_numpy()[:100_000], scores, 0.5).roc_auc
    ratio = min(seconds["synapseml"]) / min(seconds["lightgbm"])
    difference = abs(aucs["synapseml"] - aucs["lightgbm"])
    console.print(
        f"Engines on {n_rows:,} x 60, 100 trees: SynapseML {min(seconds['synapseml']):.1f} s, "
        f"LightGBM's own library {min(seconds['lightgbm']):.1f} s, both with the reading of the "
        f"rows; ratio {ratio:.2f} (at most 1.5: {holds(ratio <= 1.5)}); AUC apart by "
        f"{difference:.5f} (at most .002: {holds(difference <= 0.002)})"
    )
