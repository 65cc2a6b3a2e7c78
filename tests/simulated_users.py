"""Simulated users for tests of their chances."""

from __future__ import annotations

from datetime import date

import numpy as np

from churn_spark.simulate.population import Population
from churn_spark.simulate.settings import DAY_S
from churn_spark.timeline import day_number

START = date(2018, 10, 1)


def twins(persona: int, n_users: int) -> Population:
    """Users who differ by number alone, so that one chance holds for all of them."""
    arrives = np.full(n_users, day_number(START) * DAY_S)
    return Population(
        number=np.arange(n_users),
        persona=np.full(n_users, persona),
        registered=arrives - 40 * DAY_S,
        arrives=arrives,
        context=np.ones(n_users, dtype=np.int64),
        event_gap=np.full(n_users, 80.0),
        session_gap=np.full(n_users, 2.5 * DAY_S),
    )
