"""Gold `snapshots` and `labels` -> LightGBM and its baseline, judged, logged and registered."""

from __future__ import annotations

from datetime import date as Date

import typer

from churn_spark import job
from churn_spark.contracts.tables import TRAINING_ROWS, VALIDATION_SCORES
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.training import describe_evaluation
from churn_spark.steps.training import (
    fit,
    label_snapshots,
    prepare,
    register,
    training_key,
)
from churn_spark.steps.weeks import training_dates
from jobs import build_snapshots

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
    with job.closing_line("train_model") as facts:
        prepared = prepare(context, date, *label_snapshots(context, date), TRAINING_ROWS)
        trees, baseline = fit(context, prepared)
        version, alias = register(context, date, prepared, trees, baseline)
        prepared.described.unpersist()
        n_positive = sum(prepared.n_positive.values())
        facts.append(f"{sum(prepared.n_rows.values()):,} rows, {n_positive} cancel")
        facts.append(describe_evaluation("LightGBM", trees.evaluation))
        facts.append(describe_evaluation("LR", baseline.evaluation))
        facts.append(f"version {version} is {alias}")
        if context.config.labels.kind == "lifetime":
            facts.append("retrospective: it describes the past, it forecasts nothing")
    return version


def resume(context: job.JobContext, date: Date) -> str | None:
    """The version that a training on the date has left; none where it is still to be done.

    What an interrupted training has left without registering a model is removed.
    """
    config, lakehouse = context.config, context.lakehouse
    registry = ModelRegistry(config.registry, config.lakehouse)
    key = training_key(context, date)
    version = registry.find(key)
    if version is None:
        if runs := registry.delete_runs(key):
            nothing = context.spark.createDataFrame([], struct_of(VALIDATION_SCORES))
            lakehouse.replace(nothing, VALIDATION_SCORES, {"run_id": runs})
    elif version != registry.champion_version():
        registry.assign_alias(version)
    return version


if __name__ == "__main__":
    job.main(app)
