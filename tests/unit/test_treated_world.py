"""A planted world in which calls save many of the listed: what is learnt and judged of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from nights import POLICY, QUIET, START, change, night, run
from scipy.special import expit, logit

from churn_spark.arrays import Values
from churn_spark.evaluation.treated import treatment_weights, weigh_rows, weights_in
from churn_spark.evaluation.weights import count_positive_users, effective_size
from churn_spark.models.calibration import fit_calibration
from churn_spark.monitoring.performance.performance import change_against, measure
from churn_spark.monitoring.policy.evidence import Evidence, MetricChange
from churn_spark.monitoring.policy.policy_state import from_json, to_json
from churn_spark.scoring.control_group import is_control
from churn_spark.timeline import Horizon

N, LISTED, SHARE, SAVED = 16_000, 2_000, 0.2, 0.6
HORIZON = Horizon(days=14, gap_days=1)
JUDGED = ("roc_auc", "calibration_error")


@dataclass(frozen=True)
class Window:
    """Users of one as-of date: what would have happened to all, and what has."""

    rows: pd.DataFrame
    alone: Values

    @property
    def counting(self) -> pd.DataFrame:
        return self.rows[self.rows["weight"] > 0]


def live(number: int, rng: np.random.Generator) -> Window:
    """The riskiest are listed by a model that knows the risk; of those called most stay."""
    day, users = night(15 * number), [f"u{number}-{i}" for i in range(N)]
    risk = expit(1.5 * rng.normal(size=N) - 3.4)
    named = np.argsort(-risk)[:LISTED]
    withheld = np.array([is_control(users[i], "spring", SHARE) for i in named])
    lists = pd.DataFrame(
        {
            "as_of": day + timedelta(days=3),
            "user_id": [users[i] for i in named],
            "campaign": "spring",
            "assignment": np.where(withheld, "control", "listed"),
            "control_share": SHARE,
        }
    )
    alone = rng.random(N) < risk
    is_called = np.zeros(N, dtype=bool)
    is_called[named] = ~withheld
    happened = alone & ~(is_called & (rng.random(N) < SAVED))
    rows = pd.DataFrame(
        {"as_of": day, "user_id": users, "label": happened.astype(float), "risk": risk}
    )
    return Window(weigh_rows(rows, treatment_weights(lists, [day], HORIZON, 30)), alone)


@pytest.fixture(scope="module")
def windows() -> list[Window]:
    rng = np.random.default_rng(8)
    return [live(number, rng) for number in range(7)]


def changes(window: Window, rows: pd.DataFrame, start: int, model: str) -> list[MetricChange]:
    """What a night finds: the window's figures against those of a world without calls."""
    weights = weights_in(rows)
    users = rows["user_id"].to_numpy()
    draws = {"threshold": 0.3, "n_replicas": 20, "seed": 1}
    now = measure(rows["label"].to_numpy(), rows[model].to_numpy(), users, weights=weights, **draws)
    usual = measure(
        window.alone.astype(float),
        window.rows["risk"].to_numpy(),
        window.rows["user_id"].to_numpy(),
        **draws,
    )
    n_positive = count_positive_users(rows["label"].to_numpy(), users, weights)
    ends = night(15 * start), night(15 * start + 14)
    return [change_against(m, now[m], usual[m], ends, n_positive) for m in JUDGED]


def decisions(windows: list[Window], *, weighted: bool, model: str = "risk") -> set[str]:
    """The rules by which the policy has decided, window after window."""
    nights = []
    for number, window in enumerate(windows[1:], 1):
        rows = window.counting if weighted else window.rows.drop(columns="weight")
        found = changes(windows[0], rows, number, model)
        nights.append((15 * number + 20, replace(QUIET, performance=tuple(found))))
    config = POLICY.model_copy(update={"schedule_days": 1000})
    return {decision.rule for decision in run(START, nights, config)[1]}


def test_saved_users_look_like_lost_performance_and_weighted_they_do_not(
    windows: list[Window],
) -> None:
    assert "performance" in decisions(windows, weighted=False)
    assert decisions(windows, weighted=True) == {"nothing"}


def test_a_model_that_has_got_worse_is_still_found(windows: list[Window]) -> None:
    rng = np.random.default_rng(2)
    worse = [
        replace(one, rows=one.rows.assign(worse=one.rows["risk"] * np.exp(rng.normal(size=N))))
        for one in windows
    ]
    assert "performance" in decisions(worse, weighted=True, model="worse")


def test_a_retraining_says_that_nobody_stands_for_the_listed() -> None:
    nights = [
        (20 * n, replace(QUIET, performance=(change(20 * n),), n_unmatched=12)) for n in (1, 2)
    ]
    _, (_, decision) = run(START, nights)
    assert (decision.kind, decision.rule) == ("retrain", "performance")
    assert "lists without a control group had 12 users" in decision.reason


def test_evidence_without_such_users_is_written_as_ever() -> None:
    assert "n_unmatched" not in to_json(QUIET)
    some = replace(QUIET, n_unmatched=3)
    assert from_json(Evidence, to_json(some)) == some
    assert from_json(Evidence, to_json(QUIET)) == QUIET


def test_a_model_learns_the_risk_of_those_who_are_not_called(windows: list[Window]) -> None:
    """By what happened it says too little of the riskiest, by the withheld it doesn't."""
    everyone = pd.concat(one.rows for one in windows)
    alone = np.concatenate([one.alone for one in windows])
    # What a model might say that is too sure of itself, to be put right by either.
    everyone = everyone.assign(margin=1.3 * logit(everyone["risk"]) + 0.4)
    counting = everyone[everyone["weight"] > 0]
    margins, labels = (counting[name].to_numpy() for name in ("margin", "label"))
    weighted = fit_calibration("beta", margins, labels, counting["weight"].to_numpy())
    naive = fit_calibration("beta", everyone["margin"].to_numpy(), everyone["label"].to_numpy())
    is_risky = everyone["risk"] > everyone["risk"].quantile(0.9)
    told = {
        name: float(one.probabilities(everyone.loc[is_risky, "margin"].to_numpy()).mean())
        for name, one in (("weighted", weighted), ("naive", naive))
    }
    truth = float(alone[is_risky.to_numpy()].mean())
    assert told["weighted"] == pytest.approx(truth, abs=0.015)
    assert told["naive"] < 0.7 * truth


def test_what_is_said_of_the_variance(windows: list[Window]) -> None:
    """A share p of listed users, of whom s are withheld: N / (1 - p + p / s) users tell as much."""
    [*_, last] = windows
    size = effective_size(last.rows["weight"].to_numpy())
    assert size == pytest.approx(N / (1 - LISTED / N + LISTED / N / SHARE), rel=0.1)
