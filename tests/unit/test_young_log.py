"""A log's first weeks are unlike all that come: no night is held for that."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path
from typing import cast

import pandas as pd
import pytest
from local_lakehouse import open_local
from serving_builders import make_bundle, make_rows

from churn_spark.config import load_config
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import EVENT_DAYS, QUARANTINE, SESSION_DAYS, SNAPSHOTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.registry import ModelRegistry
from churn_spark.monitoring.data_quality.checks import failed_checks
from churn_spark.pipeline.check_data import check_night
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.gather import Night
from churn_spark.timeline import LogSpan

TRAINED, TONIGHT = date(2018, 11, 12), date(2018, 11, 28)
BUNDLE = make_bundle(rounds=3)
COLUMN = "num_thumbs_up"


class Models:
    """A registry whose champion was trained on a night."""

    def load(self, _: str) -> ModelBundle:
        return BUNDLE

    def trained_as_of(self, _: str) -> date:
        return TRAINED


def failures_of(lakehouse: Lakehouse, held: Collection[date] = ()) -> tuple[str, ...]:
    """The checks of users that fail tonight."""
    log = LogDates(LogSpan(date(2018, 10, 1), TONIGHT), TONIGHT, frozenset(held))
    night = Night(TONIGHT, log, (), RegistryState("1", "", TRAINED))
    models = cast(ModelRegistry, Models())
    found = check_night(lakehouse, models, night, load_config().checks)
    return tuple(name for name in failed_checks(found) if ":" in name)


def write_users(lakehouse: Lakehouse, day: date, *, are_quiet: bool) -> None:
    users = make_rows(400, seed=1)
    users = users.assign(as_of=day, user_id=[f"u{n}" for n in range(len(users))])
    if are_quiet:
        users[COLUMN] = 0
    rows = pd.DataFrame(users, columns=SNAPSHOTS.column_names)
    lakehouse.replace_rows(rows, SNAPSHOTS, {"as_of": [day]})


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    """Tonight far more users have no thumbs up than in the training rows."""
    made = open_local(tmp_path)
    for spec in (EVENT_DAYS, QUARANTINE, SESSION_DAYS):
        made.create(spec)
    write_users(made, TONIGHT, are_quiet=True)
    return made


def test_night_is_sound_that_is_as_the_one_of_the_training(lakehouse: Lakehouse) -> None:
    assert failures_of(lakehouse) == (f"zeros:{COLUMN}",)
    write_users(lakehouse, TRAINED, are_quiet=True)
    assert failures_of(lakehouse) == ()
    # What was held says nothing of what is usual.
    assert failures_of(lakehouse, {TRAINED}) == (f"zeros:{COLUMN}",)


def test_feed_that_broke_after_the_training_is_found(lakehouse: Lakehouse) -> None:
    write_users(lakehouse, TRAINED, are_quiet=False)
    assert failures_of(lakehouse) == (f"zeros:{COLUMN}",)
