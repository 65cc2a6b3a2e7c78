"""Which single change of a user's features lowers the model's risk most.

This describes the model, not the world: it says what the model would have predicted of a user
who is the same but for one value. It is no estimate of what a call, an offer or a message
brings about, and features that move together in life are moved one by one here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.contracts.features.spec import Feature
from churn_spark.models.words import Value, describe_change, share_in_words

Predict = Callable[[pd.DataFrame], Floats]
Candidates = Mapping[Feature, Sequence[Value]]

_QUARTILES = (0.25, 0.5, 0.75)


@dataclass(frozen=True)
class Change:
    """One feature at another value, and what the model says then.

    Attributes:
        feature: its declaration.
        before: the user's value.
        after: the value tried.
        probability_before: of the user as they are.
        probability_after: always lower.
    """

    feature: Feature
    before: Value
    after: Value
    probability_before: float
    probability_after: float

    @property
    def text(self) -> str:
        """`predicted risk would be 8 % instead of 14 % with: visited 5 times instead of 1`."""
        change = describe_change(self.feature, self.before, self.after)
        now, then = map(share_in_words, (self.probability_before, self.probability_after))
        return f"predicted risk would be {then} instead of {now} with: {change}"


def best_changes(
    rows: pd.DataFrame,
    predict: Predict,
    candidates: Candidates,
    min_drop: float = 0.0,
) -> list[list[Change]]:
    """Of each row, the changes that lower the model's risk most, largest drop first.

    Each feature is named at most once, with the best of its candidates; ties keep the order of
    `candidates`. All rows are predicted once for each candidate, a feature at a time.

    Args:
        rows: feature values as people know them, not encoded.
        predict: rows -> probabilities, shape (rows,).
        candidates: feature -> values to try.
        min_drop: share of the risk that a change must take away to be named, in [0, 1).
    """
    before = predict(rows)
    found: list[list[Change]] = [[] for _ in range(len(rows))]
    for feature, values in candidates.items():
        name = feature.name
        lowest, which = before.copy(), np.full(len(rows), -1)
        for position, after in enumerate(_predict_each(rows, predict, name, values)):
            is_lower = after < lowest
            lowest[is_lower], which[is_lower] = after[is_lower], position
        is_worth_it = (which >= 0) & (lowest <= (1 - min_drop) * before)
        present = rows[name].to_numpy()
        for row in np.flatnonzero(is_worth_it):
            found[row].append(
                Change(
                    feature,
                    present[row],
                    values[which[row]],
                    float(before[row]),
                    float(lowest[row]),
                )
            )
    return [sorted(changes, key=lambda one: one.probability_after) for changes in found]


def _predict_each(
    rows: pd.DataFrame, predict: Predict, name: str, values: Sequence[Value]
) -> Floats:
    """The predictions with each value of a feature, shape (values, rows): asked for at once."""
    if not values:
        return np.empty((0, len(rows)))
    again = rows.iloc[np.tile(np.arange(len(rows)), len(values))]
    tried = again.assign(**{name: np.repeat(np.array(values), len(rows))})
    return predict(tried).reshape(len(values), len(rows))


def behaviour_candidates(
    features: Sequence[Feature],
    training_rows: pd.DataFrame,
    levels: Mapping[str, Sequence[str]],
    typical: Mapping[str, Value],
) -> dict[Feature, list[Value]]:
    """What to try by default: the quartiles and the typical value of what users do.

    Left out are features that nobody can change: who somebody is and where, time that has
    passed, totals that only grow, and what another model has concluded. Of the categories that
    leaves the subscription level.

    Args:
        features: of the model, in its order.
        training_rows: a sample of them; numbers as people know them.
        levels: category -> its levels.
        typical: feature -> median or most frequent level of the training rows.
    """
    return {
        feature: (
            _spread(training_rows[feature.name], typical[feature.name])
            if feature.is_numeric
            else list(levels[feature.name])
        )
        for feature in features
        if _can_change(feature)
    }


def _can_change(feature: Feature) -> bool:
    if not feature.is_numeric:
        return feature.name == "last_subscription_level"
    is_time = feature.is_trending or feature.follows_one_date
    return not (is_time or feature.is_sensitive or feature.unit == "probability")


def _spread(values: pd.Series, typical: Value) -> list[Value]:
    """Quartiles that are values which somebody has, and the typical value; each once."""
    known = values.dropna().to_numpy(dtype=np.float64)
    quartiles = np.quantile(known, _QUARTILES, method="nearest") if len(known) else []
    middle = [] if isinstance(typical, str) or pd.isna(typical) else [float(typical or 0)]
    return list(dict.fromkeys([*middle, *map(float, quartiles)]))
