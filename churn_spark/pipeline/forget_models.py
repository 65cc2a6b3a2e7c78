"""Models of long ago: forgotten with their runs; and the versions of tables that others name."""

from __future__ import annotations

from datetime import date as Date

from churn_spark.contracts.tables import EVENTS, TABLES, VALIDATION_SCORES, TableSpec
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.stores.decisions import read_entries
from churn_spark.timeline import days_after

_TAG = "version_"
"""Before the name of a table: the version of it that a training has read."""


def forget_models(
    lakehouse: Lakehouse, registry: ModelRegistry, night: Date, keep_days: int
) -> int:
    """Forget models that were trained before the last so many days, and that nothing needs.

    Returns how many runs that were.

    Whoever is champion or waits is kept, and so is every model that a night since then stood on,
    could go back to or decided about: done again, it loads that model.
    """
    first = days_after(night, -keep_days)
    needed: set[str | None] = set()
    for entry in read_entries(lakehouse, first):
        states = [state for state in (entry.before, entry.after) if state]
        needed |= {entry.decision.version}
        needed |= {one for state in states for one in (state.champion, state.previous)}
    runs = registry.trainings().forget(first, {version for version in needed if version})
    if runs and lakehouse.exists(VALIDATION_SCORES):
        lakehouse.delete_rows(VALIDATION_SCORES, {"run_id": runs})
    return len(runs)


def named_versions(
    lakehouse: Lakehouse, registry: ModelRegistry, night: Date | None, keep_days: int
) -> dict[TableSpec, set[int]]:
    """The versions of tables that trainings of so many days name, and those of models in use.

    Those of other tables, which were made anew since, are left out.
    """
    if not keep_days or not lakehouse.exists(EVENTS):
        return {}
    first = days_after(night, -keep_days) if night else None
    named: dict[TableSpec, set[int]] = {}
    specs = {f"{_TAG}{spec.name}": spec for spec in TABLES}
    table = lakehouse.table_id(EVENTS)
    for tags in registry.trainings().read(first):
        if tags.get("table_events") == table:
            for name, spec in specs.items():
                if name in tags:
                    named.setdefault(spec, set()).add(int(tags[name]))
    return {
        spec: {version for version in found if version <= lakehouse.version(spec)}
        for spec, found in named.items()
    }
