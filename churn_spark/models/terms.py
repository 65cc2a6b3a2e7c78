"""A term of a margin: what one feature, or one part of the offset, adds to it in each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_spark.arrays import Floats, Values
from churn_spark.contracts.features.parts import Part
from churn_spark.contracts.features.spec import Feature
from churn_spark.contracts.features.topics import topic_of
from churn_spark.models.words import Value


@dataclass(frozen=True)
class Term:
    """What is added to the margin of each row, and the value that it is due to.

    Attributes:
        topic: terms of one topic say nearly the same.
        contributions: in log-odds, shape (rows,).
        values: of the rows, as people know them, shape (rows,).
        typical: the same for all rows, or of each.
        source: the feature, or the part whose count it is.
        days: in which a part was counted, shape (rows,).
    """

    topic: str
    contributions: Floats
    values: Values
    typical: Value | Values
    source: Feature | Part
    days: Values | None = None

    def value_of(self, row: int) -> Value:
        """The value of a row."""
        value: Value = self.values[row]
        return value

    def typical_of(self, row: int) -> Value:
        """The typical value for a row."""
        value: Value = self.typical[row] if isinstance(self.typical, np.ndarray) else self.typical
        return value

    def feature_of(self, row: int) -> Feature:
        """The declaration that names the row's value."""
        if isinstance(self.source, Feature):
            return self.source
        assert self.days is not None
        return self.source.feature(int(self.days[row]))

    def are_apart(self, min_difference: float) -> NDArray[np.bool_]:
        """In which rows the value differs so much from the typical one that it tells something.

        Of what is a risk by its name, only where more of it raises the risk.

        Args:
            min_difference: share of the larger of the two; any other level of a category does.
        """
        if isinstance(self.source, Feature) and not self.source.is_numeric:
            return np.asarray(pd.notna(self.values) & (self.values != self.typical))
        values = self.values.astype(np.float64)
        typical = np.asarray(self.typical, dtype=np.float64)
        larger = np.maximum(np.abs(values), np.abs(typical))
        # Written so that what is unknown tells nothing.
        is_apart = np.abs(values - typical) >= min_difference * larger
        if isinstance(self.source, Feature) and self.source.is_risk:
            is_apart &= (values - typical) * self.contributions >= 0
        return np.asarray(is_apart & (values != typical))


def feature_terms(
    rows: pd.DataFrame,
    matrix: Floats,
    contributions: Floats,
    features: Sequence[Feature],
    typical: Mapping[str, Value],
) -> list[Term]:
    """A term for each feature.

    Args:
        rows: features as people know them.
        matrix: the same, encoded, shape (rows, features).
        contributions: of the features, shape (rows, features).
        features: their declarations, in order.
        typical: feature -> median or most frequent level of the training rows.
    """
    return [
        Term(
            topic_of(feature),
            contributions[:, column],
            matrix[:, column] if feature.is_numeric else rows[feature.name].to_numpy(),
            typical[feature.name],
            feature,
        )
        for column, feature in enumerate(features)
    ]
