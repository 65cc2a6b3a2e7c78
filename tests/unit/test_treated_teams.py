"""Campaigns as teams work them, night by night: the weights are those of a world without calls."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import mean, stdev

import pandas as pd
import pytest

from churn_spark.evaluation.treated import treatment_weights
from churn_spark.scoring.control_group import is_control
from churn_spark.timeline import Horizon

START, NIGHTS, SHARE = date(2026, 3, 2), 90, 0.1
HORIZON, EFFECT_DAYS = Horizon(days=14, gap_days=1), 30
AS_OF_DAYS = (0, 5, 14, 28, 35, 42, 56, 70)
NEVER = 10_000


@dataclass
class User:
    """Of days counted from the first list: when they would leave alone, and when they do."""

    name: str
    qualifies: int
    is_withheld: bool
    leaves_alone: int
    leaves: int
    named: list[int] = field(default_factory=list)

    def may_be_named(self, night: int, rest: Callable[[User, int], bool]) -> bool:
        return self.qualifies <= night < self.leaves and not rest(self, night)


def stays_on_the_list(user: User, night: int) -> bool:
    return False


def rests_two_weeks(user: User, night: int) -> bool:
    return bool(user.named) and night - user.named[-1] < 14


def suppressed_once_reached(user: User, night: int) -> bool:
    return bool(user.named) and not user.is_withheld


def live(campaign: str, n: int, rest: Callable[[User, int], bool]) -> tuple[list[User], list[User]]:
    """Users who come to qualify within ten nights, and others who never do."""
    chance = random.Random(campaign)
    users = []
    for i in range(2 * n):
        leaves, first = int(chance.expovariate(0.01)), i % 10 if i < n else NEVER
        name = f"u{i}"
        users.append(User(name, first, is_control(name, campaign, SHARE), leaves, leaves))
    for night in range(NIGHTS):
        for user in users:
            if not user.may_be_named(night, rest):
                continue
            # Half of those who are called for the first time never leave.
            if not user.named and not user.is_withheld and chance.random() < 0.5:
                user.leaves = NEVER
            user.named.append(night)
    return users[:n], users


def weights_by_day(campaign: str, users: list[User]) -> dict[int, dict[str, float]]:
    rows = [
        (START + timedelta(days=night), u.name, campaign,
         "control" if u.is_withheld else "listed", SHARE)
        for u in users
        for night in u.named
    ]  # fmt: skip
    columns = ["as_of", "user_id", "campaign", "assignment", "control_share"]
    lists = pd.DataFrame(rows, columns=columns)
    dates = {START + timedelta(days=day): day for day in AS_OF_DAYS}
    found = treatment_weights(lists, dates, HORIZON, EFFECT_DAYS)
    told: dict[int, dict[str, float]] = {day: {} for day in AS_OF_DAYS}
    for as_of, user, weight in found.itertuples(index=False, name=None):
        told[dates[as_of]][user] = weight
    return told


@pytest.mark.parametrize("rest", [suppressed_once_reached, rests_two_weeks, stays_on_the_list])
def test_weights_add_up_to_the_users_of_a_world_without_calls(
    rest: Callable[[User, int], bool],
) -> None:
    """Of those who qualify, on each day: how many there would be, and how many of them leave."""
    n, n_campaigns = 200, 16
    counted: dict[int, list[float]] = {day: [] for day in AS_OF_DAYS}
    left: dict[int, list[float]] = {day: [] for day in AS_OF_DAYS}
    for number in range(n_campaigns):
        campaign = f"{rest.__name__} {number}"
        eligible, everybody = live(campaign, n, rest)
        for day, weights in weights_by_day(campaign, everybody).items():
            present = [(u, weights.get(u.name, 1.0)) for u in eligible if u.leaves > day]
            alone = [u for u in eligible if u.leaves_alone > day]
            end = day + HORIZON.gap_days + HORIZON.days
            leaving = sum(u.leaves_alone < end for u in alone)
            counted[day].append(sum(w for _, w in present) - len(alone))
            left[day].append(sum(w for u, w in present if u.leaves < end) - leaving)
    for day in AS_OF_DAYS:
        for found in (counted[day], left[day]):
            error = stdev(found) / n_campaigns**0.5
            assert error < 0.06 * n
            assert abs(mean(found)) < 4 * error, day
