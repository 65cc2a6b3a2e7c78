"""How users leave: without warning, or after their interest has faded; and how that looks."""

from __future__ import annotations

from typing import Final

import matplotlib as mpl
import numpy as np

from churn_spark.arrays import Values
from churn_spark.evaluation.reliability import log_odds
from churn_spark.reports.canvas import INK, MUTED, STYLE, WARM, canvas
from churn_spark.reports.card import Leaving
from churn_spark.reports.data import EvaluationData
from churn_spark.reports.page import Block, Facts, Picture, Section
from churn_spark.reports.words import percent
from churn_spark.wording import count_of

_MODELS: Final = ("behaviour", "fading")
_WEEKS: Final = ("sessions_week_4", "sessions_week_3", "sessions_week_2", "sessions_7d")
_MOSTLY: Final = 0.6


def leaving_section(data: EvaluationData, leaving: Leaving) -> Section:
    """Which of the two models carries the log, and the pace of users before they cancel.

    Args:
        data: of the evaluation.
        leaving: what the models have learnt.
    """
    weight = fading_weight(data, leaving)
    if weight is None:
        answer = "Neither model of how users leave contributes to the predictions here."
    elif weight >= _MOSTLY:
        answer = (
            f"Your users fade for about {count_of(round(leaving.fading_days), 'day')} first: their "
            f"pauses grow {leaving.slowing:.1f} times as long, then they cancel, mostly around a "
            "bill. There is time to reach them."
        )
    elif weight <= 1.0 - _MOSTLY:
        answer = (
            "Your users leave without warning: what kind of listener they are and how often they "
            "come tells most of the risk, a slower pace next to nothing. Reach them by kind, early."
        )
    else:
        answer = (
            "Some of your users fade before they leave, for about "
            f"{count_of(round(leaving.fading_days), 'day')}, others leave without warning."
        )
    facts = (
        ("Model of declining interest", _share(weight)),
        ("Behaviour model", _share(None if weight is None else 1.0 - weight)),
        (
            "Mean time of declining interest",
            f"{leaving.fading_days:.0f} days, whether it ends with a cancellation or not",
        ),
        ("Pauses in that time", f"{leaving.slowing:.1f} times as long as before"),
        ("Share of users losing interest at a time", percent(leaving.fading_share)),
    )
    blocks: list[Block] = [Facts(facts)]
    paces = weekly_paces(data)
    if paces is not None:
        blocks.insert(0, _picture(*paces))
    return Section("leaving", "How users leave", answer, tuple(blocks))


def fading_weight(data: EvaluationData, leaving: Leaving) -> float | None:
    """The share of the model of fading in what both models add to the log-odds, 0 to 1.

    What a model adds is its slope times the spread of its log-odds over the users; none where
    neither adds anything.
    """
    added = []
    for model in _MODELS:
        chances = data.rows_of(model)["churn_probability"].to_numpy(dtype=float)
        slope = leaving.slopes.get(f"{model}_probability", 0.0)
        added.append(slope * float(np.std(log_odds(chances))) if len(chances) and slope else 0.0)
    total = sum(added)
    return added[1] / total if total > 0.0 else None


def weekly_paces(data: EvaluationData) -> tuple[Values, Values] | None:
    """Sessions of the four weeks before the date over those of a usual week of the same users.

    Returns:
        Of who cancels and of who stays, each of shape (4,), the oldest week first; none where one
        of them has nobody.
    """
    rows = data.primary_rows
    if not {*_WEEKS, "visit_rate"} <= set(rows.columns) or rows["label"].nunique() < 2:
        return None
    groups = (rows[rows["label"] == label] for label in (1, 0))
    cancels, stays = (
        group[[*_WEEKS]].mean().to_numpy() / group["visit_rate"].mean() for group in groups
    )
    return cancels, stays


def _share(weight: float | None) -> str:
    if weight is None:
        return "no contribution to the predictions"
    return f"{percent(weight)} of the variation between users in the score before the trees"


def _picture(cancels: Values, stays: Values) -> Picture:
    weeks = np.arange(-len(cancels), 0)
    with mpl.rc_context(STYLE):
        figure, axes = canvas(10, 3.2)
        for name, pace, colour in (("cancel", cancels, WARM), ("stay", stays, INK)):
            axes.plot(weeks, pace, "o-", color=colour, label=name)
        axes.axhline(1.0, color=MUTED, linewidth=1, linestyle="--")
        axes.set(xlabel="weeks before the date", ylabel="sessions, usual week = 1", ylim=(0, None))
        axes.set_xticks(weeks)
        axes.legend(loc="lower left")
    return Picture(
        figure,
        "Sessions a week before the date over those of a usual week: of users who cancel in the "
        f"window from {cancels[0]:.2f} to {cancels[-1]:.2f}, of users who stay from {stays[0]:.2f} "
        f"to {stays[-1]:.2f}.",
        "Where interest fades, the line of those who cancel falls below that of those who stay; "
        "where users leave without warning, the two stay together.",
    )
