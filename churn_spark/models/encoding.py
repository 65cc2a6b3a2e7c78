"""Snapshot rows -> the numbers a model sees: one implementation for training, scoring, serving."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats


@dataclass(frozen=True)
class Encoding:
    """How each feature becomes a number, fitted on training rows only.

    Attributes:
        features: names, in the order of the matrix's columns.
        levels: category -> its levels, most frequent first. The code is the position; a rare,
            unknown or missing level has the code after the last.
        typical: feature -> median, or most frequent level, of the training rows.
        fingerprint: of the feature definitions.
    """

    features: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    typical: Mapping[str, float | str | None]
    fingerprint: str

    @property
    def categorical(self) -> list[str]:
        """Names of the categories, in matrix order."""
        return [name for name in self.features if name in self.levels]

    def only(self, names: Collection[str]) -> Encoding:
        """The encoding of some of the features, in the same order, fingerprint as it was."""
        return Encoding(
            tuple(name for name in self.features if name in names),
            {name: levels for name, levels in self.levels.items() if name in names},
            {name: value for name, value in self.typical.items() if name in names},
            self.fingerprint,
        )

    def encode(self, rows: pd.DataFrame) -> Floats:
        """The matrix of the rows.

        Args:
            rows: at least the columns `features`; missing numbers may be null or NaN.

        Returns:
            float64, shape (rows, features); missing numbers are NaN.
        """
        matrix = np.empty((len(rows), len(self.features)), dtype=np.float64)
        for position, name in enumerate(self.features):
            if name in self.levels:
                levels = self.levels[name]
                codes = {level: code for code, level in enumerate(levels)}
                matrix[:, position] = rows[name].map(codes).fillna(len(levels)).to_numpy()
            else:
                matrix[:, position] = rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
        return matrix

    def to_json(self) -> str:
        """The encoding as JSON text."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> Encoding:
        """The encoding of a JSON text written by `to_json`."""
        fields = json.loads(text)
        return Encoding(
            tuple(fields["features"]),
            {name: tuple(levels) for name, levels in fields["levels"].items()},
            fields["typical"],
            fields["fingerprint"],
        )
