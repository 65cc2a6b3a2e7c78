"""How a fitted model does on the validation users, who are in no fit."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from churn_spark.evaluation.metrics import Metrics


@dataclass(frozen=True)
class Evaluation:
    """One family's validation rows with its probabilities, and the metrics on them.

    Attributes:
        rows: as_of, user_id, label, the encoded features and `churn_probability`.
        metrics: at the threshold chosen on the stopping users.
    """

    rows: pd.DataFrame
    metrics: Metrics
