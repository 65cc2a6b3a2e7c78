"""The rows of a training: joined, described, encoded and stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date as Date
from functools import partial, reduce

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.config import LearningConfig
from churn_spark.contracts.features.feature import Feature
from churn_spark.contracts.features.spec import measures_silence, model_features
from churn_spark.contracts.tables import (
    LABELS,
    SESSION_DAYS,
    SNAPSHOTS,
    TableSpec,
)
from churn_spark.evaluation.treated import weigh_rows
from churn_spark.features.labels import build_lifetime_labels, with_horizon
from churn_spark.features.snapshots import build_lifetime_snapshots
from churn_spark.lakehouse.frames import Rows, join, kept, to_spark
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.lakehouse.user_rows import are_few, replace_users
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.encoding import Encoding
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.learnt_rows import MAX_COLLECTED_ROWS, LearntRows
from churn_spark.models.splits import STOPPING, TRAIN
from churn_spark.models.training_rows import (
    check_enough_cancels,
    encode_rows,
    fit_encoding,
    join_labels,
)
from churn_spark.pipeline.behaviour import forecast_rows
from churn_spark.pipeline.behaviour_fit import fit_behaviour_before
from churn_spark.pipeline.dates import LogDates, training_dates
from churn_spark.pipeline.fading import fading_rows, fit_fading_before
from churn_spark.pipeline.labels import horizon_of
from churn_spark.pipeline.treated import Changed, count_changed, read_treatment, weigh
from churn_spark.timeline import Horizon


@dataclass(frozen=True)
class TrainingData:
    """Encoded rows in a table, and what made them.

    Where contacts may have changed outcomes, rows have a `weight`, too.

    Attributes:
        learnt: the rows to learn from, encoded, as in the table.
        described: all rows, as people know them, with `label`, `split` and segments; those that
            count 0 among them.
        population: all rows of the dates to learn from, encoded: what tonight's users are
            compared with, also those whose outcome doesn't count.
        encoding: of their features, fitted on rows to learn from.
        behaviour: model of the features of the set `behaviour`; none where it isn't used.
        fading: model of the features of the set `fading`; none where it isn't used.
        n_rows: split -> rows.
        n_positive: split -> cancellations.
        log: the dates of the log that they are of.
        changed: rows whose outcome a contact may have changed; none where there are none.
    """

    learnt: LearntRows
    described: LearntRows
    population: LearntRows
    encoding: Encoding
    behaviour: BehaviourModel | None
    fading: FadingModel | None
    n_rows: dict[str, int]
    n_positive: dict[str, int]
    log: LogDates
    changed: Changed | None = None

    def release(self) -> None:
        """Let go of what Spark keeps of them."""
        if self.described.collected is None:
            self.described.spark.unpersist()


def label_snapshots(
    lakehouse: Lakehouse, log: LogDates, date: Date, config: LearningConfig
) -> tuple[Rows, Rows]:
    """The snapshots a training on the date learns from, and their labels."""
    if config.is_lifetime:
        days = lakehouse.read(SESSION_DAYS).filter(F.col("event_date") < F.lit(date))
        snapshots = build_lifetime_snapshots(days, date, log.span.start)
        return snapshots, build_lifetime_labels(snapshots, days)
    return label_dates(lakehouse, training_dates(log, config, date), config)


def label_dates(
    lakehouse: Lakehouse, dates: Collection[Date], config: LearningConfig
) -> tuple[Rows, Rows]:
    """Snapshots and labels of some dates: on the driver where all of them fit there."""
    n_rows = lakehouse.count_rows(SNAPSHOTS, {"as_of": dates})
    if n_rows <= MAX_COLLECTED_ROWS and all(are_few(lakehouse, [day]) for day in dates):
        where: Where = {"as_of": dates, **horizon_of(config.labels.horizon)}
        return lakehouse.read_rows(SNAPSHOTS, {"as_of": dates}), lakehouse.read_rows(LABELS, where)
    is_chosen = F.col("as_of").isin(*dates)
    labels = with_horizon(lakehouse.read(LABELS), config.labels.horizon)
    return lakehouse.read(SNAPSHOTS).filter(is_chosen), labels.filter(is_chosen)


def prepare(
    lakehouse: Lakehouse,
    log: LogDates,
    date: Date,
    labelled: tuple[Rows, Rows],
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
    sets = used_sets(config)
    with kept(join_labels(*labelled, config.training)) as joined:
        labelled_rows, changed = _learnt(lakehouse, joined), None
        treatment = read_treatment(lakehouse, labelled_rows.dates, config)
        if treatment is not None:
            changed = count_changed(labelled_rows.rows, treatment, lakehouse)
            labelled_rows = _learnt(lakehouse, weigh(labelled_rows.rows, treatment))
        counts = _of_dates(labelled_rows.counting, train_dates).by_split
        n_rows = dict(zip(counts["split"], counts["n"], strict=True))
        n_positive = dict(zip(counts["split"], counts["n_positive"], strict=True))
        check_enough_cancels(n_positive, n_rows, config.training)
        behaviour, fading, described = None, None, labelled_rows
        if "behaviour" in sets:
            behaviour = fit_behaviour_before(lakehouse, log, date, config)
        if "fading" in sets:
            fading = fit_fading_before(lakehouse, log, date, config)
        described = _describe(lakehouse, labelled_rows, behaviour, fading, config.labels.horizon)
    features = chosen_features(sets, config)
    fitted_on = _of_dates(described.counting, train_dates).where("split", [TRAIN, STOPPING])
    encoding = fit_encoding(fitted_on, features, config.encoding.max_levels)
    encoded = encode_rows(described.counting.rows, encoding)
    replace_users(lakehouse, encoded, spec, where={})

    def read() -> DataFrame:
        return to_spark(weigh(lakehouse.read(spec), treatment), spec, lakehouse.spark)

    collected = weigh_rows(encoded, treatment) if isinstance(encoded, pd.DataFrame) else None
    stored = _of_dates(LearntRows(lakehouse.spark, read, collected), train_dates)
    population = stored
    if treatment is not None:
        population = _of_dates(_encode_all(lakehouse, described, encoding), train_dates)
    return TrainingData(
        stored, described, population, encoding, behaviour, fading, n_rows, n_positive, log, changed
    )


def _encode_all(lakehouse: Lakehouse, described: LearntRows, encoding: Encoding) -> LearntRows:
    """All rows encoded, those that count 0 too; nowhere stored."""
    encoded = encode_rows(described.rows, encoding)
    if isinstance(encoded, pd.DataFrame):
        return LearntRows.of_frame(encoded, lakehouse.spark)
    found = encoded
    return LearntRows(lakehouse.spark, lambda: found, None)


def _of_dates(rows: LearntRows, dates: Collection[Date] | None) -> LearntRows:
    return rows.where("as_of", dates) if dates else rows


def _describe(
    lakehouse: Lakehouse,
    rows: LearntRows,
    behaviour: BehaviourModel | None,
    fading: FadingModel | None,
    horizon: Horizon,
) -> LearntRows:
    """The rows with the features that the models forecast; Spark keeps them where it has them."""
    found = []
    if behaviour is not None:
        found.append(forecast_rows(lakehouse, rows.rows, behaviour, horizon))
    if fading is not None:
        found.append(fading_rows(lakehouse, rows.rows, fading, horizon))
    if not found:
        return rows
    joined = reduce(partial(join, keys=("as_of", "user_id"), how="left"), found, rows.rows)
    return _learnt(lakehouse, joined.persist() if isinstance(joined, DataFrame) else joined)


def _learnt(lakehouse: Lakehouse, rows: Rows) -> LearntRows:
    if isinstance(rows, DataFrame):
        return LearntRows.of(rows)
    return LearntRows.of_frame(rows, lakehouse.spark)


def used_sets(config: LearningConfig) -> tuple[str, ...]:
    """The feature sets of the trees, for the kind of label."""
    training = config.training
    if config.is_lifetime:
        return training.retrospective_sets
    if config.labels.churn != "cancel":
        # The other models forecast cancels.
        return tuple(one for one in training.feature_sets if one not in ("behaviour", "fading"))
    return training.feature_sets


def chosen_features(sets: Collection[str], config: LearningConfig) -> tuple[Feature, ...]:
    """The features of some sets that a model may see, for the kind of label."""
    features = model_features(sets, use_gender=config.training.use_gender)
    if config.labels.churn != "inactivity":
        return features
    return tuple(feature for feature in features if not measures_silence(feature))
