"""Transitions -> behaviour model: classes of listeners by EM, session outcomes and visit rates."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd

from churn_spark.config import BehaviourConfig
from churn_spark.models.behaviour.calendar import fit_calendar
from churn_spark.models.behaviour.cells import N_CELLS
from churn_spark.models.behaviour.mixture import Mixture, MixtureSettings, fit_mixtures
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.behaviour.outcomes import Sessions, solve_sessions
from churn_spark.models.behaviour.user_cells import UserCells
from churn_spark.models.behaviour.visits import VisitPrior, fit_visit_prior


def fit_behaviour(
    cells: UserCells,
    visits: pd.DataFrame,
    log_start: date,
    fitted_before: date,
    config: BehaviourConfig,
) -> BehaviourModel:
    """Fit classes, session outcomes and rates to what was known before a date, without labels.

    Args:
        cells: what the users did before the date.
        visits: of each day of the log before the date, in order; `event_date` and `n`.
        log_start: first date of the log.
        fitted_before: the date.
        config: how to fit.

    Raises:
        ValueError: if there are no transitions.
    """
    weekdays = pd.to_datetime(visits["event_date"]).dt.weekday.to_numpy()
    calendar = fit_calendar(weekdays.astype(np.float64), visits["n"].to_numpy(dtype=np.float64))
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
    return replace(start, prior=prior)


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
