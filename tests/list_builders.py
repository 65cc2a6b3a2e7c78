"""A small model for tests of the list: few songs raise the risk, the level free by default."""

from __future__ import annotations

import lightgbm
import numpy as np
import pandas as pd

from churn_spark.contracts.features.spec import fingerprint, named
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding

_SONGS, _LEVEL = "songs_7d", "last_subscription_level"


def small_bundle(version: str = "4", free_risk: float = 0.2) -> ModelBundle:
    """Two features, twenty trees, no offset; the level free adds to the risk."""
    generator = np.random.default_rng(5)
    matrix = np.column_stack([generator.integers(0, 60, 600), generator.integers(0, 2, 600)])
    risk = np.where(matrix[:, 0] < 20, 0.6, 0.1) + free_risk * matrix[:, 1]
    labels = (generator.random(600) < risk).astype(float)
    parameters = {"objective": "binary", "num_threads": 1, "verbosity": -1, "num_leaves": 4}
    trees = lightgbm.train(parameters, lightgbm.Dataset(matrix.astype(float), labels), 20)
    names = (_SONGS, _LEVEL)
    typical = {_SONGS: 30.0, _LEVEL: "paid"}
    return ModelBundle(
        native_text=trees.model_to_string(),
        encoding=Encoding(names, {_LEVEL: ("paid", "free")}, typical, fingerprint(named(names))),
        calibration=Calibration("none"),
        base_rate=0.3,
        label={"kind": "horizon", "horizon_days": 14, "gap_days": 1},
        baseline=pd.DataFrame(matrix, columns=list(names)),
        version=version,
    )
