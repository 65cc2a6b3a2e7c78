"""The features that champions forecast, for the leak checks: as they are kept, and built anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date as Date
from functools import reduce
from typing import Final

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.features.spec import BEHAVIOUR_FEATURES, FADING_FEATURES, Feature
from churn_spark.contracts.tables import BEHAVIOUR, FADING, TRAINING_ROWS, TRANSITIONS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.fading.evidence import build_fading, gather_days
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.registry import ModelRegistry
from churn_spark.timeline import Horizon

_KEYS: Final = ("as_of", "user_id")


@dataclass(frozen=True)
class Forecaster:
    """Whose forecasts are features as of a date.

    Attributes:
        behaviour: the behaviour model of a version, if it has one.
        fading: its model of fading, if it has one.
        horizon: that it forecasts for.
        is_stored: whether its forecasts of the date are kept: the date was scored by it.
    """

    behaviour: BehaviourModel | None
    fading: FadingModel | None
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
    for spec in (BEHAVIOUR, FADING):
        if lakehouse.exists(spec):
            versions = lakehouse.read(spec).filter(F.col("as_of").isin(*dates))
            scored |= dict(versions.select("as_of", "model_version").distinct().collect())
    champion = registry.champion_version()
    found = {}
    for day in dates:
        version = scored.get(day, champion)
        bundle = registry.load(version) if version else None
        if bundle is not None and (bundle.behaviour or bundle.fading):
            found[day] = Forecaster(bundle.behaviour, bundle.fading, bundle.horizon, day in scored)
    return found


def forecast_features(forecasters: Forecasters) -> tuple[Feature, ...]:
    """The features that some of the models forecast."""
    models = forecasters.values()
    of_behaviour = BEHAVIOUR_FEATURES if any(one.behaviour for one in models) else ()
    return (*of_behaviour, *(FADING_FEATURES if any(one.fading for one in models) else ()))


def with_forecasts(
    snapshots: DataFrame,
    session_days: DataFrame,
    transitions: DataFrame,
    forecasters: Forecasters,
) -> DataFrame:
    """Snapshot rows of dates with what the versions' models say of their users, made anew.

    Grain: that of `snapshots`, (as_of, user_id).
    """
    described = snapshots
    days = gather_days(session_days)
    of_behaviour, of_fading = [], []
    for day, one in forecasters.items():
        users = snapshots.filter(F.col("as_of") == F.lit(day))
        if one.behaviour is not None:
            of_behaviour.append(build_behaviour(users, transitions, one.behaviour, one.horizon))
        if one.fading is not None:
            of_fading.append(build_fading(users, days, one.fading, one.horizon))
    for parts in (of_behaviour, of_fading):
        if parts:
            described = described.join(reduce(DataFrame.unionByName, parts), [*_KEYS], "left")
    return described


def with_stored_forecasts(
    lakehouse: Lakehouse,
    snapshots: DataFrame,
    session_days: DataFrame,
    transitions: DataFrame,
    forecasters: Forecasters,
) -> DataFrame:
    """The same with what was kept of the dates that were scored.

    Grain: that of `snapshots`, (as_of, user_id).
    """
    stored = [day for day, one in forecasters.items() if one.is_stored]
    others = {day: one for day, one in forecasters.items() if not one.is_stored}
    is_stored = F.col("as_of").isin(*stored)
    if not stored:
        return with_forecasts(snapshots, session_days, transitions, others)
    found = snapshots.filter(is_stored)
    for spec in (BEHAVIOUR, FADING):
        if lakehouse.exists(spec):
            kept = lakehouse.read(spec).filter(is_stored).drop("model_version")
            found = found.join(kept, [*_KEYS], "left")
    if not others:
        return found
    made = with_forecasts(snapshots.filter(~is_stored), session_days, transitions, others)
    # A version before the models of fading has forecasts of behaviour only.
    return found.unionByName(made, allowMissingColumns=True)
