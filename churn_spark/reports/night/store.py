"""The monitoring tables -> what the page of a night is made from; counts only, no users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.history import LOG_DAYS, NO_HISTORY, History
from churn_spark.contracts.features.segments import ALL
from churn_spark.contracts.features.spec import need_to_compare
from churn_spark.contracts.tables import (
    ALERTS,
    DATA_CHECKS,
    DECISIONS,
    DRIFT,
    DRIFT_CELLS,
    EFFECT,
    PERFORMANCE,
    RETENTION_LISTS,
)
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse.selection import Between, Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.drift.comparisons import TRAINING, code_reference, recount_for
from churn_spark.monitoring.drift.ks import build_reference
from churn_spark.monitoring.frames.reference import compared_rows
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.reports.night.data import HISTORY_DAYS, NightData
from churn_spark.reports.night.overlay import Mix, Overlay, build_mix, build_overlay
from churn_spark.stores.checks import read_checks
from churn_spark.stores.decisions import read_entries

_NIGHTLY = (DATA_CHECKS, DECISIONS, DRIFT)
_CHANGES = ("opened", "worsened", "resolved")


def newest_night(lakehouse: Lakehouse) -> date | None:
    """The newest night that was checked, counted or decided; none before the first."""
    nights = {one for spec in _NIGHTLY for one in lakehouse.partition_values(spec, "run_date")}
    return max(nights, default=None)


def read_night(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    policy: PolicyConfig,
    night: date,
    history_of: Callable[[date], History],
) -> NightData:
    """Everything about a night and the 90 days up to it, as if it were the newest.

    What is collected: per night a row per feature, of the night itself one per feature, slice and
    comparison, and the counted bins of the few features that get a picture.

    Args:
        lakehouse: has the tables.
        registry: has the models that the tables name.
        policy: the thresholds in use, shown where no decision was stored with its own.
        night: the date.
        history_of: a date -> how much log there was before it; asked where training rows say it.

    Raises:
        MissingTableError: if the night was neither checked, counted nor decided.
    """
    first = night - timedelta(days=HISTORY_DAYS - 1)
    if not any(lakehouse.count_rows(spec, {"run_date": [night]}) for spec in _NIGHTLY):
        raise MissingTableError(
            f"found no night of {night} in {lakehouse.root}, expected its data checks, drift or "
            "decisions: run `nightly` for it, or choose another date"
        )
    entries = tuple(e for e in read_entries(lakehouse, first) if e.decision.night <= night)
    history = _read_history(lakehouse, first, night)
    counted = history["run_date"].max() if len(history) else night
    data = NightData(
        night=night,
        entries=entries,
        checks=read_checks(lakehouse, night),
        alerts=_read_alerts(lakehouse, first, night),
        drift=with_statistic(lakehouse.read_rows(DRIFT, {"run_date": [counted]})),
        history=history,
        performance=lakehouse.read_rows(PERFORMANCE, {"run_date": Between(first, night)}),
        shapes=(),
        policy=entries[-1].policy if entries else policy,
        trained=None,
        effect=_read_effect(lakehouse, night),
        is_list_by_effect=is_list_by_effect(lakehouse, night),
    )
    if data.champion is not None:
        trained = registry.trained_as_of(data.champion)
        data = replace(data, trained=trained)
    if data.reference_version is not None:
        bundle = registry.load(data.reference_version)
        shapes = _read_shapes(lakehouse, bundle, data, history_of)
        data = replace(data, shapes=shapes)
    return data


def with_statistic(drift: pd.DataFrame) -> pd.DataFrame:
    """The drift rows with D in one column: of a category its total variation."""
    return drift.assign(statistic=drift["ks_statistic"].fillna(drift["total_variation"]))


def _read_alerts(lakehouse: Lakehouse, first: date, night: date) -> pd.DataFrame:
    rows = lakehouse.read_rows(ALERTS, {"run_date": Between(first, night)})
    # An end that no receiver took has a row of each night on which it was told again.
    is_first = rows["resolved"].isna() | (rows["resolved"] == rows["run_date"])
    return rows[is_first & ((rows["run_date"] == night) | rows["change"].isin(_CHANGES))]


def _read_effect(lakehouse: Lakehouse, night: date) -> pd.DataFrame:
    counted = [day for day in lakehouse.partition_values(EFFECT, "run_date") if day <= night]
    return lakehouse.read_rows(EFFECT, {"run_date": counted[-1:]})


def is_list_by_effect(lakehouse: Lakehouse, night: date) -> bool:
    """Whether the list of a night is ordered by what listing a user saves."""
    by_effect: Where = {"as_of": [night], "expected_saves": Between()}
    return lakehouse.count_rows(RETENTION_LISTS, by_effect) > 0


def _read_history(lakehouse: Lakehouse, first: date, night: date) -> pd.DataFrame:
    where: Where = {
        "run_date": Between(first, night),
        "comparison": [TRAINING],
        "slice": [ALL],
    }
    tested = with_statistic(lakehouse.read_rows(DRIFT, where))
    columns = ["run_date", "feature", "model_version", "statistic", "lower_bound"]
    return tested[columns].sort_values(["run_date", "feature"], ignore_index=True)


def _read_shapes(
    lakehouse: Lakehouse,
    bundle: ModelBundle,
    data: NightData,
    history_of: Callable[[date], History],
) -> tuple[Overlay | Mix, ...]:
    """The distributions of the prediction and of the features that are shown."""
    assert data.drift_night is not None
    names = [PREDICTION, *data.shown]
    where: Where = {
        "run_date": [data.drift_night],
        "model_version": [bundle.version],
        "slice": [ALL],
        "feature": names,
    }
    counted = {r.feature: (r.cells, r.counts) for r in lakehouse.collect_rows(DRIFT_CELLS, where)}
    levels, sample = bundle.encoding.levels, bundle.baseline
    tonight = history_of(data.drift_night) if LOG_DAYS in sample else NO_HISTORY
    shapes: list[Overlay | Mix | None] = []
    for name in names:
        if name not in counted:
            continue
        values = sample[name].to_numpy(dtype=np.float64)
        own = values[compared_rows(sample, need_to_compare(name), tonight)]
        if name in levels:
            every, part = (code_reference(codes, len(levels[name])) for codes in (values, own))
            found = recount_for(part, every, *counted[name])
            shapes.append(build_mix(name, part, found, levels[name]))
        else:
            part = build_reference(own)
            found = recount_for(part, build_reference(values), *counted[name])
            shapes.append(build_overlay(name, part, found))
    return tuple(shape for shape in shapes if shape is not None)
