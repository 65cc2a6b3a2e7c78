"""The model that answers: one row fast, many rows at once, and the check that it may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from churn_spark.config import ScoringConfig
from churn_spark.contracts.champion import CHECK_ROWS
from churn_spark.errors import ChampionError
from churn_spark.models.bundle import ModelBundle
from churn_spark.scoring.bands import BandLimits
from churn_spark.serving.trees import SingleRowTrees

_TOLERANCE: Final = 1e-9


@dataclass(frozen=True)
class Predictor:
    """A bundle that is ready to answer.

    Attributes:
        bundle: without its baseline, which only the check needs.
        limits: of the risk bands.
        scoring: which reasons are told, and how many.
        trees: for one row at a time.
        trained_on: what the model's training says of itself.
        loaded_at: when this process took it over, UTC.
    """

    bundle: ModelBundle
    limits: BandLimits
    scoring: ScoringConfig
    trees: SingleRowTrees
    trained_on: Mapping[str, str] = field(default_factory=dict)
    loaded_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def predict_one(self, values: Mapping[str, Any]) -> float:
        """The probability of one row; equal to that of `bundle.probabilities`."""
        bundle, margin = self.bundle, np.array([self.trees.margin(values)])
        if bundle.offset is not None:
            margin += bundle.offset.value_of(values)
        return float(bundle.calibration.probabilities(margin)[0])

    def explain_one(
        self, values: Mapping[str, Any], parts: Mapping[str, Any] | None = None
    ) -> list[str]:
        """The reasons of one row.

        Args:
            values: its features, by name.
            parts: of the behaviour model's log-odds, where they are known: the columns of
                `BEHAVIOUR_PARTS`.
        """
        features = {name: values.get(name) for name in self.bundle.encoding.features}
        row = pd.DataFrame([{**features, **(parts or {})}], dtype=object)
        return [reason.sentence for reason in self.bundle.reasons(row, self.scoring)[0]]


def build_predictor(
    bundle: ModelBundle, config: ScoringConfig, trained_on: Mapping[str, str]
) -> Predictor:
    """A predictor that has shown, on rows of its training, that it answers as it did there.

    Raises:
        FingerprintError: if it was trained on other feature definitions.
        ChampionError: if it answers otherwise than in training, or can't answer.
    """
    bundle.check_fingerprint()
    predictor = Predictor(
        bundle=replace(bundle, baseline=bundle.baseline.iloc[:0]),
        limits=BandLimits.of(bundle.base_rate, config),
        scoring=config,
        trees=SingleRowTrees(bundle.booster, bundle.encoding),
        trained_on=trained_on,
    )
    _check(predictor, bundle.baseline.head(CHECK_ROWS))
    return predictor


def _check(predictor: Predictor, baseline: pd.DataFrame) -> None:
    """The bundle remembers what it said of its training rows: it must say the same again."""
    version = predictor.bundle.version
    if baseline.empty:
        raise ChampionError(
            f"model version {version} has no baseline rows, expected some to check it on: train "
            "a new model with `train_model`"
        )
    rows = decode(predictor.bundle, baseline)
    remembered = baseline["churn_probability"].to_numpy()
    records: list[Any] = rows.to_dict("records")
    in_bulk = predictor.bundle.probabilities(rows)
    one_by_one = np.array([predictor.predict_one(row) for row in records])
    gap = float(np.max(np.abs([in_bulk - remembered, one_by_one - remembered])))
    # Not `gap > tolerance`: a NaN must not pass.
    if not gap <= _TOLERANCE:
        raise ChampionError(
            f"model version {version} is off by {gap:.3g} on rows of its own training, expected "
            f"at most {_TOLERANCE}: train a new model with `train_model`"
        )
    # Reasons are asked for rarely: find out now whether they can be given.
    predictor.explain_one(records[0])


def decode(bundle: ModelBundle, encoded: pd.DataFrame) -> pd.DataFrame:
    """Encoded training rows as snapshots hold them: levels for codes, None for the unknown."""
    rows = encoded.copy()
    for name, levels in bundle.encoding.levels.items():
        codes = encoded[name].to_numpy()
        rows[name] = pd.Series([*levels, None], dtype=object).to_numpy()[codes.astype(np.int64)]
    return rows
