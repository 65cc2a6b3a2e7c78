"""Layer gold: users as of a date, and what became of them."""

from __future__ import annotations

from churn_spark.contracts.features.parts import COUNTED_PARTS, PARTS
from churn_spark.contracts.features.spec import (
    BEHAVIOUR_FEATURES,
    FADING_FEATURES,
    SNAPSHOT_FEATURES,
)
from churn_spark.contracts.tables.table import Column, TableSpec, feature_column

SNAPSHOTS = TableSpec(
    "gold",
    "snapshots",
    "as-of date x user of the population",
    (
        Column("as_of", "date", "the snapshot knows events before this date 00:00 UTC"),
        Column("user_id", "string", ""),
        *map(feature_column, SNAPSHOT_FEATURES),
    ),
    partition_by=("as_of",),
)

BEHAVIOUR = TableSpec(
    "gold",
    "behaviour",
    "as-of date x user of the population x model version",
    (
        Column("as_of", "date", "the behaviour model has read transitions before this date"),
        Column("user_id", "string", ""),
        Column("model_version", "string", "whose behaviour model it is, in the MLflow registry"),
        *map(feature_column, BEHAVIOUR_FEATURES),
    ),
    partition_by=("as_of",),
)

BEHAVIOUR_PARTS = TableSpec(
    "gold",
    "behaviour_parts",
    "as-of date x user of the population x model version",
    (
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("model_version", "string", "whose behaviour model's log-odds are taken apart"),
        Column("watched_days", "long", "days since the later of registration and the log's start"),
        *(
            column
            for part in COUNTED_PARTS
            for column in (
                Column(f"n_{part.name}", "double", f"{part.what} in these days"),
                Column(f"typical_{part.name}", "double", f"typical of {part.counted_against}"),
            )
        ),
        *(
            Column(f"part_{name}", "double", f"log-odds that are due to {name}, Shapley value")
            for name in PARTS
        ),
        *(
            Column(
                f"without_{part.name}", "double", f"log-odds with a typical count of {part.what}"
            )
            for part in COUNTED_PARTS
        ),
        Column("with_other_level", "double", "log-odds if the free paid, and the paying did not"),
    ),
    partition_by=("as_of",),
)

FADING = TableSpec(
    "gold",
    "fading",
    "as-of date x user of the population x model version",
    (
        Column("as_of", "date", "the model of fading has read session days before this date"),
        Column("user_id", "string", ""),
        Column("model_version", "string", "whose model of fading it is, in the MLflow registry"),
        *map(feature_column, FADING_FEATURES),
    ),
    partition_by=("as_of",),
)

LABELS = TableSpec(
    "gold",
    "labels",
    "as-of date x user of the population x horizon x gap",
    (
        Column("as_of", "date", ""),
        Column("user_id", "string", ""),
        Column("horizon_days", "integer", "length of the window"),
        Column("gap_days", "integer", "days between as_of and the window"),
        Column(
            "label",
            "integer",
            "1 cancels in the window, 0 doesn't, null unknown, in the gap or before as_of",
        ),
        Column("is_known", "boolean", "whether all events of the window have come in"),
        Column("is_gap_cancel", "boolean", "cancels in the gap: left out of training"),
    ),
    partition_by=("as_of",),
)

BUILT_DATES = TableSpec(
    "gold",
    "built_dates",
    "as-of date x horizon x gap",
    (
        Column("as_of", "date", ""),
        Column("horizon_days", "integer", "length of the window"),
        Column("gap_days", "integer", "days between as_of and the window"),
        Column("snapshots_of", "string", "hash of the files that the snapshot was made of"),
        Column("labels_of", "string", "the same of the labels, with that of the snapshot"),
        Column("made_by", "string", "hash of the definitions that the snapshot was made by"),
        Column("session_days_version", "long", "version of session_days that it was made of"),
    ),
)
