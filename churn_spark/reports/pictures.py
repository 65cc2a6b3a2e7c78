"""The pictures of the evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from churn_spark.arrays import Values
from churn_spark.evaluation.examples import EXAMPLE_DAYS, Example
from churn_spark.evaluation.reliability import ReliabilityBins
from churn_spark.reports.canvas import (
    ACCENT,
    GOLD,
    INK,
    LINE,
    MUTED,
    PERCENT,
    ROOTS,
    STYLE,
    WARM,
    as_label,
    canvas,
)
from churn_spark.reports.words import model_name

# Told apart by lightness and dashes too, for print and for those who don't see the hues.
_MODEL_STYLES: dict[str, dict[str, Any]] = {
    "base_rate": {"color": "#a3adb5", "linestyle": ":"},
    "rule": {"color": "#7d8891", "linestyle": "--"},
    "logistic_regression": {"color": WARM, "linestyle": "-."},
    "hazard": {"color": GOLD, "linestyle": ":"},
    "behaviour": {"color": "#6c57a3", "linestyle": "--"},
    "fading": {"color": "#3f8f6b", "linestyle": "-."},
    "unweighted": {"color": ACCENT, "linestyle": "--"},
    "lightgbm": {"color": ACCENT, "linewidth": 2.4, "zorder": 5},
    "oracle": {"color": INK, "linestyle": (0, (1, 1.2))},
}
_NAME_CHARS = 48
_TICKS = np.array([0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1])
_MAX_POINTS = 400


@dataclass(frozen=True)
class Curve:
    """One model's line."""

    model: str
    x: Values
    y: Values


@dataclass(frozen=True)
class Whisker:
    """A value with its interval, on a line of its own."""

    name: str
    value: float
    low: float
    high: float
    model: str = "lightgbm"


def thinned(curve: Curve) -> tuple[Values, Values]:
    """At most 400 of the points, evenly spread along x, the first and the last among them."""
    x, y = curve.x, curve.y
    if len(x) <= _MAX_POINTS:
        return x, y
    wanted = np.linspace(x[0], x[-1], _MAX_POINTS)
    kept = np.unique(np.clip(np.searchsorted(x, wanted), 0, len(x) - 1))
    kept = np.union1d(kept, [0, len(x) - 1])
    return x[kept], y[kept]


def draw_roc_and_pr(roc: Sequence[Curve], pr: Sequence[Curve], base_rate: float) -> Figure:
    """ROC and precision-recall curves side by side."""
    with mpl.rc_context(STYLE):
        figure, (left, right) = canvas(10, 4.6, 1, 2)
        left.plot([0, 1], [0, 1], color=LINE, linewidth=1.2)
        for curve in roc:
            left.plot(*thinned(curve), label=model_name(curve.model), **_style(curve.model))
        left.set(
            title="ROC", xlabel="share of stayers flagged", ylabel="share of cancellers flagged"
        )
        left.set(xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
        left.legend(loc="lower right")
        right.axhline(base_rate, color=LINE, linewidth=1.2)
        for curve in pr:
            right.plot(*thinned(curve), **_style(curve.model))
        right.set(title="Precision and recall", xlabel="recall: share of cancellers flagged")
        right.set(ylabel="precision: share of flagged who cancel", xlim=(0, 1))
        # The first few users of a list make precision jump; the scale is for the rest.
        beyond = [float(c.y[c.x >= 0.05].max(initial=base_rate)) for c in pr]
        right.set_ylim(0, min(1.01, 1.15 * max([*beyond, 2 * base_rate])))
        for axes in (left, right):
            axes.xaxis.set_major_formatter(PERCENT)
            axes.yaxis.set_major_formatter(PERCENT)
        return figure


def draw_gains(curves: Sequence[Curve], whiskers: Sequence[tuple[float, Whisker]]) -> Figure:
    """Share of cancellers found by the share of users contacted, measured depths marked."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(10, 4.6)
        axes.plot([0, 1], [0, 1], color=LINE, linewidth=1.2)
        for curve in curves:
            axes.plot(*thinned(curve), label=model_name(curve.model), **_style(curve.model))
        for depth, whisker in whiskers:
            reach = _reach(whisker.value, whisker.low, whisker.high)
            colour = _style(whisker.model)["color"]
            axes.errorbar(
                depth, whisker.value, yerr=reach, fmt="o", color=colour, capsize=4, zorder=6
            )
            axes.axvline(depth, color=MUTED, linewidth=0.8, linestyle=":")
        axes.set(xlim=(0, 1), ylim=(0, 1.01), xlabel="share of users contacted, riskiest first")
        axes.set_ylabel("share of cancellers among them")
        axes.set_xticks([0, 0.1, 0.2, 0.33, 0.5, 0.75, 1])
        axes.xaxis.set_major_formatter(PERCENT)
        axes.yaxis.set_major_formatter(PERCENT)
        axes.legend(loc="lower right")
        return figure


def draw_reliability(bins: ReliabilityBins, probabilities: Values) -> Figure:
    """Observed against predicted shares with intervals; below, where the users are."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5.4), layout="constrained")
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
        limit = 1.05 * float(max(bins.high.max(), bins.predicted.max()))
        reach = _reach(bins.observed, bins.low, bins.high)
        top.plot([0, limit], [0, limit], color=MUTED, linewidth=1, linestyle="--")
        dots = {"fmt": "o", "color": ACCENT, "capsize": 3, "ms": 5}
        top.errorbar(bins.predicted, bins.observed, yerr=reach, **dots)
        top.set(xlim=(0, limit), ylim=(0, limit), ylabel="share that cancelled")
        # Most users have small probabilities: roots spread them, and keep the diagonal straight.
        top.set_xscale("function", functions=ROOTS)
        top.set_yscale("function", functions=ROOTS)
        below.hist(
            probabilities[probabilities <= limit],
            bins=np.linspace(0, np.sqrt(limit), 60) ** 2,
            color=ACCENT,
            alpha=0.45,
        )
        below.set(xlabel="predicted probability", ylabel="users")
        below.grid(False)
        top.set_xticks(_TICKS[limit >= _TICKS])
        top.set_yticks(_TICKS[limit >= _TICKS])
        below.yaxis.set_major_locator(mpl.ticker.MaxNLocator(2, integer=True))
        top.xaxis.set_major_formatter(PERCENT)
        top.yaxis.set_major_formatter(PERCENT)
        return figure


def draw_whiskers(panels: Sequence[tuple[str, Sequence[Whisker]]], *, reference: float) -> Figure:
    """Values with intervals, one line for each name, one panel for each title.

    Args:
        panels: title and values; all have the same names in the same order.
        reference: a line in the first panel; NaN for none.
    """
    with mpl.rc_context(STYLE):
        names = [as_label(whisker.name, _NAME_CHARS) for whisker in panels[0][1]]
        figure = Figure(figsize=(10, 0.9 + 0.34 * len(names)), layout="constrained")
        grid = np.atleast_1d(figure.subplots(1, len(panels), sharey=True))
        for place, (axes, (title, whiskers)) in enumerate(zip(grid, panels, strict=True)):
            if place == 0 and np.isfinite(reference):
                axes.axvline(reference, color=MUTED, linewidth=1, linestyle="--")
            for line, whisker in enumerate(whiskers):
                colour = _style(whisker.model)["color"]
                axes.plot([whisker.low, whisker.high], [line, line], color=colour, linewidth=2)
                axes.plot(whisker.value, line, "o", color=colour, markersize=6)
            axes.set(title=title, ylim=(len(names) - 0.5, -0.5))
            axes.set_yticks(range(len(names)), names, color=INK)
            axes.grid(False, axis="y")
            axes.spines["left"].set_visible(False)
            axes.margins(x=0.08)
        return figure


def draw_costs(share: Values, cost: Values, marks: Sequence[tuple[str, float, float]]) -> Figure:
    """Cost per 1,000 users by the share contacted; each mark is a name, a share and a cost."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(10, 3.8)
        axes.plot(share, cost, color=ACCENT, linewidth=2.2)
        top = float(max(cost.max(), *(mark[2] for mark in marks)))
        for height, (name, x, y) in enumerate(sorted(marks, key=lambda mark: mark[1])):
            axes.plot([x, x], [0, y], color=MUTED, linewidth=0.8, linestyle=":")
            axes.plot(x, y, "o", color=WARM, markersize=6, zorder=6)
            place = top * (1.08 + 0.09 * (height % 3))
            axes.plot([x, x], [y, place], color=LINE, linewidth=0.8)
            axes.text(
                x, place, f" {name}", fontsize=9, va="center", ha="left" if x < 0.8 else "right"
            )
        axes.set(xlim=(-0.01, 1.01), ylim=(0, 1.34 * top), ylabel="expected cost per 1,000 users")
        axes.set_xlabel("share of users contacted, riskiest first")
        axes.xaxis.set_major_formatter(PERCENT)
        return figure


def draw_bars(names: Sequence[str], values: Sequence[float], details: Sequence[str]) -> Figure:
    """Horizontal bars, the first on top, a text at the end of each."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(10, 0.7 + 0.3 * len(names))
        axes.barh(range(len(names)), values, color=ACCENT, height=0.62)
        for line, (value, detail) in enumerate(zip(values, details, strict=True)):
            axes.annotate(
                detail,
                (value, line),
                (5, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
                color=MUTED,
            )
        axes.set_yticks(range(len(names)), names, color=INK)
        axes.set(ylim=(len(names) - 0.5, -0.5), xlim=(0, 1.25 * max(values)))
        axes.xaxis.set_major_formatter(PERCENT)
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        return figure


def draw_timeline(example: Example, most_songs: int) -> Figure:
    """One user's last four weeks: songs a day as bars, adverts and Downgrade visits as marks."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(10, 1.5)
        axes.bar(
            [day.day for day in example.days],
            [day.n_songs for day in example.days],
            color=ACCENT,
            width=0.8,
        )
        advert_line, downgrade_line = -0.2 * most_songs, -0.45 * most_songs
        for line, counts, marker, colour in (
            (advert_line, {d.day: d.n_adverts for d in example.days}, "s", GOLD),
            (downgrade_line, {d.day: d.n_downgrades for d in example.days}, "v", WARM),
        ):
            seen = {day: n for day, n in counts.items() if n}
            sizes = [16 + 10 * min(n, 6) for n in seen.values()]
            axes.scatter(list(seen), [line] * len(seen), sizes, marker=marker, color=colour)
        axes.axhline(0, color=MUTED, linewidth=0.8)
        axes.set(xlim=(-EXAMPLE_DAYS - 0.6, -0.4), ylim=(-0.62 * most_songs, 1.05 * most_songs))
        axes.set_xticks(
            [-28, -21, -14, -7, -1], ["28 days before", "21", "14", "7", "the day before"]
        )
        axes.set_yticks(
            [most_songs, advert_line, downgrade_line],
            [f"{most_songs} songs", "adverts", "Downgrade"],
        )
        axes.spines[["bottom", "left"]].set_visible(False)
        axes.grid(False)
        return figure


def _reach(value: Any, low: Any, high: Any) -> Any:
    """How far an interval reaches down and up, shape (2, values).

    An end may be on the value, and rounding then puts it beyond.
    """
    ends = np.atleast_2d(np.asarray(value) - low), np.atleast_2d(np.asarray(high) - value)
    return np.maximum(np.vstack(ends), 0.0)


def _style(model: str) -> dict[str, Any]:
    return _MODEL_STYLES.get(model, {"color": MUTED})
