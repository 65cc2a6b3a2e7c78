"""Encoded rows with a planted truth, for what fits trees."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn_spark.models.encoding import Encoding

COARSE = ("lightgbm.max_rounds=20", "behaviour.n_classes=[3]", "behaviour.n_starts=1")
"""Overrides for tests in which it doesn't matter how well the models fit."""
BRIEF_BACKTEST = ("backtest.n_test_dates=1", "backtest.n_replicas=50", "backtest.n_folds=2")
"""Overrides for tests in which it doesn't matter how sure a backtest is."""
FEATURES = ("signal", "noise", "place", "stated")
ENCODING = Encoding(FEATURES, {"place": tuple(f"p{n}" for n in range(40))}, {}, "test")


def planted_rows(seed: int = 1, n: int = 2000) -> pd.DataFrame:
    """Rows whose chance of a 1 depends on `signal`, which `stated` says in part.

    Some values of `noise` and of `stated`, a probability, are missing.
    """
    rng = np.random.default_rng(seed)
    signal = rng.normal(size=n)
    label = rng.random(n) < 1 / (1 + np.exp(2.5 - 2 * signal))
    stated = 1 / (1 + np.exp(2.5 - signal - rng.normal(size=n)))
    return pd.DataFrame(
        {
            "as_of": pd.Timestamp("2018-11-05").date(),
            "user_id": [f"u{i}" for i in range(n)],
            "label": label.astype("int32"),
            "split": rng.choice(["train", "stopping", "validation"], n, p=[0.64, 0.16, 0.2]),
            "signal": signal,
            "noise": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "place": rng.integers(0, 41, n).astype(float),
            "stated": np.where(rng.random(n) < 0.1, np.nan, stated),
        }
    )
