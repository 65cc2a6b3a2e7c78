"""The scores of a date -> `retention_lists`: who to call that morning, and why."""

from __future__ import annotations

from datetime import date as Date
from datetime import timedelta
from itertools import chain
from pathlib import Path

import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.config import RetentionListConfig, ScoringConfig, UpliftConfig
from churn_spark.contracts.tables import (
    BEHAVIOUR,
    BEHAVIOUR_PARTS,
    BUILT_LISTS,
    CONTACTS,
    DECISIONS,
    FADING,
    RETENTION_LISTS,
    SCORES,
    SNAPSHOTS,
)
from churn_spark.contracts.tables.ml import CONTROL, LEFT_ALONE
from churn_spark.lakehouse.frames import first_rows
from churn_spark.lakehouse.selection import Between
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import read_as_of, read_known
from churn_spark.models.registry import ModelRegistry
from churn_spark.models.uplift.model import UpliftModel
from churn_spark.pipeline import record_contacts
from churn_spark.pipeline.behaviour import read_explained_users
from churn_spark.pipeline.uplift import find_order
from churn_spark.pipeline.use_case import UseCase
from churn_spark.scoring.by_effect import ByEffect
from churn_spark.scoring.control_group import only_listed
from churn_spark.scoring.list_csv import save_list_csv
from churn_spark.scoring.retention_list import add_changes, build_retention_list, measure_stability
from churn_spark.scoring.suppression import read_suppressed
from churn_spark.stores.user_ids import read_user_ids
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "build_retention_list",
    "as many users as the team can call, minus those who must not be contacted; with what "
    "would lower the risk and days on the list",
    reads=(SCORES, SNAPSHOTS),
    writes=(RETENTION_LISTS, BUILT_LISTS),
    reads_if_there=(
        BEHAVIOUR,
        BEHAVIOUR_PARTS,
        FADING,
        RETENTION_LISTS,
        BUILT_LISTS,
        CONTACTS,
        DECISIONS,
    ),
    takes=("the model that scored", "what `POST /contacts` was sent, merged first"),
)


def run(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    date: Date,
    config: RetentionListConfig,
    scoring: ScoringConfig,
    uplift: UpliftConfig,
    csv: Path | None = None,
) -> None:
    """Replace the list of the date, and export it where a path is given.

    Raises:
        MissingTableError: if the date has no scores.
        FingerprintError: if the model that scored knows other feature definitions.
        InputError: if the suppression list doesn't fit, or the CSV can't be written.
        ConfigError: if users are known by pseudonyms, and the environment lacks their key.
    """
    # What was sent of a list of the date that is replaced now is told by that list's users.
    record_contacts.run_if_any(lakehouse)
    with USE_CASE.start(lakehouse) as facts:
        users = read_user_ids(lakehouse)
        suppressed = [
            (users.stored(one), until)
            for one, until in read_suppressed(lakehouse.spark, config.suppressed)
        ]
        scores = read_as_of(lakehouse, SCORES, date)
        # What would help is asked of the model that scored, which may be champion no more.
        version = first_rows(scores, ["user_id"], 1)["model_version"].iloc[0]
        bundle = registry.load(version)
        bundle.check_fingerprint()
        previous = find_previous(lakehouse, date)
        earlier = read_earlier_lists(lakehouse, date, previous, config.quiet_days)
        model = find_order(lakehouse, registry, date, config, uplift)
        effect = by_effect(lakehouse, model, uplift) if model else None
        chosen = build_retention_list(scores, suppressed, earlier, date, config, effect, previous)
        explained = read_explained_users(lakehouse, date, bundle)
        listed = add_changes(chosen, explained, bundle, config, scoring.min_difference)
        lakehouse.replace_rows(listed, RETENTION_LISTS, {"as_of": [date]})
        stability = measure_stability(listed, earlier, date, previous)
        # After the list: whoever finds the note finds the list, too.
        lakehouse.replace_rows([(date, stability.n_listed)], BUILT_LISTS, {"as_of": [date]})
        facts.append(f"{count_of(stability.n_listed, 'user')} to call as of {date}")
        if n_control := int((listed["assignment"] == CONTROL).sum()):
            facts.append(f"{count_of(n_control, 'user')} withheld as control group")
        if model:
            facts.append(f"ordered by what listing a user saves, as known on {model.as_of}")
        if n_left := int((listed["assignment"] == LEFT_ALONE).sum()):
            facts.append(
                f"{count_of(n_left, 'user')} left alone: being listed makes them cancel more often"
            )
        facts.append(stability.describe())
        facts.append(f"model version {version}")
        if csv is not None:
            save_list_csv(only_listed(listed), csv, scoring.n_reasons, config.n_changes)
            facts.append(str(csv))


def by_effect(lakehouse: Lakehouse, model: UpliftModel, config: UpliftConfig) -> ByEffect:
    """What the model says of scored users, whose features are read when it is asked."""

    def saves(users: pd.DataFrame) -> Floats:
        keys, columns = users[["as_of", "user_id"]], ["as_of", "user_id", *model.encoding.features]
        known = read_known(lakehouse, SNAPSHOTS, keys, columns)
        return model.saves(users.merge(known, how="left", on=["as_of", "user_id"]))

    return ByEffect(saves, model.min_risk, model.leaves_alone, config.pool)


def find_previous(lakehouse: Lakehouse, date: Date) -> Date | None:
    """Date of the newest list before a date: an empty one has left no rows, and a note."""
    # Lists of an older release have no note.
    built = (lakehouse.partition_values(spec, "as_of") for spec in (BUILT_LISTS, RETENTION_LISTS))
    return max((day for day in chain(*built) if day < date), default=None)


def read_earlier_lists(
    lakehouse: Lakehouse, date: Date, previous: Date | None, quiet_days: int
) -> pd.DataFrame:
    """The newest list before a date, and those from which users still rest: who, since when."""
    first = min(previous or date, date - timedelta(days=quiet_days))
    columns = ["as_of", "user_id", "list_rank", "on_list_since", "assignment"]
    return lakehouse.read_rows(RETENTION_LISTS, {"as_of": Between(first, date)}, columns)
