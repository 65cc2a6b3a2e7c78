"""Gold `snapshots` and `labels` -> LightGBM and its baseline, judged, logged and registered."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from datetime import date as Date
from pathlib import Path

import mlflow
import typer
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark import job
from churn_spark.features.labels import build_lifetime_labels, with_horizon
from churn_spark.features.snapshots import build_lifetime_snapshots
from churn_spark.features.spec import model_features
from churn_spark.models.artifacts import write_validation_files
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.splits import VALIDATION
from churn_spark.models.training import (
    Judged,
    build_baseline_rows,
    build_validation_scores,
    describe_judged,
    train_lightgbm,
    train_logistic_regression,
)
from churn_spark.models.training_rows import (
    check_enough_cancels,
    count_by_split,
    encode_rows,
    fit_encoding,
    join_labels,
)
from churn_spark.schemas import (
    EVENTS,
    LABELS,
    SESSION_DAYS,
    SNAPSHOTS,
    TRAINING_ROWS,
    VALIDATION_SCORES,
)
from churn_spark.timeline import days_after, weekly_dates
from jobs import build_snapshots

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_INPUTS = (EVENTS, SESSION_DAYS, SNAPSHOTS, LABELS, TRAINING_ROWS)


@app.command()
def main(
    date: job.DateOption, env: job.EnvOption = "local", overrides: job.SetOption = None
) -> None:
    """Train with what is known by the date; the first model becomes champion."""
    with job.open_job("train_model", env, overrides) as context:
        run(context, date)


def run(context: job.JobContext, date: Date) -> str:
    """Bring the snapshots up to date and train on them; returns the model's version.

    Raises:
        TooFewCancelsError: if there is too little to learn from; nothing is registered then.
    """
    if dates := training_dates(context, date):
        build_snapshots.run(context, dates)
    return train(context, date)


def train(context: job.JobContext, date: Date) -> str:
    """Train both families on the snapshots there are and register LightGBM; returns its version.

    Raises:
        TooFewCancelsError: if there is too little to learn from; nothing is registered then.
    """
    config, lakehouse = context.config, context.lakehouse
    # Counted, measured and encoded: five small jobs on rows that fit in memory, spilled if not.
    rows = join_labels(*label_snapshots(context, date), config.training).persist()
    with job.closing_line("train_model") as facts:
        counts = {row.split: row for row in count_by_split(rows).collect()}
        n_rows = sum(row.n for row in counts.values())
        positives = {split: row.n_positive for split, row in counts.items()}
        check_enough_cancels(positives, n_rows, config.training)
        features = model_features(use_gender=config.training.use_gender)
        fitted_on = rows.filter(F.col("split") != VALIDATION)
        encoding = fit_encoding(fitted_on, features, config.encoding.max_levels)
        lakehouse.overwrite(encode_rows(rows, encoding), TRAINING_ROWS)
        rows.unpersist()
        encoded = lakehouse.read(TRAINING_ROWS)
        trees = train_lightgbm(encoded, encoding, config.lightgbm, config.training.seed)
        baseline = train_logistic_regression(encoded, encoding, config.logistic_regression)
        bundle = ModelBundle(
            native_text=trees.native_text,
            encoding=encoding,
            calibration=trees.calibration,
            base_rate=1 / (1 + trees.class_weight),
            label=config.labels.model_dump(),
            baseline=build_baseline_rows(
                encoded, encoding, trees, config.monitoring.max_baseline_rows
            ),
        )
        about = {
            "as_of": str(date),
            "label_kind": config.labels.kind,
            "is_retrospective": str(config.labels.kind == "lifetime"),
            "feature_fingerprint": encoding.fingerprint,
            **{f"version_{spec.name}": str(lakehouse.version(spec)) for spec in _INPUTS},
            **{f"rows_{split}": str(row.n) for split, row in counts.items()},
            **{f"cancels_{split}": str(n) for split, n in positives.items()},
        }
        registry = ModelRegistry(config.registry, config.lakehouse)
        with registry.run("logistic_regression", about) as run_id:
            mlflow.log_params(about | config.logistic_regression.model_dump())
            log_judged(context, run_id, "logistic_regression", baseline.judged)
        with registry.run("lightgbm", about) as run_id:
            fitted = {"scale_pos_weight": trees.class_weight, "rounds": trees.rounds}
            mlflow.log_params(about | config.lightgbm.model_dump() | fitted)
            metrics = log_judged(context, run_id, "lightgbm", trees.judged)
            version = registry.register(bundle, run_id, metrics)
        alias = registry.assign_alias(version)
        facts.append(f"{n_rows:,} rows, {sum(positives.values())} cancel")
        facts.append(describe_judged("LightGBM", trees.judged))
        facts.append(describe_judged("LR", baseline.judged))
        facts.append(f"version {version} is {alias}")
        if config.labels.kind == "lifetime":
            facts.append("retrospective: it describes the past, it forecasts nothing")
    return version


def training_dates(context: job.JobContext, date: Date) -> list[Date]:
    """The as-of dates a training on the date learns from; none for the lifetime label."""
    config, span = context.config, build_snapshots.log_span(context)
    if config.labels.kind == "lifetime":
        return []
    dates = weekly_dates(
        days_after(span.start, config.training.history_days),
        config.labels.horizon.newest_known(min(date, span.end)),
        config.training.as_of_weekday,
    )
    return list(dates)[-config.training.max_weeks :]


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


def log_judged(
    context: job.JobContext, run_id: str, family: str, judged: Judged
) -> dict[str, float]:
    """Log the validation figures, curve and errors to the run; keep the scored rows as a table."""
    figures = {name: float(value) for name, value in asdict(judged.metrics).items()}
    mlflow.log_metrics({name: value for name, value in figures.items() if value == value})
    features = [name for name in judged.rows.columns if name in TRAINING_ROWS.column_names[4:]]
    with tempfile.TemporaryDirectory() as folder:
        write_validation_files(Path(folder), judged.rows, judged.metrics, features, family)
        mlflow.log_artifacts(folder, "validation")
    scores = build_validation_scores(context.spark, judged, run_id, family)
    context.lakehouse.replace(scores, VALIDATION_SCORES, {"run_id": [run_id]})
    return figures


if __name__ == "__main__":
    job.main(app)
