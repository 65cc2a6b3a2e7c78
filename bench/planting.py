"""What a leak is planted with: the honest table, the log it was built from, its changed futures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

import pandas as pd

from bench.honest_table import (
    TEST_DATE,
    TRAIN_DATES,
    build_honest_table,
    build_rows,
    build_seen,
    build_spans,
)
from bench.leak_log import SETTINGS, LeakLog, poison, simulate_leak_log
from churn_spark.leakage.table import KEY, FeatureTable, Rebuilds
from churn_spark.simulate.settings import SimulationSettings

Columns = Mapping[str, Any]
Plant = Callable[["Planting"], FeatureTable]


@dataclass(frozen=True)
class Planting:
    """An honest table and everything that it could have been built from.

    Attributes:
        log: the events.
        poisoned: date -> the log with everything at or after that date changed.
        honest: the table.
        population_of: date -> the rows of its population, features as in the table.
        seen_by: date -> the same of everybody seen before it, those too who are gone.
    """

    log: LeakLog
    poisoned: Mapping[date, LeakLog]
    honest: FeatureTable
    population_of: Callable[[date], pd.DataFrame]
    seen_by: Callable[[date], pd.DataFrame]

    def with_columns(self, build: Callable[[LeakLog, date], Columns]) -> FeatureTable:
        """The honest table with further features.

        Args:
            build: the columns of every user, in the order of `log.users`, from a log and an
                as-of date. It is asked of the log, and for the rebuild of the changed ones.
        """
        dates = sorted(self.poisoned)
        columns = _keyed({day: (self.log, build(self.log, day)) for day in dates})
        rebuilt = _keyed({day: (log, build(log, day)) for day, log in self.poisoned.items()})
        table = self.honest
        assert table.rebuilds is not None
        return self.with_features(
            table.rows.merge(columns, on=KEY, how="left", validate="one_to_one"),
            Rebuilds(
                table.rebuilds.before.merge(columns, on=KEY, how="left"),
                table.rebuilds.after.merge(rebuilt, on=KEY, how="left"),
            ),
        )

    def with_features(self, rows: pd.DataFrame, rebuilds: Rebuilds | None = None) -> FeatureTable:
        """The honest table with other rows; columns that it doesn't know are features.

        Without rebuilds the question what the future changes isn't asked: these columns come
        from the table, not from the log.
        """
        new = [c for c in rows.columns if c not in self.honest.rows.columns]
        features = (*self.honest.features, *new)
        return replace(self.honest, rows=rows, features=features, rebuilds=rebuilds)

    def with_rows(self, rows: pd.DataFrame) -> FeatureTable:
        """The honest table with other rows of the same columns; its rebuilds stay honest."""
        spans = [build_spans(self.log, day) for day in sorted(rows["as_of"].unique())]
        return replace(self.honest, rows=rows, spans=pd.concat(spans, ignore_index=True))


@dataclass(frozen=True)
class Leak:
    """One way to know the outcome.

    Attributes:
        name: of the leak.
        story: how it comes about.
        check: name of the check that must find it.
        feature: what that finding must name.
        plant: an honest table and its log -> the table with the leak.
    """

    name: str
    story: str
    check: str
    feature: str
    plant: Plant


def entered_in(catalogue: list[Leak]) -> Callable[[str, str], Callable[[Plant], Plant]]:
    """A decorator `leak(check, feature)` that enters a function under its name and docstring."""

    def leak(check: str, feature: str) -> Callable[[Plant], Plant]:
        def enter(plant: Plant) -> Plant:
            story = (plant.__doc__ or "").strip()
            catalogue.append(Leak(plant.__name__, story, check, feature, plant))
            return plant

        return enter

    return leak


def prepare_planting(settings: SimulationSettings = SETTINGS) -> Planting:
    """Simulate a log and build its honest table."""
    log = simulate_leak_log(settings)
    poisoned = {day: poison(log, day) for day in (*TRAIN_DATES, TEST_DATE)}
    return Planting(
        log,
        poisoned,
        build_honest_table(log, poisoned),
        partial(build_rows, log),
        partial(build_seen, log),
    )


def _keyed(built: Mapping[date, tuple[LeakLog, Columns]]) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"as_of": day, "user_id": log.users["user_id"], **columns})
        for day, (log, columns) in built.items()
    ]
    return pd.concat(frames, ignore_index=True)
