"""Years in which a team calls from the list, each lived without calls and with either learner.

Every Monday the champion orders all users of a town; the first are listed but for a keyed part, and
the listed are called. Labels are known two weeks later, then the project's own policy judges the
champion. Draws are common: a user who isn't called does the same in all three lives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier

from bench.campaign_town import HABITS, LABEL_WEEKS, Log, Setting, Town, monday
from churn_spark.arrays import Floats
from churn_spark.config import PolicyConfig, load_config
from churn_spark.contracts.tables.ml import CONTROL, LISTED
from churn_spark.evaluation.expected import expected_roc_auc
from churn_spark.evaluation.treated import weights_in
from churn_spark.evaluation.weights import count_positive_users
from churn_spark.monitoring.performance.base_rate import FOLLOW_BASE_RATE, at_base_rate
from churn_spark.monitoring.performance.performance import Estimate, change_against, measure
from churn_spark.monitoring.policy.evidence import DriftFact, Evidence
from churn_spark.monitoring.policy.policy import adopt, decide, release, start_policy
from churn_spark.monitoring.policy.policy_state import PolicyState
from churn_spark.scoring.control_group import is_control

LEARNT_WEEKS, YEAR_WEEKS = 12, 52
POLICY: Final = ("policy.self_calibrate=false", "policy.schedule_days=91")
"""What of the policy isn't as shipped: retrained by schedule each week, nothing could be lost."""
THRESHOLD: Final = 0.2
"""Of the probability, for F1."""
_FIRST: Final = LEARNT_WEEKS + LABEL_WEEKS
_CAMPAIGN: Final = "year"
_METRICS: Final = ("roc_auc", "f1", "average_precision", "log_loss", "calibration_error")


@dataclass(frozen=True)
class Life:
    """One way to live a year: whether the team calls, and whether learning knows of it."""

    name: str
    calls: bool
    knows: bool


LIVES: Final = (
    Life("no calls", calls=False, knows=False),
    Life("learning from all rows", calls=True, knows=False),
    Life("learning that knows the treatment", calls=True, knows=True),
)


@dataclass
class Year:
    """What a life has come to.

    Attributes:
        lost: weeks in which the policy decided for lost performance; nothing ever got worse.
        windows: how many windows had cancels enough to be judged.
        auc: of the champion against the true untreated chances, each week.
        off: mean distance of the champion's chances from the true ones by tenth of the users.
        off_on_list: the same of the users who would be listed.
        cancels: users who cancelled.
        log: all that has been.
    """

    lost: list[int] = field(default_factory=list)
    windows: int = 0
    auc: list[float] = field(default_factory=list)
    off: list[float] = field(default_factory=list)
    off_on_list: list[float] = field(default_factory=list)
    cancels: int = 0
    log: Log | None = None


@dataclass(frozen=True)
class Champion:
    """A trained model, rows of users that it has not seen, and the week of its training."""

    model: LGBMClassifier
    held_out: pd.DataFrame
    week: int

    def chances(self, habits: Floats) -> Floats:
        """The predicted chance to cancel within the horizon, shape (users,)."""
        return np.asarray(self.model.predict_proba(habits), dtype=np.float64)[:, 1]


@cache
def _withheld(user: str, share: float) -> bool:
    return is_control(user, _CAMPAIGN, share)


def train(log: Log, week: int, life: Life, setting: Setting) -> Champion:
    """Train on the newest labelled weeks; a fifth of the users judges."""
    weeks = range(week - LABEL_WEEKS - LEARNT_WEEKS + 1, week - LABEL_WEEKS + 1)
    rows = pd.concat([log.rows(one, life.knows) for one in weeks], ignore_index=True)
    is_judge = rows["user_id"].astype(int).to_numpy() % 5 == 0
    learnt, judged = rows[~is_judge], rows[is_judge]
    model = LGBMClassifier(
        n_estimators=setting.trees, num_leaves=7, learning_rate=0.1, min_child_samples=400,
        n_jobs=1, verbose=-1, deterministic=True, force_row_wise=True, seed=1,
    )  # fmt: skip
    model.fit(learnt[HABITS].to_numpy(), learnt["label"], sample_weight=weights_in(learnt))
    return Champion(model, judged, week)


def figures(champion: Champion, rows: pd.DataFrame, setting: Setting) -> dict[str, Estimate]:
    """The judged metrics of a champion on rows that it has not seen."""
    return measure(
        rows["label"].to_numpy(),
        champion.chances(rows[HABITS].to_numpy()),
        rows["user_id"].to_numpy(),
        threshold=THRESHOLD,
        n_replicas=setting.replicas,
        seed=1,
        weights=weights_in(rows),
    )


def judge(log: Log, week: int, champion: Champion, life: Life, setting: Setting) -> Evidence:
    """What is known of the champion in a week: its newest labelled window, if it is unseen."""
    newest, changes = week - LABEL_WEEKS, []
    if newest > champion.week - LABEL_WEEKS:
        rows = log.rows(newest, life.knows)
        found = figures(champion, rows, setting)
        users, labels = rows["user_id"].to_numpy(), rows["label"].to_numpy()
        n_positive = count_positive_users(labels, users, weights_in(rows))
        ends = monday(newest), monday(newest + LABEL_WEEKS)
        share = float(np.average(labels, weights=weights_in(rows)))
        as_many = at_base_rate(champion.held_out, share)
        usual = figures(champion, champion.held_out, setting)
        alike = figures(champion, as_many, setting)
        changes = [
            change_against(
                name,
                found[name],
                (alike if name in FOLLOW_BASE_RATE else usual)[name],
                ends,
                n_positive,
            )
            for name in _METRICS
        ]
    return Evidence(setting.users, features=_STILL, performance=tuple(changes))


_STILL: Final = tuple(DriftFact(name, 0.01, 0.0, 0.6, 1.0) for name in HABITS)


def live_year(seed: int, life: Life, setting: Setting, alone: Log | None = None) -> Year:
    """Live a year of weekly lists after the weeks that the first champion learns from.

    Args:
        seed: of the town.
        life: how it is lived.
        setting: the town's.
        alone: what happens there without calls: all champions are measured on its users; none:
            this is that life.
    """
    config = load_config(overrides=POLICY).policy
    town, log, year = Town(seed, setting), Log(), Year()
    champion: Champion | None = None
    state = start_policy("0", monday(_FIRST), config)
    for week in range(_FIRST + YEAR_WEEKS):
        log.habits.append(town.habits.copy())
        log.ids.append(town.ids.copy())
        if week >= _FIRST:
            if champion is None:
                champion = train(log, week, life, setting)
            evidence = judge(log, week, champion, life, setting)
            state, is_asked = _decide(state, evidence, config, week, year)
            if is_asked:
                champion = train(log, week, life, setting)
                state = adopt(state, str(week), config)
            _list(town, log, week, champion, life)
        cancels = town.live(week)
        log.moved.append(town.moved)
        log.cancels.append(cancels)
        year.cancels += int(cancels.sum()) if week >= _FIRST else 0
        if champion is not None and week > _FIRST:
            _compare(alone or log, week - 1, champion, setting, year)
    year.log = log
    return year


def _decide(
    state: PolicyState, evidence: Evidence, config: PolicyConfig, week: int, year: Year
) -> tuple[PolicyState, bool]:
    """One decision of the policy; whoever waits for a human is released at once."""
    state = replace(state, pending=None)
    state = state if state.waits_for_human is None else release(state)
    state, decision = decide(state, evidence, config, monday(week))
    if decision.rule == "performance":
        year.lost.append(week)
    year.windows += any(c.n_positive >= config.min_positives for c in evidence.performance)
    return state, decision.kind == "retrain"


def _list(town: Town, log: Log, week: int, champion: Champion, life: Life) -> None:
    """Order the users, withhold some, call the others."""
    setting = town.setting
    named = np.argsort(-champion.chances(town.habits), kind="stable")[: setting.capacity]
    if not life.calls:
        return
    users = town.ids[named].astype(str)
    withheld = np.array([_withheld(user, setting.control_share) for user in users])
    log.lists.append(
        pd.DataFrame(
            {
                "as_of": monday(week),
                "user_id": users,
                "campaign": _CAMPAIGN,
                "assignment": np.where(withheld, CONTROL, LISTED),
                "control_share": setting.control_share,
            }
        )
    )
    town.call(week, named[~withheld])


def _compare(log: Log, week: int, champion: Champion, setting: Setting, year: Year) -> None:
    """The champion against the true chances of users who aren't called."""
    true, said = log.true_chances(week), champion.chances(log.habits[week])
    order = np.argsort(-said, kind="stable")
    year.auc.append(expected_roc_auc(true, said))
    parts = np.array_split(order, 10)
    year.off.append(float(np.mean([abs(said[p].mean() - true[p].mean()) for p in parts])))
    top = order[: setting.capacity]
    year.off_on_list.append(float(said[top].mean() - true[top].mean()))


def live_years(seeds: Sequence[int], setting: Setting) -> Iterator[dict[str, Year]]:
    """Every year in each of the lives."""
    for seed in seeds:
        alone = live_year(seed, LIVES[0], setting)
        others = {life.name: live_year(seed, life, setting, alone.log) for life in LIVES[1:]}
        yield {LIVES[0].name: alone} | others
