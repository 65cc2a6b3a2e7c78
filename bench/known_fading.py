"""The rows of a date in a world of fading interest, told by who knows its rules and its log."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

from bench.fading_ceiling import forecast_true
from bench.worlds import World, evidence_of, true_classes
from churn_spark.arrays import Floats
from churn_spark.contracts.tables import SESSION_DAYS
from churn_spark.lakehouse.selection import Between
from churn_spark.models.behaviour.mixture import class_log_weights
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.fading.evidence import DAY_COLUMNS
from churn_spark.pipeline.context import JobContext
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.timeline import SECONDS_PER_DAY, Horizon, day_start_millis


def best_when_fading(
    context: JobContext,
    world: World,
    settings: SimulationSettings,
    rows: pd.DataFrame,
    fitted: BehaviourModel,
) -> Floats:
    """What the filter of the world's rules says of rows of one date; see `fading_ceiling`.

    Args:
        context: of the log.
        world: that the log was simulated in.
        settings: of it.
        rows: of users who haven't cancelled.
        fitted: behaviour model of the log, for what isn't counted from the truth.

    Returns:
        Shape (rows,).
    """
    model = true_classes(context, world, fitted)
    evidence = evidence_of(context, rows, model)
    by_user = rows[["user_id"]].merge(evidence, on="user_id", how="left")
    names = [f"log_likelihood_{number}" for number in range(len(model.mixture.shares))]
    personas = np.exp(class_log_weights(model.mixture, by_user[names].to_numpy()))
    as_of = rows["as_of"].iloc[0]
    before = {"event_date": Between(settings.start, as_of - pd.Timedelta(days=1))}
    days = pl.DataFrame(context.lakehouse.read_arrow(SESSION_DAYS, before, [*DAY_COLUMNS]))
    tenure = rows["tenure_days"].to_numpy(dtype=np.float64) * SECONDS_PER_DAY
    users = pl.DataFrame(
        {
            "user_id": rows["user_id"].to_list(),
            "registered": day_start_millis(as_of) / 1000.0 - tenure,
        }
    )
    labels = context.config.labels
    horizon = Horizon(labels.horizon_days, labels.gap_days)
    return forecast_true(settings, days, users, personas, as_of, horizon)
