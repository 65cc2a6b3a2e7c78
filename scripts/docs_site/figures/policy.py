"""The policy's own decisions on 70 nights: an odd one, a change of the users, soon another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from churn_spark.config import PolicyConfig, load_config
from churn_spark.monitoring.policy.evidence import ChallengerComparison, DriftFact, Evidence
from churn_spark.monitoring.policy.policy import decide, start_policy
from churn_spark.monitoring.policy.policy_state import Decision
from scripts.docs_site.figures.canvas import ACCENT, GOLD, INK, MUTED, STYLE, WARM, as_svg

_START = date(2019, 1, 1)
_N_NIGHTS, _SHIFT, _BAND = 70, 0.14, 0.015
_ODD, _CHANGES = 17, (30, 33)
_COLOURS = {"retrain": WARM, "promote": ACCENT, "reject": GOLD, "hold": MUTED}


@dataclass(frozen=True)
class Night:
    """One night: D of the feature, whether it counted as moved, and what was decided."""

    number: int
    statistic: float
    is_moved: bool
    decisions: tuple[Decision, ...]


def live_nights(config: PolicyConfig) -> Iterator[Night]:
    """Nights of one feature that wanders, is odd once, and twice shifts for good."""
    rng = np.random.default_rng(4)
    state = start_policy("1", _START, config)
    learnt_at, version = 0, 1
    for number in range(1, _N_NIGHTS):
        today = _START + timedelta(number)
        is_shifted = number == _ODD or any(learnt_at < one <= number for one in _CHANGES)
        statistic = float(abs(rng.normal(0.012, 0.006)) + (_SHIFT if is_shifted else 0))
        low = max(statistic - _BAND, 0.0)
        fact = DriftFact("thumbs_up_share", statistic, low, 0.001 if is_shifted else 0.5, 1.0)
        state, decision = decide(state, Evidence(22_000, features=(fact,)), config, today)
        is_moved, decisions = "thumbs_up_share" in state.breached, [decision]
        if decision.kind == "retrain":
            version += 1
            gain = 0.03 if is_shifted else -0.002
            rival = ChallengerComparison(
                str(version), state.champion, gain, gain - 0.012, -gain / 10, 0.0
            )
            state, answer = decide(state, Evidence(22_000, challenger=rival), config, today)
            decisions.append(answer)
            if answer.kind == "promote":
                learnt_at = number
        yield Night(number, statistic, is_moved, tuple(decisions))


def draw_policy() -> str:
    """D over the nights with the two thresholds, and below what was decided."""
    config = load_config().policy.model_copy(update={"self_calibrate": False})
    nights = list(live_nights(config))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4.6), layout="constrained")
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
        top.plot(
            [n.number for n in nights], [n.statistic for n in nights], "o-", color=ACCENT, ms=4
        )
        for night in nights:
            if night.is_moved:
                top.axvspan(night.number - 0.5, night.number + 0.5, color=WARM, alpha=0.15, lw=0)
        enter = config.enter_lower_bound + _BAND
        top.axhline(enter, color=WARM, linestyle="--", linewidth=1.2)
        top.axhline(config.exit_statistic, color=MUTED, linestyle=":", linewidth=1.2)
        top.text(45, enter + 0.004, "enters when its lower bound is above")
        top.text(45, config.exit_statistic + 0.004, "leaves when D is below")
        top.set(ylabel="D of one feature", ylim=(0, 0.22), xlim=(0, _N_NIGHTS))
        rows = ["retrain", "promote", "reject", "hold"]
        for night in nights:
            for decision in night.decisions:
                if decision.kind in rows:
                    colour = _COLOURS[decision.kind]
                    below.plot(night.number, rows.index(decision.kind), "s", color=colour, ms=7)
                if decision.kind == "retrain":
                    below.annotate(
                        decision.rule, (night.number, 0), xytext=(0, 8),
                        textcoords="offset points", ha="center", fontsize=8, color=INK,
                    )  # fmt: skip
        below.set_yticks(range(len(rows)), rows)
        below.set(xlabel="night", ylim=(len(rows) - 0.5, -0.9))
        below.grid(axis="x", visible=False)
        return as_svg(figure)
