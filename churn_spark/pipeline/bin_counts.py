"""The users of a night, and of the nights before, counted in the bins of a champion's reference."""

from __future__ import annotations

from datetime import date as Date
from datetime import timedelta
from functools import partial

from churn_spark.contracts.features.segments import SEGMENTS
from churn_spark.contracts.tables import DRIFT_CELLS, SCORES, SNAPSHOTS
from churn_spark.lakehouse.frames import HasValue, Rows, join, kept, only, stack, with_constants
from churn_spark.lakehouse.selection import Between, Where, spark_condition
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import (
    are_few,
    group_dates,
    read_as_of,
    read_dates,
    replace_users,
)
from churn_spark.models.bundle import ModelBundle
from churn_spark.monitoring.drift.comparisons import ROLLING_DAYS
from churn_spark.monitoring.frames.bin_counts import Edges, count_bins_by_feature, share_edges
from churn_spark.monitoring.frames.night_sums import find_own_nights, sum_nights
from churn_spark.monitoring.frames.reference import Reference, encode_users
from churn_spark.pipeline.behaviour import read_users, with_behaviour
from churn_spark.scoring.scores import predict_rows

_KEYS = ("as_of", "user_id")


def count_night(
    lakehouse: Lakehouse, date: Date, bundle: ModelBundle, reference: Reference
) -> Rows:
    """Replace the counts of the date's inputs and scores; returns the users that were counted."""
    scores = read_as_of(lakehouse, SCORES, date, [*_KEYS, "churn_probability"])
    users = join(read_users(lakehouse, date, bundle), scores, _KEYS, "inner")
    cells = _count(users, date, bundle, share_edges(users, reference.samples))
    replace_users(lakehouse, cells, DRIFT_CELLS, {"run_date": [date]})
    return users


def count_past_nights(
    lakehouse: Lakehouse,
    date: Date,
    bundle: ModelBundle,
    reference: Reference,
    since: Date | None = None,
) -> int:
    """Count the nights of the last weeks that were counted for other champions only.

    So a new champion is compared with earlier nights from its first one on. The users and the
    prediction are what this champion says of the snapshots of those nights; what was counted for
    others stays.

    Args:
        lakehouse: with the snapshots of those nights.
        date: the night.
        bundle: the champion.
        reference: its training rows.
        since: first night whose snapshot has the features as they are defined now; none: all.

    Returns:
        How many nights were counted.
    """
    nights = _nights_of_others(lakehouse, date, bundle.version)
    nights = [night for night in nights if since is None or night >= since]
    for some in group_dates(lakehouse, nights):
        _count_nights(lakehouse, some, bundle, reference)
    return len(nights)


def _count_nights(
    lakehouse: Lakehouse, nights: list[Date], bundle: ModelBundle, reference: Reference
) -> None:
    described = with_behaviour(lakehouse, read_dates(lakehouse, SNAPSHOTS, nights), bundle)
    scored = join(described, predict_rows(described, bundle), _KEYS, "inner")
    edges = share_edges(scored, reference.samples)
    with kept(scored) as users:
        parts = [_count(only(users, as_of=[n]), n, bundle, edges) for n in nights]
        where: Where = {"run_date": nights, "model_version": [bundle.version]}
        replace_users(lakehouse, stack(parts), DRIFT_CELLS, where)


def _nights_of_others(lakehouse: Lakehouse, date: Date, version: str) -> list[Date]:
    weeks = Between(date - timedelta(days=ROLLING_DAYS), date - timedelta(days=1))
    counted = lakehouse.read_rows(DRIFT_CELLS, {"run_date": weeks}, ["run_date", "model_version"])
    own = counted.loc[counted["model_version"] == version, "run_date"]
    return sorted({*counted["run_date"]} - {*own})


def read_cells(lakehouse: Lakehouse, date: Date, reference: Reference) -> Rows:
    """What was counted for a champion on the date and in the weeks before, summed where it may."""
    weeks = Between(date - timedelta(days=ROLLING_DAYS), date)
    where: Where = {"run_date": weeks, "model_version": [reference.version]}
    if not are_few(lakehouse, [date]):
        return lakehouse.read(DRIFT_CELLS).filter(spark_condition(where))
    counted = lakehouse.read_rows(DRIFT_CELLS, where, ["run_date", "slice", "feature"])
    nights = (
        lakehouse.read_rows(DRIFT_CELLS, {**where, "run_date": [night]})
        for night in sorted(set(counted["run_date"]))
    )
    return sum_nights(nights, find_own_nights(counted, date), reference.samples)


def _count(users: Rows, night: Date, bundle: ModelBundle, edges: HasValue[Edges]) -> Rows:
    """The bins of one night's users, as rows of `DRIFT_CELLS`."""
    coarse = bundle.features if bundle.is_coarse else ()
    encode = partial(encode_users, encoding=bundle.encoding, coarse=coarse)
    cells = count_bins_by_feature(users, edges, SEGMENTS, encode)
    dated = with_constants(cells, run_date=night, model_version=bundle.version)
    return dated[DRIFT_CELLS.column_names]
