"""How often a user comes: Poisson visits with a rate that differs from user to user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp

from churn_spark.arrays import Floats

_GRID_POINTS: Final = 96
SESSION_PAUSE_DAYS: Final = 1.0 / 48.0  # the least from the end of a session to the next


@dataclass(frozen=True)
class VisitPrior:
    """Lognormal distribution of the rates of users, visits a day of exposure.

    Attributes:
        mean_log: mean of the log rate.
        sd_log: its standard deviation.
    """

    mean_log: float
    sd_log: float

    def grid(self) -> tuple[Floats, Floats]:
        """Give rates from far below to far above the mean and the log of the prior's weights.

        Returns:
            Rates a day and log weights that add up to 1, each of shape (grid points,).
        """
        z = np.linspace(-5.0, 5.0, _GRID_POINTS)
        log_weights = -0.5 * z**2
        return np.exp(self.mean_log + self.sd_log * z), log_weights - logsumexp(log_weights)


def rate_log_weights(prior: VisitPrior, visits: Floats, exposure: Floats) -> Floats:
    """Give the log of the posterior weight of every rate of the prior's grid.

    Args:
        prior: of the rates.
        visits: so far, shape (users,).
        exposure: days in which they could come, shape (users,).

    Returns:
        Log weights that add up to 1, shape (users, grid points).
    """
    rates, log_prior = prior.grid()
    joint = log_prior + visits[:, None] * np.log(rates) - exposure[:, None] * rates
    weights: Floats = joint - logsumexp(joint, axis=1, keepdims=True)
    return weights


def fit_visit_prior(visits: Floats, exposure: Floats, n_users: Floats) -> VisitPrior:
    """Fit the prior by maximum likelihood to users seen at least once.

    Users who never came aren't in the log, so the Poisson distribution is truncated at zero.

    Args:
        visits: at least 1, shape (groups,).
        exposure: days, shape (groups,).
        n_users: how many users there are like this, shape (groups,).

    Raises:
        ValueError: if there are no users.
    """
    if not n_users.sum() > 0:
        raise ValueError("no visits to fit to")
    rate = float((n_users * visits).sum() / (n_users * exposure).sum())

    def loss(parameters: Floats) -> float:
        prior = VisitPrior(float(parameters[0]), float(np.exp(parameters[1])))
        rates, log_prior = prior.grid()
        mean = exposure[:, None] * rates
        log_poisson = visits[:, None] * np.log(mean) - mean - gammaln(visits + 1.0)[:, None]
        log_seen = np.log(-np.expm1(-mean))
        total = logsumexp(log_prior + log_poisson, axis=1) - logsumexp(log_prior + log_seen, axis=1)
        return -float((n_users * total).sum() / n_users.sum())

    found = minimize(loss, np.array([np.log(rate) - 0.3, np.log(0.8)]), method="Nelder-Mead")
    return VisitPrior(float(found.x[0]), float(np.exp(found.x[1])))
