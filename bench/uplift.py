"""Does the list by effect find those whom a call keeps, and does its gate know when it doesn't?

`python -m bench.uplift`: worlds whose true effects are known. Users, their features and their
effects are drawn here, on a matrix with the names of the product's features, not by the simulator
of logs; learner, held-out judgement and gate are the product's. A tenth is withheld; the served
risk is near the true one, as a champion's is. Effects by kind of world:

- differ: calls keep 70 % of those who look at Downgrade and half of the free users who see many
  adverts; of those who have been away for long they drive nearly as many away as leave anyhow;
- proportional: calls keep 30 % of all who would cancel: the order by risk is the best there is;
- constant: each call keeps the same, whoever is called: no order is better than another;
- none: calls change nothing.

Printed is the Qini on fresh users by their true effects, as a share of that of the true order.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final, Literal, get_args

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from scipy.special import expit

from bench.drawn_worlds import SeedOption, generators, known_or_fresh
from bench.promises import holds, judged
from churn_spark.arrays import Floats
from churn_spark.config import UpliftConfig, load_config
from churn_spark.contracts.features.spec import fingerprint, named
from churn_spark.evaluation.qini import Drawn, measure_qini
from churn_spark.models.encoding import Encoding
from churn_spark.models.uplift.judging import Learnt, is_enough, learn, needed_users
from churn_spark.models.uplift.model import Campaign

console = Console(highlight=False, soft_wrap=True)
Kind = Literal["differ", "proportional", "constant", "none"]
_USERS: Final = 22_000
_FEW: Final = 450
_SHARE: Final = 0.1
_LEVEL: Final = "last_subscription_level"
_NUMBERS: Final = (
    "tenure_days", "num_thumbs_up", "num_thumbs_down", "num_friends_added", "num_downgrades",
    "sessions_7d", "sessions_28d", "active_days_28d", "songs_7d", "songs_28d",
    "hours_since_last_event", "mean_gap_days", "weekend_share", "evening_share", "downgrades_28d",
    "settings_28d", "adverts_28d", "thumbs_up_share", "billing_day", "paid_share", "level_changes",
    "visit_rate", "own_pace_28d", "sessions_slope",
)  # fmt: skip
_CAMPAIGN: Final = Campaign(date(2026, 3, 2), "bench", _SHARE)


@dataclass(frozen=True)
class World:
    """Users of whom both fates are known.

    Attributes:
        rows: features and served risk.
        drawn: the draw, and what came of it.
        saving: true chance to cancel when withheld less that when listed, shape (n,).
    """

    rows: pd.DataFrame
    drawn: Drawn
    saving: Floats


def draw_world(kind: Kind, n: int, rng: np.random.Generator) -> World:
    """Users of a kind of world; of any number of them the same laws hold."""
    laws = np.random.default_rng(23)
    common = laws.normal(size=(4, len(_NUMBERS)))
    numbers = 0.4 * rng.normal(size=(n, 4)) @ common + rng.normal(size=(n, len(_NUMBERS)))
    rows = pd.DataFrame(numbers, columns=list(_NUMBERS))
    is_free = rng.random(n) < 0.5
    rows[_LEVEL] = np.where(is_free, "free", "paid")
    for name in ("downgrades_28d", "adverts_28d", "hours_since_last_event"):
        rows[name] = np.exp(0.8 * rows[name])
    rows["downgrades_28d"] = np.floor(rows["downgrades_28d"])
    rows["adverts_28d"] *= is_free
    log_odds = (
        -2.2
        + 0.5 * rows["sessions_slope"]
        + 0.4 * rows["mean_gap_days"]
        - 0.3 * rows["num_thumbs_up"]
        + 0.25 * np.log1p(rows["hours_since_last_event"])
        + 0.15 * rows["downgrades_28d"]
    ).to_numpy()
    risk = expit(log_odds)
    # Nobody leaves more surely than at 95 %.
    saving = np.clip(_saving_of(kind, rows, risk), np.minimum(risk - 0.95, 0.0), 0.95 * risk)
    served = expit(log_odds + rng.normal(0.0, 0.35, n))
    is_control = rng.random(n) < _SHARE
    cancels = rng.random(n) < np.where(is_control, risk, risk - saving)
    drawn = Drawn(is_control, cancels, served, _SHARE)
    return World(rows.assign(churn_probability=served), drawn, saving)


def _saving_of(kind: Kind, rows: pd.DataFrame, risk: Floats) -> Floats:
    if kind == "differ":
        is_tempted = rows["downgrades_28d"].to_numpy() >= 2
        is_annoyed = rows["adverts_28d"].to_numpy() > 1.5
        is_asleep = rows["hours_since_last_event"].to_numpy() > 2.0
        kept = np.select([is_tempted, is_annoyed, is_asleep], [0.7, 0.5, -0.8], 0.0)
        return np.asarray(risk * kept, dtype=np.float64)
    if kind == "proportional":
        return 0.3 * risk
    return np.full(len(rows), 0.03 if kind == "constant" else 0.0)


@dataclass(frozen=True)
class Found:
    """What one world has shown.

    Attributes:
        by_effect: true Qini of the learnt order on fresh users.
        by_risk: of the order by served risk.
        at_best: of the true order.
        harmed: true mean saving of the fresh users of the class "leave alone"; NaN: no such class.
        learnt: what the product says.
    """

    by_effect: float
    by_risk: float
    at_best: float
    harmed: float
    learnt: Learnt


def try_world(kind: Kind, rng: np.random.Generator, config: UpliftConfig) -> Found:
    """Learn from one draw of users, and look at fresh ones."""
    world, fresh = draw_world(kind, _USERS, rng), draw_world(kind, _USERS, rng)
    worth = np.ones(_USERS)
    learnt = learn(world.rows, world.drawn, worth, encoding(), _CAMPAIGN, config)
    expected, one_fold = learnt.model.saves(fresh.rows), np.zeros(_USERS, np.int64)

    def qini(scores: Floats) -> float:
        return measure_qini(fresh.saving, scores, one_fold).value

    is_harmed = (expected < 0) & learnt.model.leaves_alone
    harmed = float(fresh.saving[is_harmed].mean()) if is_harmed.any() else float("nan")
    by_risk, at_best = qini(fresh.drawn.risk), qini(fresh.saving)
    return Found(qini(expected), by_risk, at_best, harmed, learnt)


def encoding() -> Encoding:
    """Of the worlds' features."""
    names = (*_NUMBERS, _LEVEL)
    typical = dict.fromkeys(_NUMBERS, 0.0) | {_LEVEL: "paid"}
    return Encoding(names, {_LEVEL: ("paid", "free")}, typical, fingerprint(named(names)))


def keeps_promises(kind: Kind, found: list[Found]) -> bool:
    """Whether the worlds of a kind are as they shall be."""
    # Worse than the order by risk by more than the interval of their difference.
    is_worse = [
        one.by_effect - one.by_risk
        < -(one.learnt.difference.value - one.learnt.difference.always.low)
        for one in found
    ]
    # Of those who are left alone calls must keep none.
    if any(is_worse) or any(one.harmed > 0 for one in found):
        return False
    by_effect, by_risk, at_best = (
        sum(getattr(one, name) for one in found) for name in ("by_effect", "by_risk", "at_best")
    )
    n_open = sum(one.learnt.is_better for one in found)
    if kind == "differ":
        # Where nobody is left alone nothing is shown of who is.
        n_alone = sum(not np.isnan(one.harmed) for one in found)
        is_tried = n_alone >= 0.5 * len(found)
        return bool(is_tried and by_effect >= 0.6 * at_best and n_open >= 0.8 * len(found))
    # The first sum is below the second by chance where the order by risk is the best; both are
    # nothing where no order is better. Unlike the product's interval this doesn't forgive more
    # where that one is wider.
    is_near = kind != "proportional" or by_effect >= 0.8 * by_risk
    return bool(is_near and n_open <= 0.05 * len(found))


def few_are_not_enough(rng: np.random.Generator, config: UpliftConfig) -> tuple[bool, int]:
    """Whether the gate stays shut at few users, and how many it says it needs."""
    world = draw_world("differ", _FEW, rng)
    worth = np.ones(_FEW)
    if not is_enough(world.drawn, config):
        return True, needed_users(world.drawn, None) or 0
    learnt = learn(world.rows, world.drawn, worth, encoding(), _CAMPAIGN, config)
    return not learnt.is_better, needed_users(world.drawn, learnt.difference) or 0


@judged
def main(
    worlds: Annotated[int, typer.Option(min=1, help="Of each kind.")] = 20,
    seed: SeedOption = None,
) -> None:
    """Print the figures of all kinds of worlds, and whether they are as promised."""
    config, seed = load_config().uplift, known_or_fresh(seed)
    console.print(f"{worlds} worlds of each kind, {_USERS:,} users, seed {seed}")
    is_kept = True
    for kind in get_args(Kind):
        found = [try_world(kind, rng, config) for rng in generators(worlds, seed)]
        is_kept &= keeps_promises(kind, found)
        _print(kind, found)
    few = [few_are_not_enough(rng, config) for rng in generators(worlds, seed)]
    n_shut, needed = sum(shut for shut, _ in few), sorted(n for _, n in few)
    is_kept &= n_shut == len(few)
    console.print(
        f"{_FEW} users: not yet in {n_shut} of {len(few)}; needed about "
        f"{needed[len(needed) // 2]:,}"
    )
    console.print(f"all promises kept: {holds(is_kept)}")


def _print(kind: Kind, found: list[Found]) -> None:
    effect, risk, best = (
        100 * np.array([getattr(one, name) for one in found])
        for name in ("by_effect", "by_risk", "at_best")
    )
    console.print(f"{kind}: Qini in cancels of 100 users, true effects, mean of the worlds")
    if best.mean() > 0.01:
        console.print(
            f"  by effect {effect.mean():.2f} ({effect.sum() / best.sum():.0%} of the true "
            f"order's; least {np.min(effect / best):.0%}), by risk {risk.mean():.2f} "
            f"({risk.sum() / best.sum():.0%}), true order {best.mean():.2f}"
        )
    else:
        console.print("  no order is better than another")
    n_open = sum(one.learnt.is_better for one in found)
    harmed = [one.harmed for one in found if not np.isnan(one.harmed)]
    console.print(f"  gate open in {n_open} of {len(found)}; a class left alone in {len(harmed)}")
    if harmed:
        console.print(
            f"  listing those left alone would save {100 * np.mean(harmed):+.1f} of 100 of them "
            f"(highest of the worlds {100 * np.max(harmed):+.1f})"
        )


if __name__ == "__main__":
    typer.run(main)
