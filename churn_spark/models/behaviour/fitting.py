"""Transitions -> behaviour model: classes of listeners by EM, session outcomes and visit rates."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from churn_spark.config import BehaviourConfig
from churn_spark.models.behaviour.calendar import Calendar, fit_calendar
from churn_spark.models.behaviour.cells import N_CELLS, START
from churn_spark.models.behaviour.mixture import Mixture, MixtureSettings, fit_mixtures
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.outcomes import Sessions, solve_sessions
from churn_spark.models.behaviour.user_cells import UserCells, open_user_cells
from churn_spark.models.behaviour.visits import VisitPrior, fit_visit_prior


def fit_behaviour(
    transitions: DataFrame,
    registrations: DataFrame,
    log_start: date,
    fitted_before: date,
    config: BehaviourConfig,
) -> BehaviourModel:
    """Fit classes, session outcomes and rates to what was known before a date, without labels.

    The users' counts are read once where they fit on the driver; see `user_cells`.

    Args:
        transitions: rows of the table, of the users to fit on.
        registrations: `user_id` and `registered_ts`.
        log_start: first date of the log.
        fitted_before: later rows are left out.
        config: how to fit.

    Raises:
        ValueError: if there are no transitions.
    """
    known = transitions.filter(F.col("event_date") < F.lit(fitted_before))
    calendar = _fit_calendar(known, log_start)
    with open_user_cells(known, registrations, config.block_users) as cells:
        mixture = _fit_classes(cells, config)
        start = BehaviourModel(
            mixture=mixture,
            sessions=_solve_sessions(cells, mixture),
            prior=VisitPrior(0.0, 1.0),
            calendar=calendar,
            log_start=log_start,
            fitted_before=fitted_before,
        )
        groups = cells.count_exposures(start)
    prior = fit_visit_prior(
        *(groups[name].to_numpy(dtype=np.float64) for name in ("n", "exposure", "n_users"))
    )
    return BehaviourModel(mixture, start.sessions, prior, calendar, log_start, fitted_before)


def build_registrations(session_days: DataFrame, before: date) -> DataFrame:
    """When each user registered, as far as known before a date.

    Grain: (user_id); column `registered_ts`.
    """
    return (
        session_days.filter(F.col("event_date") < F.lit(before))
        .groupBy("user_id")
        .agg(F.max("registered_ts").alias("registered_ts"))
    )


def _fit_calendar(known: DataFrame, log_start: date) -> Calendar:
    visits = (
        known.filter((F.col("page") == START) & (F.col("event_date") >= F.lit(log_start)))
        .groupBy("event_date")
        .agg(F.sum("n_transitions").alias("n"))
        .orderBy("event_date")
        .toPandas()
    )
    weekdays = pd.to_datetime(visits["event_date"]).dt.weekday.to_numpy()
    return fit_calendar(weekdays.astype(np.float64), visits["n"].to_numpy(dtype=np.float64))


def _fit_classes(cells: UserCells, config: BehaviourConfig) -> Mixture:
    """Fit each number of classes; Akaike's criterion chooses."""
    settings = MixtureSettings(
        prior_weight=config.prior_weight, n_starts=config.n_starts, seed=config.seed
    )
    fitted = fit_mixtures(cells, sorted(config.n_classes), settings)
    return min(fitted, key=lambda mixture: mixture.aic)


def _solve_sessions(cells: UserCells, mixture: Mixture) -> Sessions:
    by_cell = cells.sum_by_cell()
    seconds = np.zeros(N_CELLS)
    seconds[by_cell["cell"].to_numpy()] = (by_cell["millis"] / by_cell["n"]).to_numpy() / 1000.0
    return solve_sessions(mixture.log_chances, seconds)
