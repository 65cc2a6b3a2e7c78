"""Snapshot rows as a model knows them: with what its behaviour model says of the users."""

from __future__ import annotations

from datetime import date as Date

from pyspark.sql import DataFrame

from churn_spark.contracts.tables import BEHAVIOUR, SNAPSHOTS, TRANSITIONS
from churn_spark.lakehouse.reads import read_as_of
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.training_rows import join_behaviour
from churn_spark.timeline import Horizon


def behaviour_of(
    lakehouse: Lakehouse, snapshots: DataFrame, bundle: ModelBundle
) -> DataFrame | None:
    """What the model's behaviour model says of the rows' users; none if it has no such model."""
    if bundle.behaviour is None:
        return None
    horizon = Horizon(bundle.label["horizon_days"], bundle.label["gap_days"])
    transitions = lakehouse.read(TRANSITIONS)
    return build_behaviour(snapshots, transitions, bundle.behaviour, horizon)


def with_behaviour(lakehouse: Lakehouse, snapshots: DataFrame, bundle: ModelBundle) -> DataFrame:
    """Snapshot rows of any dates with what the behaviour model says, if the model has one."""
    behaviour = behaviour_of(lakehouse, snapshots, bundle)
    return snapshots if behaviour is None else join_behaviour(snapshots, behaviour)


def read_users(lakehouse: Lakehouse, date: Date, bundle: ModelBundle) -> DataFrame:
    """The date's snapshot with what was stored of the behaviour model, if the model has one.

    Raises:
        MissingTableError: if the date has no snapshot, or wasn't scored.
    """
    snapshots = read_as_of(lakehouse, SNAPSHOTS, date)
    if bundle.behaviour is None:
        return snapshots
    behaviour = read_as_of(lakehouse, BEHAVIOUR, date).drop("model_version")
    return join_behaviour(snapshots, behaviour)
