"""Snapshot rows and a model -> scores: probability, rank, band, value at risk and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.config import ScoringConfig
from churn_spark.contracts.survival import (
    CAP_DAYS,
    EXPECTED_DAYS,
    FEE_DAYS,
    SURVIVAL_DAYS,
    survival_columns,
)
from churn_spark.contracts.tables import BEHAVIOUR, BEHAVIOUR_PARTS, FADING, SCORES
from churn_spark.contracts.tables.ml import SEEN_VERSION
from churn_spark.lakehouse.frames import Batches, Rows, apply, numbered
from churn_spark.lakehouse.schema import struct_of, with_doubles
from churn_spark.models.bundle import ModelBundle
from churn_spark.scoring.bands import BandLimits

_KEYS: Final = ["as_of", "user_id"]
_LEVEL: Final = "last_subscription_level"
_RANK: Final = "risk_rank"
_BY_RISK: Final = ("-churn_probability", "user_id")


def build_scores(
    users: Rows, bundle: ModelBundle, config: ScoringConfig, value_by_level: Mapping[str, float]
) -> Rows:
    """The probability of each user of a snapshot, with how long they stay, band, value and reasons.

    Its rank and the past that it saw come later.

    LightGBM's own library scores each batch in one call; SynapseML's transform would call it row
    by row.

    Grain: (as_of, user_id, model_version).

    Args:
        users: the features; with the columns of `BEHAVIOUR_PARTS`, and what the models of behaviour
            and of fading say, where these are known.
        bundle: the model that scores.
        config: bands and reasons.
        value_by_level: what a subscriber of each level is worth, see `value_at_risk`.
    """
    model = bundle.without_baseline()
    limits = BandLimits.of(bundle.base_rate, config)

    def score(batches: Batches) -> Batches:
        for batch in batches:
            reasons = model.reasons(batch, config)
            probabilities = model.probabilities(batch)
            staying = staying_columns(batch, probabilities, model)
            yield pd.DataFrame(
                {
                    "as_of": batch["as_of"],
                    "user_id": batch["user_id"],
                    "model_version": model.version,
                    "churn_probability": probabilities,
                    "risk_band": [limits.band(one) for one in probabilities],
                    **staying,
                    "value_at_risk": value_at_risk(
                        probabilities, staying[EXPECTED_DAYS], batch[_LEVEL], value_by_level
                    ),
                    "reasons": [[one.sentence for one in several] for several in reasons],
                    "reason_fields": [[one.fields() for one in several] for several in reasons],
                }
            )

    later = (_RANK, SEEN_VERSION)
    schema = struct_of(SCORES, [name for name in SCORES.column_names if name not in later])
    told = [name for spec in (BEHAVIOUR_PARTS, BEHAVIOUR, FADING) for name in spec.column_names]
    told += [*survival_columns("behaviour"), *survival_columns("fading")]
    beside = [name for name in told if name in users.columns]
    inputs = users[[*dict.fromkeys([*_KEYS, _LEVEL, *bundle.encoding.features, *beside])]]
    return apply(inputs, score, schema)


@contextmanager
def ranked(scores: Rows) -> Iterator[Rows]:
    """The scores with the rank of each, from 1 for the largest risk of its date.

    Grain: that of `scores`, (as_of, user_id, model_version).
    """
    with numbered(scores, _BY_RISK, _RANK) as found:
        yield found[SCORES.column_names]


def predict_rows(users: Rows, bundle: ModelBundle, name: str = "churn_probability") -> Rows:
    """The probability of each row, without reasons.

    Grain: that of `users`, (as_of, user_id); one more column, with the name given.
    """
    model = bundle.without_baseline()

    def predict(batches: Batches) -> Batches:
        for batch in batches:
            yield batch[_KEYS].assign(**{name: model.probabilities(batch)})

    schema = with_doubles(struct_of(SCORES, _KEYS), [name])
    return apply(users[[*dict.fromkeys([*_KEYS, *bundle.encoding.features])]], predict, schema)


def value_at_risk(
    probabilities: Floats,
    expected_days: Floats,
    levels: pd.Series,
    value_by_level: Mapping[str, float],
) -> Floats:
    """What is lost on average if nobody does anything: fees of the days that users don't stay.

    Of the `CAP_DAYS` days from the start of the window on. In the unit of the values, which are
    those of `FEE_DAYS` days. A level that has no value, or none at all, counts as the least: who
    pays an unknown fee isn't called first, and never where the least is 0.

    Args:
        probabilities: of the label; shape (users,).
        expected_days: that users stay, capped; NaN where no cancellation is forecast: what is at
            risk then is probability x value.
        levels: of the subscription, same shape.
        value_by_level: what a subscriber of each level pays in `FEE_DAYS` days.
    """
    worth = levels.map(dict(value_by_level)).astype(np.float64).fillna(min(value_by_level.values()))
    lost = (CAP_DAYS - expected_days) / FEE_DAYS
    found: Floats = np.where(np.isnan(lost), probabilities, lost) * worth.to_numpy()
    return found


def staying_columns(
    rows: pd.DataFrame, probabilities: Floats, model: ModelBundle
) -> dict[str, Floats]:
    """Column -> how likely and how long users stay; NaN where no cancellation is forecast.

    Args:
        rows: with what the models of behaviour and of fading say, where it has these.
        probabilities: as served, shape (users,).
        model: that serves them.
    """
    names = survival_columns()
    if not model.forecasts_cancels:
        return dict.fromkeys([*names, EXPECTED_DAYS], np.full(len(rows), np.nan))
    curves = model.curves(rows, probabilities)
    staying = dict(zip(names, curves.survival(SURVIVAL_DAYS).T, strict=True))
    return staying | {EXPECTED_DAYS: curves.expected_days(CAP_DAYS)}
