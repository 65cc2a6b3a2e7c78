"""Snapshot rows as a model knows them: with what its behaviour model says of the users."""

from __future__ import annotations

from datetime import date as Date

from pyspark.sql import DataFrame

from churn_spark import job
from churn_spark.contracts.tables import BEHAVIOUR, SNAPSHOTS, TRANSITIONS
from churn_spark.decision_log import champion_at
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.training_rows import join_behaviour
from churn_spark.timeline import Horizon


def load_champion(context: job.JobContext, date: Date) -> ModelBundle:
    """The model that is champion on the date.

    Raises:
        NoChampionError: before the first training.
    """
    registry = ModelRegistry(context.config.registry, context.config.lakehouse)
    version = champion_at(context.lakehouse, registry, date)
    return registry.load_champion() if version is None else registry.load(version)


def behaviour_of(
    context: job.JobContext, snapshots: DataFrame, bundle: ModelBundle
) -> DataFrame | None:
    """What the model's behaviour model says of the rows' users; none if it has no such model."""
    if bundle.behaviour is None:
        return None
    horizon = Horizon(bundle.label["horizon_days"], bundle.label["gap_days"])
    transitions = context.lakehouse.read(TRANSITIONS)
    return build_behaviour(snapshots, transitions, bundle.behaviour, horizon)


def describe(context: job.JobContext, snapshots: DataFrame, bundle: ModelBundle) -> DataFrame:
    """Snapshot rows of any dates with what the behaviour model says, if the model has one."""
    behaviour = behaviour_of(context, snapshots, bundle)
    return snapshots if behaviour is None else join_behaviour(snapshots, behaviour)


def read_users(context: job.JobContext, date: Date, bundle: ModelBundle) -> DataFrame:
    """The date's snapshot with what was stored of the behaviour model, if the model has one."""
    snapshots = job.read_as_of(context.lakehouse, SNAPSHOTS, date)
    if bundle.behaviour is None:
        return snapshots
    behaviour = job.read_as_of(context.lakehouse, BEHAVIOUR, date).drop("model_version")
    return join_behaviour(snapshots, behaviour)
