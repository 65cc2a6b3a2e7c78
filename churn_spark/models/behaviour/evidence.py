"""Snapshots and transitions -> what the behaviour model says of everybody as of their date."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Final, overload

import numpy as np
import pandas as pd
import polars as pl
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.arrays import Floats
from churn_spark.contracts.features.parts import PAGE_PARTS
from churn_spark.contracts.features.spec import BEHAVIOUR_FEATURES
from churn_spark.contracts.survival import survival_columns
from churn_spark.contracts.tables import BEHAVIOUR, BEHAVIOUR_PARTS, SNAPSHOTS
from churn_spark.lakehouse.frames import Batches, Rows, apply, on_side_of, to_spark
from churn_spark.lakehouse.schema import struct_of, with_doubles
from churn_spark.models.behaviour.cells import CANCEL, LEVELS, START
from churn_spark.models.behaviour.counts import sum_cells
from churn_spark.models.behaviour.mixture import Mixture
from churn_spark.models.behaviour.model import BehaviourModel, Evidence
from churn_spark.models.behaviour.page_weights import page_weights
from churn_spark.models.behaviour.parts import PageEvidence, parts_columns, take_apart
from churn_spark.models.behaviour.spark_cells import cell_column
from churn_spark.timeline import MILLIS_PER_DAY, SECONDS_PER_DAY, Horizon, day_start_millis

_KEYS: Final = ("as_of", "user_id")
_LEVEL: Final = "last_subscription_level"
_SURVIVAL: Final = survival_columns("behaviour")
EVIDENCE_OF: Final = (*_KEYS, "tenure_days", _LEVEL)
"""What evidence needs of a snapshot."""


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
    facts = snapshots[[*EVIDENCE_OF]]
    evidence = build_evidence(
        to_spark(facts, SNAPSHOTS, transitions.sparkSession), transitions, model
    )
    return build_forecasts(on_side_of(snapshots, evidence), model, horizon)


def build_evidence(
    snapshots: DataFrame, transitions: DataFrame, model: BehaviourModel, *, by_page: bool = False
) -> DataFrame:
    """Sum what each user's transitions before the date say of every class, and their visits.

    Summed by user and date first: the snapshots of several dates share that work. Transitions
    to and from Cancel are left out: they are the outcome that is to be foreseen.

    Grain: (as_of, user_id), that of `snapshots`.
    """
    spark = snapshots.sparkSession
    weights = cell_weights(model.mixture, by_page=by_page)
    names = [*weights]
    by_cell = spark.createDataFrame(pd.DataFrame(weights).rename_axis("cell").reset_index())
    is_start = F.col("page") == START
    touches_cancel = (F.col("page") == CANCEL) | (F.col("next_page") == CANCEL)
    by_day = (
        transitions.filter(~touches_cancel)
        .withColumn("cell", cell_column())
        .join(F.broadcast(by_cell), "cell")
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


def sum_evidence(
    users: pd.DataFrame, counts: pl.DataFrame, model: BehaviourModel, *, by_page: bool = False
) -> pd.DataFrame:
    """The same of one as-of date in this process, from the cells that its users went through.

    Args:
        users: rows of a snapshot.
        counts: of the cells before the date; see `counts.sum_cells`.
        model: weighs them.
        by_page: with what `build_parts` needs.

    Grain: (as_of, user_id), that of `users`.
    """
    weights = cell_weights(model.mixture, by_page=by_page)
    user_ids = pl.Series(users["user_id"].to_list())
    found = sum_cells(counts, user_ids, np.array([*weights.values()]))
    return users[[*_KEYS, "tenure_days"]].assign(
        level=users[_LEVEL],
        n_visits=found.visits,
        visit_millis=found.visit_millis,
        **dict(zip(weights, found.weighted.T, strict=True)),
    )


def cell_weights(mixture: Mixture, *, by_page: bool) -> dict[str, Floats]:
    """Column of the evidence -> what a transition through each cell adds to it.

    Args:
        mixture: the classes.
        by_page: with what `build_parts` needs, see `PageWeights`.
    """
    found = {f"log_likelihood_{number}": one for number, one in enumerate(mixture.log_chances)}
    if by_page:
        weights = page_weights(mixture)
        found |= dict(zip(_page_columns("n"), weights.counts, strict=True))
        found |= dict(zip(_page_columns("typical"), weights.typical, strict=True))
        for number, excess in enumerate(weights.excess):
            found |= dict(zip(_page_columns(f"excess_{number}"), excess, strict=True))
    return found


def build_forecasts(evidence: Rows, model: BehaviourModel, horizon: Horizon) -> Rows:
    """The model's forecast for every row of evidence, and how long it says that users stay.

    Grain: (as_of, user_id).
    """

    def forecast(batches: Batches) -> Batches:
        for as_of, rows in _by_date(batches):
            found = model.forecast(_evidence_of(rows, as_of, model), as_of, horizon)
            staying = dict(zip(_SURVIVAL, found.survival.T, strict=True))
            yield rows[[*_KEYS]].assign(
                behaviour_probability=found.cancel_probability,
                visits_a_week=found.visits_a_week,
                cancel_per_visit=found.cancel_per_visit,
                **staying,
            )

    names = (*_KEYS, *(feature.name for feature in BEHAVIOUR_FEATURES))
    return apply(evidence, forecast, with_doubles(struct_of(BEHAVIOUR, names), _SURVIVAL))


def build_parts(
    evidence: Rows, model: BehaviourModel, horizon: Horizon, typical_level: str | None
) -> Rows:
    """What the log-odds of each forecast are made of.

    Args:
        evidence: with what the pages tell.
        model: that forecasts.
        horizon: of the forecasts.
        typical_level: that most have; none: nobody's level is taken for untypical.

    Grain: (as_of, user_id).
    """
    level = LEVELS.index(typical_level) if typical_level in LEVELS else None

    def take(batches: Batches) -> Batches:
        for as_of, rows in _by_date(batches):
            found = take_apart(
                model,
                _evidence_of(rows, as_of, model),
                _page_evidence_of(rows, model),
                as_of,
                horizon,
                level,
            )
            yield rows[[*_KEYS]].assign(**parts_columns(found))

    names = [name for name in BEHAVIOUR_PARTS.column_names if name != "model_version"]
    return apply(evidence, take, struct_of(BEHAVIOUR_PARTS, names))


def _by_date(batches: Batches) -> Iterator[tuple[date, pd.DataFrame]]:
    for frame in batches:
        for as_of in sorted(set(frame["as_of"])):
            yield as_of, frame[frame["as_of"] == as_of]


def _evidence_of(rows: pd.DataFrame, as_of: date, model: BehaviourModel) -> Evidence:
    days = rows["tenure_days"].to_numpy(dtype=np.float64)
    likelihoods = [f"log_likelihood_{number}" for number in range(len(model.mixture.shares))]
    return Evidence(
        log_likelihoods=rows[likelihoods].to_numpy(),
        visits=rows["n_visits"].to_numpy(),
        visit_days=rows["visit_millis"].to_numpy() / MILLIS_PER_DAY,
        registered=day_start_millis(as_of) / 1000.0 - days * SECONDS_PER_DAY,
        level=(rows["level"] == LEVELS[1]).to_numpy(dtype=np.float64),
    )


def _page_evidence_of(rows: pd.DataFrame, model: BehaviourModel) -> PageEvidence:
    excess = [
        rows[_page_columns(f"excess_{number}")].to_numpy()
        for number in range(len(model.mixture.shares))
    ]
    return PageEvidence(
        counts=rows[_page_columns("n")].to_numpy(),
        typical=rows[_page_columns("typical")].to_numpy(),
        excess=np.stack(excess, axis=1),
    )


def _page_columns(kind: str) -> list[str]:
    return [f"{kind}_{part.name}" for part in PAGE_PARTS]
