"""The features of the set `behaviour` for the leak checks: as they are kept, and built anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date as Date
from functools import reduce
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.tables import BEHAVIOUR, TRAINING_ROWS, TRANSITIONS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.registry import ModelRegistry
from churn_spark.timeline import Horizon

_KEYS: Final = ("as_of", "user_id")


@dataclass(frozen=True)
class Forecaster:
    """Whose forecasts are features as of a date.

    Attributes:
        model: the behaviour model of a version.
        horizon: that it forecasts for.
        is_stored: whether its forecasts of the date are kept: the date was scored by it.
    """

    model: BehaviourModel
    horizon: Horizon
    is_stored: bool


Forecasters = Mapping[Date, Forecaster]


def read_forecasters(
    lakehouse: Lakehouse, open_registry: Callable[[], ModelRegistry], dates: Collection[Date]
) -> Forecasters:
    """Of each date the version that has scored it, else the champion; none before a training."""
    if not (lakehouse.exists(TRAINING_ROWS) and lakehouse.exists(TRANSITIONS)):
        return {}
    registry = open_registry()
    scored: dict[Date, str] = {}
    if lakehouse.exists(BEHAVIOUR):
        versions = lakehouse.read(BEHAVIOUR).filter(F.col("as_of").isin(*dates))
        scored = dict(versions.select("as_of", "model_version").distinct().collect())
    champion = registry.champion_version()
    found = {}
    for day in dates:
        version = scored.get(day, champion)
        bundle = registry.load(version) if version else None
        if bundle is not None and bundle.behaviour is not None:
            found[day] = Forecaster(bundle.behaviour, bundle.horizon, day in scored)
    return found


def with_forecasts(
    snapshots: DataFrame, transitions: DataFrame, forecasters: Forecasters
) -> DataFrame:
    """Snapshot rows of dates with what the behaviour models say of their users, made anew.

    Grain: that of `snapshots`, (as_of, user_id).
    """
    parts = [
        build_behaviour(
            snapshots.filter(F.col("as_of") == F.lit(day)), transitions, one.model, one.horizon
        )
        for day, one in forecasters.items()
    ]
    if not parts:
        return snapshots
    return snapshots.join(reduce(DataFrame.unionByName, parts), [*_KEYS], "left")


def with_stored_forecasts(
    lakehouse: Lakehouse, snapshots: DataFrame, transitions: DataFrame, forecasters: Forecasters
) -> DataFrame:
    """The same with what was kept of the dates that were scored.

    Grain: that of `snapshots`, (as_of, user_id).
    """
    stored = [day for day, one in forecasters.items() if one.is_stored]
    others = {day: one for day, one in forecasters.items() if not one.is_stored}
    is_stored = F.col("as_of").isin(*stored)
    if not stored:
        return with_forecasts(snapshots, transitions, others)
    kept = lakehouse.read(BEHAVIOUR).filter(is_stored).drop("model_version")
    found = snapshots.filter(is_stored).join(kept, [*_KEYS], "left")
    if not others:
        return found
    made = with_forecasts(snapshots.filter(~is_stored), transitions, others)
    return found.unionByName(made)
