"""The rows of a training: joined, described, encoded and stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date as Date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.config import LearningConfig
from churn_spark.contracts.features.spec import model_features
from churn_spark.contracts.tables import (
    LABELS,
    SESSION_DAYS,
    SNAPSHOTS,
    TRANSITIONS,
    TableSpec,
)
from churn_spark.features.labels import build_lifetime_labels, with_horizon
from churn_spark.features.snapshots import build_lifetime_snapshots
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.behaviour.evidence import build_behaviour
from churn_spark.models.behaviour.fitting import build_registrations, fit_behaviour
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.encoding import Encoding
from churn_spark.models.learnt_rows import LearntRows
from churn_spark.models.splits import STOPPING, TRAIN, held_out_users
from churn_spark.models.training_rows import (
    check_enough_cancels,
    count_by_split,
    encode_rows,
    fit_encoding,
    join_behaviour,
    join_labels,
)
from churn_spark.pipeline.dates import LogDates, training_dates


@dataclass(frozen=True)
class TrainingData:
    """Encoded rows in a table, and what made them.

    Attributes:
        learnt: the rows to learn from, encoded, as in the table.
        described: all rows, as people know them, with `label`, `split` and segments.
        encoding: of their features, fitted on rows to learn from.
        behaviour: model of the features of the set `behaviour`; none where it isn't used.
        n_rows: split -> rows.
        n_positive: split -> cancellations.
    """

    learnt: LearntRows
    described: LearntRows
    encoding: Encoding
    behaviour: BehaviourModel | None
    n_rows: dict[str, int]
    n_positive: dict[str, int]

    def release(self) -> None:
        """Let go of what Spark keeps of them."""
        self.described.spark.unpersist()


def label_snapshots(
    lakehouse: Lakehouse, log: LogDates, date: Date, config: LearningConfig
) -> tuple[DataFrame, DataFrame]:
    """The snapshots a training on the date learns from, and their labels."""
    if config.is_lifetime:
        days = lakehouse.read(SESSION_DAYS).filter(F.col("event_date") < F.lit(date))
        snapshots = build_lifetime_snapshots(days, date, log.span.start)
        return snapshots, build_lifetime_labels(snapshots, days)
    is_chosen = F.col("as_of").isin(training_dates(log, config, date))
    labels = with_horizon(lakehouse.read(LABELS), config.labels.horizon)
    return lakehouse.read(SNAPSHOTS).filter(is_chosen), labels.filter(is_chosen)


def prepare(
    lakehouse: Lakehouse,
    log: LogDates,
    date: Date,
    labelled: tuple[DataFrame, DataFrame],
    spec: TableSpec,
    config: LearningConfig,
    train_dates: Collection[Date] | None = None,
) -> TrainingData:
    """Join, describe, encode and store the rows of a training.

    Args:
        lakehouse: with the tables before a training.
        log: the dates of the log.
        date: nothing of it or later is used to learn from.
        labelled: snapshots of the dates to train and to test on, and their labels.
        spec: table to store the encoded rows in.
        config: of the training.
        train_dates: the dates to learn from; all of them where none are given.

    Raises:
        TooFewCancelsError: if there is too little to learn from.
    """
    is_learnt = F.col("as_of").isin(*train_dates) if train_dates else F.lit(True)
    sets = used_sets(config)
    # Counted, then joined twice: small jobs on rows that fit in memory, spilled if not.
    rows = join_labels(*labelled, config.training).persist()
    counts = {row.split: row for row in count_by_split(rows.filter(is_learnt)).collect()}
    n_rows = {split: row.n for split, row in counts.items()}
    n_positive = {split: row.n_positive for split, row in counts.items()}
    check_enough_cancels(n_positive, sum(n_rows.values()), config.training)
    behaviour = fit_behaviour_before(lakehouse, log, date, config) if "behaviour" in sets else None
    joined = rows
    if behaviour is not None:
        transitions = lakehouse.read(TRANSITIONS)
        found = build_behaviour(rows, transitions, behaviour, config.labels.horizon)
        joined = join_behaviour(rows, found)
    described = LearntRows.of(joined.persist())
    rows.unpersist()
    features = model_features(sets, use_gender=config.training.use_gender)
    learnt = described.where("as_of", train_dates) if train_dates else described
    fitted_on = learnt.where("split", [TRAIN, STOPPING])
    encoding = fit_encoding(fitted_on, features, config.encoding.max_levels)
    encoded = encode_rows(described, encoding)
    lakehouse.overwrite(encoded.spark, spec)
    stored = LearntRows(lakehouse.read(spec), encoded.collected)
    if train_dates:
        stored = stored.where("as_of", train_dates)
    return TrainingData(stored, described, encoding, behaviour, n_rows, n_positive)


def used_sets(config: LearningConfig) -> tuple[str, ...]:
    """The feature sets of the trees, for the kind of label."""
    training = config.training
    return training.retrospective_sets if config.is_lifetime else training.feature_sets


def fit_behaviour_before(
    lakehouse: Lakehouse, log: LogDates, date: Date, config: LearningConfig
) -> BehaviourModel:
    """Fit the behaviour model to what users in no validation did before the date."""
    is_learnt_from = ~held_out_users(F.col("user_id"), config.training)
    return fit_behaviour(
        lakehouse.read(TRANSITIONS).filter(is_learnt_from),
        build_registrations(lakehouse.read(SESSION_DAYS), date),
        log.span.start,
        date,
        config.behaviour,
    )
