"""Snapshots and transitions -> what the behaviour model says of everybody as of their date."""

from __future__ import annotations

from typing import Final, overload

import numpy as np
import pandas as pd
import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.contracts.features.spec import BEHAVIOUR_FEATURES
from churn_spark.contracts.tables import BEHAVIOUR, SNAPSHOTS
from churn_spark.lakehouse.frames import Batches, Rows, apply, on_side_of, to_spark
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.behaviour.cells import CANCEL, LEVELS, START
from churn_spark.models.behaviour.counts import sum_cells
from churn_spark.models.behaviour.model import BehaviourModel, Evidence
from churn_spark.models.behaviour.spark_cells import cell_column
from churn_spark.timeline import MILLIS_PER_DAY, SECONDS_PER_DAY, Horizon, day_start_millis

_KEYS: Final = ("as_of", "user_id")
_LEVEL: Final = "last_subscription_level"


@overload
def build_behaviour(
    snapshots: DataFrame, transitions: DataFrame, model: BehaviourModel, horizon: Horizon
) -> DataFrame: ...


@overload
def build_behaviour(
    snapshots: Rows, transitions: DataFrame, model: BehaviourModel, horizon: Horizon
) -> Rows: ...


def build_behaviour(
    snapshots: Rows, transitions: DataFrame, model: BehaviourModel, horizon: Horizon
) -> Rows:
    """The features of the set `behaviour` for every row of a snapshot.

    The sums over all transitions are Spark's work wherever the snapshot is; where totals of them
    are at hand, see `sum_evidence`.

    Grain: (as_of, user_id), that of `snapshots`.
    """
    facts = snapshots[[*_KEYS, "tenure_days", _LEVEL]]
    evidence = build_evidence(
        to_spark(facts, SNAPSHOTS, transitions.sparkSession), transitions, model
    )
    return build_forecasts(on_side_of(snapshots, evidence), model, horizon)


def build_evidence(
    snapshots: DataFrame, transitions: DataFrame, model: BehaviourModel
) -> DataFrame:
    """Sum what each user's transitions before the date say of every class, and their visits.

    Summed by user and date first: the snapshots of several dates share that work. Transitions
    to and from Cancel are left out: they are the outcome that is to be foreseen.

    Grain: (as_of, user_id), that of `snapshots`.
    """
    spark = snapshots.sparkSession
    n_classes = len(model.mixture.shares)
    names = [f"log_likelihood_{number}" for number in range(n_classes)]
    chances = spark.createDataFrame(
        pd.DataFrame(model.mixture.log_chances.T, columns=names).rename_axis("cell").reset_index()
    )
    is_start = F.col("page") == START
    touches_cancel = (F.col("page") == CANCEL) | (F.col("next_page") == CANCEL)
    by_day = (
        transitions.filter(~touches_cancel)
        .withColumn("cell", cell_column())
        .join(F.broadcast(chances), "cell")
        .groupBy("user_id", "event_date")
        .agg(
            *[F.sum(F.col("n_transitions") * F.col(name)).alias(name) for name in names],
            F.sum(F.when(is_start, F.col("n_transitions")).otherwise(0)).alias("n_visits"),
            F.sum("total_millis").alias("visit_millis"),
        )
    )
    facts = snapshots.select(*_KEYS, "tenure_days", F.col(_LEVEL).alias("level"))
    summed = [*names, "n_visits", "visit_millis"]
    is_before = (facts.user_id == by_day.user_id) & (by_day.event_date < facts.as_of)
    return (
        facts.join(by_day, is_before, "left")
        .select(facts["*"], *summed)
        .groupBy("as_of", "user_id", "tenure_days", "level")
        .agg(*[F.coalesce(F.sum(name), F.lit(0)).cast("double").alias(name) for name in summed])
    )


def sum_evidence(users: pd.DataFrame, counts: pl.DataFrame, model: BehaviourModel) -> pd.DataFrame:
    """The same of one as-of date in this process, from the cells that its users went through.

    Args:
        users: rows of a snapshot.
        counts: of the cells before the date; see `counts.sum_cells`.
        model: weighs them.

    Grain: (as_of, user_id), that of `users`.
    """
    found = sum_cells(counts, pl.Series(users["user_id"].to_list()), model.mixture.log_chances)
    likelihoods = {
        f"log_likelihood_{number}": values for number, values in enumerate(found.log_likelihoods.T)
    }
    return users[[*_KEYS, "tenure_days"]].assign(
        level=users[_LEVEL],
        n_visits=found.visits,
        visit_millis=found.visit_millis,
        **likelihoods,
    )


def build_forecasts(evidence: Rows, model: BehaviourModel, horizon: Horizon) -> Rows:
    """The model's forecast for every row of evidence.

    Grain: (as_of, user_id).
    """
    n_classes = len(model.mixture.shares)
    likelihoods = [f"log_likelihood_{number}" for number in range(n_classes)]

    def forecast(batches: Batches) -> Batches:
        for frame in batches:
            for as_of in sorted(set(frame["as_of"])):
                rows = frame[frame["as_of"] == as_of]
                days = rows["tenure_days"].to_numpy(dtype=np.float64)
                now = day_start_millis(as_of) / 1000.0
                found = model.forecast(
                    Evidence(
                        log_likelihoods=rows[likelihoods].to_numpy(),
                        visits=rows["n_visits"].to_numpy(),
                        visit_days=rows["visit_millis"].to_numpy() / MILLIS_PER_DAY,
                        registered=now - days * SECONDS_PER_DAY,
                        level=(rows["level"] == LEVELS[1]).to_numpy(dtype=np.float64),
                    ),
                    as_of,
                    horizon,
                )
                yield rows[["as_of", "user_id"]].assign(
                    behaviour_probability=found.cancel_probability,
                    visits_a_week=found.visits_a_week,
                    cancel_per_visit=found.cancel_per_visit,
                )

    names = (*_KEYS, *(feature.name for feature in BEHAVIOUR_FEATURES))
    return apply(evidence, forecast, struct_of(BEHAVIOUR, names))
