"""A light world of users who cancel, and of calls that keep some: what happens, week by week.

Users have four habits, which wander from week to week and decide the chance to cancel in a week. Of
the called a share is kept from cancelling for four weeks. Draws are common: a user who isn't called
does the same whoever else is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd
from scipy.special import expit

from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.evaluation.treated import treatment_weights, weigh_rows
from churn_spark.timeline import Horizon

START: Final = date(2024, 1, 1)
LABEL_WEEKS, EFFECT_WEEKS = 2, 4
HORIZON: Final = Horizon(days=7 * LABEL_WEEKS, gap_days=0)
HABITS: Final = ["pace", "help", "adverts", "age"]
_MEMORY: Final = 0.9


@dataclass(frozen=True)
class Setting:
    """What a year is like.

    Attributes:
        users: at any time; who cancels is replaced.
        capacity: users that are listed or withheld each week.
        control_share: of them, withheld.
        saves: of the called, the share who are kept.
        trees: of the model.
        replicas: draws for the intervals.
    """

    users: int = 22_000
    capacity: int = 1100
    control_share: float = 0.2
    saves: float = 0.3
    trees: int = 60
    replicas: int = 20


def monday(week: int) -> date:
    """The first day of a week."""
    return START + timedelta(weeks=week)


def chance_a_week(habits: Floats) -> Floats:
    """The true chance to cancel in a week of one who isn't called."""
    pace, asks, adverts, age = habits.T
    margin = 1.4 * pace + 0.8 * np.maximum(asks, 0.0) * adverts - 0.7 * np.abs(age) - 4.8
    found: Floats = expit(margin)
    return found


class Town:
    """The users of a life, week after week."""

    def __init__(self, seed: int, setting: Setting) -> None:
        """Begin with fresh users."""
        self.seed, self.setting = seed, setting
        n_users = setting.users
        self.ids = np.arange(n_users)
        self.habits: Floats = np.random.default_rng([seed, 0]).normal(size=(n_users, len(HABITS)))
        self.moved = self.habits
        self.kept_until = np.full(n_users, -1)
        self.called_until = np.full(n_users, -1)

    def call(self, week: int, listed: Ints) -> None:
        """Call the listed who haven't been called of late; keep some of them."""
        called = listed[self.called_until[listed] <= week]
        lots = np.random.default_rng([self.seed, 1, week]).random(self.setting.users)
        self.called_until[called] = week + EFFECT_WEEKS
        kept = called[lots[called] < self.setting.saves]
        self.kept_until[kept] = week + EFFECT_WEEKS

    def live(self, week: int) -> Bools:
        """Live one week; returns who cancels, and puts new users in their place."""
        rng = np.random.default_rng([self.seed, 2, week])
        lots, steps = rng.random(self.setting.users), rng.normal(size=self.habits.shape)
        arrivals = rng.normal(size=self.habits.shape)
        cancels = (lots < chance_a_week(self.habits)) & (self.kept_until <= week)
        moved = _MEMORY * self.habits + np.sqrt(1 - _MEMORY**2) * steps
        self.moved = moved
        self.habits = np.where(cancels[:, None], arrivals, moved)
        self.ids = np.where(cancels, self.ids + self.setting.users, self.ids)
        self.kept_until[cancels] = self.called_until[cancels] = -1
        return cancels


@dataclass
class Log:
    """What has been, week by week, and the lists.

    Attributes:
        habits: at its start, shape (users, habits).
        moved: at its end, of those who cancel as if they had stayed.
        ids: of the users, shape (users,).
        cancels: who cancels in the week, shape (users,).
        lists: of each week in which somebody was named, in order.
    """

    habits: list[Floats] = field(default_factory=list)
    moved: list[Floats] = field(default_factory=list)
    ids: list[Ints] = field(default_factory=list)
    cancels: list[Bools] = field(default_factory=list)
    lists: list[pd.DataFrame] = field(default_factory=list)

    def rows(self, week: int, knows: bool) -> pd.DataFrame:
        """Users as of a week with what happened to them in the horizon, weighted where known."""
        happened = np.any(self.cancels[week : week + LABEL_WEEKS], axis=0)
        rows = pd.DataFrame(self.habits[week], columns=HABITS).assign(
            as_of=monday(week), user_id=self.ids[week].astype(str), label=happened.astype(float)
        )
        if not knows or not self.lists:
            return rows
        weights = treatment_weights(
            pd.concat(self.lists), [monday(week)], HORIZON, effect_days=7 * EFFECT_WEEKS
        )
        weighed = weigh_rows(rows, weights)
        return weighed[weighed["weight"] > 0]

    def true_chances(self, week: int) -> Floats:
        """The chance to cancel in the horizon of one who isn't called, as habits went."""
        weeks = self.habits[week], self.moved[week]
        stays: Floats = (1 - chance_a_week(weeks[0])) * (1 - chance_a_week(weeks[1]))
        return np.asarray(1.0 - stays, dtype=np.float64)
