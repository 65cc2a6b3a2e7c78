"""Snapshot rows as a model knows them: with what its models of behaviour and fading say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date as Date

import pandas as pd

from churn_spark.contracts.tables import (
    BEHAVIOUR,
    BEHAVIOUR_PARTS,
    FADING,
    SNAPSHOTS,
    TRANSITIONS,
)
from churn_spark.lakehouse.frames import Rows, collect, join, kept, on_side_of, only, to_spark
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_as_of, read_dates
from churn_spark.models.behaviour.evidence import (
    EVIDENCE_OF,
    build_behaviour,
    build_evidence,
    build_forecasts,
    build_parts,
    sum_evidence,
)
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.bundle import ModelBundle
from churn_spark.pipeline.fading import fading_rows
from churn_spark.pipeline.transition_totals import are_few_transitions, read_counts
from churn_spark.timeline import Horizon

_KEYS = ("as_of", "user_id")


def behaviour_of(lakehouse: Lakehouse, snapshots: Rows, bundle: ModelBundle) -> Rows | None:
    """What the model's behaviour model says of the rows' users; none if it has no such model."""
    if bundle.behaviour is None:
        return None
    return forecast_rows(lakehouse, snapshots, bundle.behaviour, bundle.horizon)


def fading_of(lakehouse: Lakehouse, snapshots: Rows, bundle: ModelBundle) -> Rows | None:
    """What the model's model of fading says of the rows' users; none if it has no such model."""
    if bundle.fading is None:
        return None
    return fading_rows(lakehouse, snapshots, bundle.fading, bundle.horizon)


def forecast_rows(
    lakehouse: Lakehouse, snapshots: Rows, model: BehaviourModel, horizon: Horizon
) -> Rows:
    """What a behaviour model says of the rows' users."""
    if isinstance(snapshots, pd.DataFrame) and (
        snapshots.empty or are_few_transitions(lakehouse, set(snapshots["as_of"]))
    ):
        evidence = read_evidence(lakehouse, snapshots, model)
        return build_forecasts(evidence, model, horizon)
    return build_behaviour(snapshots, lakehouse.read(TRANSITIONS), model, horizon)


def read_evidence(
    lakehouse: Lakehouse,
    snapshots: pd.DataFrame,
    model: BehaviourModel,
    *,
    by_page: bool = False,
) -> pd.DataFrame:
    """What a behaviour model needs to know of the rows' users, from kept totals and the days since.

    Grain: (as_of, user_id), that of `snapshots`.
    """
    if snapshots.empty:
        return snapshots
    parts = [
        sum_evidence(snapshots[snapshots["as_of"] == as_of], counts, model, by_page=by_page)
        for as_of, counts in read_counts(lakehouse, set(snapshots["as_of"]))
    ]
    return pd.concat(parts, ignore_index=True)


@contextmanager
def evidence_by_page(
    lakehouse: Lakehouse, snapshots: Rows, model: BehaviourModel
) -> Iterator[Rows]:
    """What forecasts and their parts are made of, summed once; see `read_evidence`.

    Grain: (as_of, user_id), that of `snapshots`.
    """
    if isinstance(snapshots, pd.DataFrame) and (
        snapshots.empty or are_few_transitions(lakehouse, set(snapshots["as_of"]))
    ):
        yield read_evidence(lakehouse, snapshots, model, by_page=True)
        return
    facts = to_spark(snapshots[[*EVIDENCE_OF]], SNAPSHOTS, lakehouse.spark)
    found = build_evidence(facts, lakehouse.read(TRANSITIONS), model, by_page=True)
    with kept(on_side_of(snapshots, found)) as evidence:
        yield evidence


def with_behaviour(lakehouse: Lakehouse, snapshots: Rows, bundle: ModelBundle) -> Rows:
    """Snapshot rows of any dates with what the models of behaviour and of fading say, if any."""
    described = snapshots
    for found in (
        behaviour_of(lakehouse, snapshots, bundle),
        fading_of(lakehouse, snapshots, bundle),
    ):
        if found is not None:
            described = join(described, found, _KEYS, "left")
    return described


def with_parts(lakehouse: Lakehouse, rows: pd.DataFrame, bundle: ModelBundle) -> pd.DataFrame:
    """Rows of any dates with the parts of what the behaviour model says, if the model has one."""
    model = bundle.behaviour
    if model is None:
        return rows
    with evidence_by_page(lakehouse, rows, model) as evidence:
        parts = collect(build_parts(evidence, model, bundle.horizon, bundle.typical_level))
    return rows.merge(parts, how="left", on=[*_KEYS])


def read_users(lakehouse: Lakehouse, date: Date, bundle: ModelBundle) -> Rows:
    """The date's snapshot with what was stored of the models of behaviour and of fading, if any.

    Raises:
        MissingTableError: if the date has no snapshot, or wasn't scored.
    """
    users = read_as_of(lakehouse, SNAPSHOTS, date)
    for model, spec in ((bundle.behaviour, BEHAVIOUR), (bundle.fading, FADING)):
        if model is not None:
            columns = [name for name in spec.column_names if name != "model_version"]
            users = join(users, read_as_of(lakehouse, spec, date, columns), _KEYS, "left")
    return users


def read_explained_users(lakehouse: Lakehouse, date: Date, bundle: ModelBundle) -> Rows:
    """The same with the parts of what the behaviour model says; null where none were stored.

    Raises:
        MissingTableError: if the date has no snapshot, or wasn't scored.
    """
    users = read_users(lakehouse, date, bundle)
    if bundle.behaviour is None or not lakehouse.exists(BEHAVIOUR_PARTS):
        return users
    parts = read_dates(lakehouse, BEHAVIOUR_PARTS, [date])
    of_model = only(parts, model_version=[bundle.version])
    columns = [name for name in BEHAVIOUR_PARTS.column_names if name != "model_version"]
    return join(users, of_model[columns], _KEYS, "left")
