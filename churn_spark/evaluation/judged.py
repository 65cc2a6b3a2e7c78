"""How a fitted model did on users in no fit."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from churn_spark.evaluation.metrics import Metrics


@dataclass(frozen=True)
class Judged:
    """One family's validation rows with its probabilities, and the figures on them.

    Attributes:
        rows: as_of, user_id, label, the encoded features and `churn_probability`.
        metrics: at the threshold chosen on the stopping users.
    """

    rows: pd.DataFrame
    metrics: Metrics
