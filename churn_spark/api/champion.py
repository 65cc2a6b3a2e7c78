"""The model that scores tonight: which it is, what it knows, what it says of some users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from churn_spark.contracts.champion import Published
from churn_spark.contracts.features.feature import Feature
from churn_spark.lakehouse.readable import ReadableLakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.importance import gain_shares
from churn_spark.pipeline.behaviour import with_behaviour
from churn_spark.serving.published import PublishedChampion

_KEYS = ["as_of", "user_id"]


@dataclass(frozen=True)
class Champion:
    """A published model.

    Attributes:
        version: in the model registry.
        trained_on: what its training says of itself: as-of date, label, rows, table versions.
    """

    version: str
    trained_on: Mapping[str, str]
    _lakehouse: ReadableLakehouse = field(repr=False)
    _published: Published = field(repr=False)

    @staticmethod
    def read(lakehouse: ReadableLakehouse) -> Champion:
        """The champion of a lakehouse.

        Raises:
            NoChampionError: before the first training.
        """
        published = PublishedChampion(lakehouse.root).newest()
        return Champion(published.version, published.trained_on, lakehouse, published)

    @cached_property
    def model(self) -> ModelBundle:
        """The model with all that belongs to it: trees (`model.booster`), encoding, calibration.

        Raises:
            ChampionError: if a file of it is missing or was changed.
        """
        return PublishedChampion(self._lakehouse.root).load(self._published)

    @property
    def metrics(self) -> Mapping[str, float]:
        """What its validation measured, by name: on users that it has not learnt from."""
        return self.model.metrics

    def importance(self) -> pd.DataFrame:
        """The features, the one that moves the scores most first.

        Columns: `feature`, `meaning`, `unit`, `share` (of the mean size of all contributions to
        the log-odds, on the training rows that are published with the model: a few hundred) and
        `gain` (of the loss that splits by it saved in training).
        """
        model = self.model
        names = [*model.encoding.features]
        matrix = model.baseline[names].to_numpy(dtype=np.float64)
        sizes = np.abs(model.contributions_of(matrix).values).mean(axis=0)
        known = {feature.name: feature for feature in model.features}
        shares = sizes / sizes.sum() if sizes.sum() else sizes
        rows = pd.DataFrame(
            {
                "feature": names,
                "meaning": [_said(known.get(name), "meaning") for name in names],
                "unit": [_said(known.get(name), "unit") for name in names],
                "share": shares,
                "gain": gain_shares(model.booster),
            }
        )
        return rows.sort_values("share", ascending=False, kind="stable", ignore_index=True)

    def predict(self, features: pd.DataFrame) -> pd.DataFrame:
        """The chance to cancel in the window of each row.

        Of a date on which the champion had already learnt, or before, this is no test of it: it
        may have learnt from these very users.

        Grain: (as_of, user_id), that of `features`; one more column, `churn_probability`.

        Args:
            features: rows as `features` or `snapshot` of the lakehouse give them, of any dates.

        Raises:
            FingerprintError: if the champion has learnt other definitions of its features.
        """
        self.model.check_fingerprint()
        rows = with_behaviour(self._lakehouse, features, self.model)
        assert isinstance(rows, pd.DataFrame)
        return rows[_KEYS].assign(churn_probability=self.model.probabilities(rows))


def _said(feature: Feature | None, name: str) -> str:
    """What a declaration says; nothing of a feature that is declared no more."""
    return "" if feature is None else str(getattr(feature, name))
