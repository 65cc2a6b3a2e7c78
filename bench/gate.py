"""How soon a model that has learnt a new rate of cancelling takes over: `--only gate`.

The real gate on drawn users, a fifth of them held out: champion and challengers rank equally well,
and each is calibrated on the newest labels that were known when it was trained, once a week. A user
who leaves is followed by another one. No table, no log, no trees.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.special import expit

from bench.promises import holds
from churn_spark.arrays import Bools, Floats, Ints
from churn_spark.config import PolicyConfig, load_config
from churn_spark.models.calibration import Calibration, fit_calibration
from churn_spark.monitoring.performance.challenger import compare_challenger
from churn_spark.monitoring.policy.promotion import judge_challenger

HORIZON, WEEK = 14, 7
CHANGE, AFTER = 150, 150
SHARE_HELD_OUT: Final = 0.2
BASE, SPREAD, NOISE = -3.2, 1.0, 0.3
"""Of the users' log-odds to cancel in a window, and of what a model adds to them."""
START: Final = date(2018, 1, 1)
SEGMENTS: Final = {"level": "paid", "tenure_band": "over 90 days", "os": "Mac"}
SEEDS: Final = 24
N_USERS: Final = 2500
MAX_DAYS, MIN_SHARE = 28, 2 / 3


@dataclass(frozen=True)
class Service:
    """All users that a service ever had, shape (users,).

    Attributes:
        margins: log-odds to cancel within a window before the change.
        joined: first day.
        left: day of the cancellation; the end of the time if there is none.
        is_held_out: whether no model is calibrated on them.
    """

    margins: Floats
    joined: Ints
    left: Ints
    is_held_out: Bools

    def window(self, day: int) -> tuple[Ints, Floats]:
        """Who is there on a day, and whether they cancel in the window after it."""
        here = np.flatnonzero((self.joined <= day) & (self.left >= day))
        return here, (self.left[here] < day + HORIZON).astype(np.float64)


def live(rng: np.random.Generator, n_users: int, factor: float, days: int) -> Service:
    """A service of always as many users; from a day on chances to cancel are `factor` times."""
    now, since = rng.normal(BASE, SPREAD, n_users), np.zeros(n_users, dtype=np.int64)
    ended = []
    for day in range(days):
        chance = 1 - (1 - expit(now)) ** (1 / HORIZON)
        is_gone = rng.random(n_users) < np.minimum(1, chance * (factor if day >= CHANGE else 1))
        ended.append((now[is_gone], since[is_gone], np.full(int(is_gone.sum()), day)))
        now = np.where(is_gone, rng.normal(BASE, SPREAD, n_users), now)
        since = np.where(is_gone, day + 1, since)
    ended.append((now, since, np.full(n_users, days + HORIZON)))
    margins, joined, left = (np.concatenate(parts) for parts in zip(*ended, strict=True))
    return Service(margins, joined, left, rng.random(len(margins)) < SHARE_HELD_OUT)


@dataclass(frozen=True)
class Model:
    """What a model says: log-odds of each user, shape (users,), and its calibration."""

    margins: Floats
    calibration: Calibration

    def probabilities(self, users: Ints) -> Floats:
        """Of some users."""
        return self.calibration.probabilities(self.margins[users])


def train(service: Service, day: int, rng: np.random.Generator) -> Model:
    """A model as of a day, calibrated on the newest window that is over."""
    margins = service.margins + rng.normal(0, NOISE, len(service.margins))
    users, labels = service.window(day - HORIZON)
    is_seen = ~service.is_held_out[users]
    calibration = fit_calibration("shift", margins[users[is_seen]], labels[is_seen])
    return Model(margins, calibration)


def compared_rows(service: Service, day: int, new: Model, old: Model, weeks: int) -> pd.DataFrame:
    """What both say of the held-out users of the newest weeks whose labels are known."""
    parts = []
    for before in range(weeks):
        as_of = day - HORIZON - WEEK * before
        users, labels = service.window(as_of)
        is_held_out = service.is_held_out[users]
        users, labels = users[is_held_out], labels[is_held_out]
        columns = {"user_id": users, "label": labels, **SEGMENTS}
        scores = {"new": new.probabilities(users), "old": old.probabilities(users)}
        parts.append(pd.DataFrame(columns | scores).assign(as_of=START + timedelta(days=as_of)))
    return pd.concat(parts, ignore_index=True)


def find_promotions(
    seed: int, factor: float, config: PolicyConfig, *, by_probabilities: bool
) -> list[int]:
    """The days on which a weekly challenger takes over, counted from the change."""
    rng = np.random.default_rng(seed)
    days = CHANGE + AFTER
    service = live(rng, N_USERS, factor, days)
    first = HORIZON + WEEK * config.comparison_weeks
    champion, settled_from = train(service, first, rng), first
    found = []
    for day in range(first, days, WEEK):
        challenger = train(service, day, rng)
        rows = compared_rows(service, day, challenger, champion, config.comparison_weeks)
        comparison = compare_challenger(("2", "1"), rows, n_level=config.level_positives)
        is_settled = by_probabilities and day >= settled_from
        if not judge_challenger(comparison, config, is_settled=is_settled).objections:
            champion, settled_from = challenger, day + config.probation_days
            found.append(day - CHANGE)
    return found


def say_gate(console: Console, seed: int) -> None:
    """Say how many days after a change a model takes over that has learnt half a window of it."""
    config = load_config().policy
    columns = f"within {MAX_DAYS} days", "days, median", f"latest of {SEEDS}", ""
    shown = Table("chances to cancel", "what is enough", *columns)
    for name, factor in (("three times", 3.0), ("half as many again", 1.5)):
        for words, by_probabilities in (("a better ranking alone", False), ("either", True)):
            first = []
            for number in track(range(SEEDS), f"{name}, {words}", console=console, transient=True):
                promoted = find_promotions(
                    seed + number, factor, config, by_probabilities=by_probabilities
                )
                first.append(next((day for day in promoted if day >= HORIZON // 2), None))
            known = np.array([np.inf if day is None else day for day in first])
            share = float((known <= MAX_DAYS).mean())
            is_promised = by_probabilities and factor == 3.0
            mark = f"at least {MIN_SHARE:.0%}: {holds(share >= MIN_SHARE)}" if is_promised else ""
            middle = np.median(known)
            told = "none in half of them" if np.isinf(middle) else f"{middle:.0f}"
            latest = (
                f"never: {np.isinf(known).sum()}" if np.isinf(known).any() else f"{known.max():.0f}"
            )
            shown.add_row(name, words, f"{share:.0%}", told, latest, mark)
    console.print(shown)
    alike = [
        len(find_promotions(seed + number, 1.0, config, by_probabilities=by_probabilities))
        for by_probabilities in (False, True)
        for number in range(SEEDS)
    ]
    years = SEEDS * (CHANGE + AFTER - HORIZON - WEEK * config.comparison_weeks) / 365
    console.print(
        f"Without a change {sum(alike[:SEEDS]) / years:.1f} promotions a year by ranking alone, "
        f"{sum(alike[SEEDS:]) / years:.1f} by either; services of {N_USERS:,} users, seed {seed}"
    )
