"""The pictures of a night: small enough for a phone, as SVG inside the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from churn_spark.monitoring.policy.calibration import Lines
from churn_spark.reports.canvas import (
    ACCENT,
    GOLD,
    INK,
    LINE,
    MUTED,
    PERCENT,
    STYLE,
    WARM,
    as_label,
    canvas,
)
from churn_spark.reports.night.overlay import Mix, Overlay

_SMALL = (3.8, 2.7)
# Of a name beside a picture of this size, and of a wide one.
_SMALL_CHARS, _CHARS = 24, 48
_SEVERITY_COLOURS = {"info": "#8fa3ad", "warning": GOLD, "critical": WARM}
# Shape, inside, edge and name.
_MARKS = {
    "retrain": ("o", "none", ACCENT, "retraining requested"),
    "promote": ("^", ACCENT, ACCENT, "promotion"),
    "reject": ("X", MUTED, MUTED, "rejection"),
    "roll_back": ("v", WARM, WARM, "roll-back"),
    "hold": ("s", LINE, MUTED, "run not judged"),
}


@dataclass(frozen=True)
class Bar:
    """One alert on the timeline; `end` is the last day with it."""

    name: str
    severity: str
    start: date
    end: date


def draw_overlay(shape: Overlay, unit: str) -> Figure:
    """Share of users up to each value, training rows and tonight, the widest gap marked."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(*_SMALL)
        scale = 1 / 3600 if unit == "seconds" else 1.0
        values = shape.values * scale
        axes.plot(values, shape.before, color=INK, linewidth=1.2, linestyle="--", label="training")
        axes.plot(values, shape.now, color=ACCENT, linewidth=2, label="now")
        if np.isfinite(shape.location):
            low, high = sorted(shape.ends)
            axes.plot([shape.location * scale] * 2, [low, high], color=WARM, linewidth=4, alpha=0.9)
            axes.annotate(
                f"KS {high - low:.3f}",
                (shape.location * scale, (low + high) / 2),
                (8, -4),
                textcoords="offset points",
                color=WARM,
                va="top",
                fontweight="bold",
                zorder=7,
            )
        axes.set(ylim=(0, 1.02), xlabel="hours" if unit == "seconds" else unit)
        axes.set_ylabel("share of users up to this value")
        axes.yaxis.set_major_formatter(PERCENT)
        if unit in ("share", "probability"):
            axes.xaxis.set_major_formatter(PERCENT)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.margins(x=0.02)
        figure.legend(loc="outside upper left", ncols=2)
        return figure


def draw_mix(shape: Mix) -> Figure:
    """Shares of a category's levels, training rows and tonight, the most moved on top."""
    with mpl.rc_context(STYLE):
        figure, axes = canvas(*_SMALL)
        lines = np.arange(len(shape.levels))
        axes.barh(lines - 0.2, shape.before, height=0.36, color="#a3adb5", label="training")
        axes.barh(lines + 0.2, shape.now, height=0.36, color=ACCENT, label="now")
        names = [as_label(level, _SMALL_CHARS) for level in shape.levels]
        axes.set_yticks(lines, names, color=INK)
        axes.set(ylim=(len(lines) - 0.4, -0.6), xlabel="share of users")
        axes.xaxis.set_major_formatter(PERCENT)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.grid(False, axis="y")
        figure.legend(loc="outside upper left", ncols=2)
        return figure


def draw_history(
    history: pd.DataFrame,
    moved: Sequence[date],
    promotions: Sequence[date],
    span: tuple[date, date],
    lines: Lines,
) -> Figure:
    """D of one feature night by night, its lower bound, and the two lines of the policy.

    Args:
        history: run_date, statistic and lower_bound; a night without a row is a gap.
        moved: nights after which it counted as moved: shaded.
        promotions: nights on which another champion brought other training rows.
        span: first and last night of the axis.
        lines: where it enters and leaves.
    """
    with mpl.rc_context(STYLE):
        figure, axes = canvas(*_SMALL)
        nights = pd.date_range(*span, freq="D").date
        rows = history.set_index("run_date").reindex(nights)
        days = _days(nights)
        for first, last in _stretches(_days(moved)):
            axes.axvspan(first - 0.5, last + 0.5, color=WARM, alpha=0.13, linewidth=0)
        for day in _days(promotions):
            axes.axvline(day, color=MUTED, linewidth=0.8)
        enter, leave = lines.enter, lines.leave
        axes.axhline(enter, color=WARM, linewidth=1.2, linestyle="--")
        axes.axhline(leave, color=MUTED, linewidth=1.2, linestyle=":")
        marker = "." if len(days) < 30 else ""
        axes.plot(days, rows["lower_bound"], color=GOLD, linewidth=1.1, marker=marker)
        axes.plot(days, rows["statistic"], color=ACCENT, linewidth=1.7, marker=marker)
        for line, text in ((enter, "upper threshold"), (leave, "lower threshold")):
            axes.annotate(
                text,
                (1, line),
                xycoords=("axes fraction", "data"),
                fontsize=8,
                color=MUTED,
                ha="right",
                va="bottom" if text == "upper threshold" else "top",
            )
        top = float(np.nanmax([*rows["statistic"].astype(float), 1.6 * enter]))
        axes.set(ylim=(0, 1.08 * top), ylabel="KS distance")
        _span_axis(axes, span)
        return figure


def draw_metric(
    measured: pd.DataFrame, expected: pd.DataFrame, span: tuple[date, date], style: str
) -> Figure:
    """A metric window by window with its interval, its reference, and the guess without labels.

    Windows of earlier champions are among them.

    Args:
        measured: window_start, value, low, high, reference.
        expected: window_start and value; empty where nothing is guessed.
        span: first and last date of the axis.
        style: how the metric is written.
    """
    with mpl.rc_context(STYLE):
        figure, axes = canvas(*_SMALL)
        if not expected.empty:
            axes.plot(
                _days(expected["window_start"]),
                expected["value"],
                color="#8fa3ad",
                linestyle=":",
                linewidth=1.8,
                label="estimate",
            )
        if not measured.empty:
            days = _days(measured["window_start"])
            axes.vlines(days, measured["low"], measured["high"], color=ACCENT, linewidth=2)
            axes.plot(days, measured["value"], "o", color=ACCENT, markersize=5, label="measured")
            # A mark for each window: another champion has another reference.
            usual = measured["reference"].astype(float)
            axes.plot(days, usual, "_", color=INK, markersize=13, label="reference")
        axes.margins(y=0.25)
        if style == "percent":
            axes.yaxis.set_major_formatter(PERCENT)
        figure.legend(loc="outside upper left", ncols=3, fontsize=8, columnspacing=1)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        _span_axis(axes, span)
        return figure


def draw_timeline(
    bars: Sequence[Bar], marks: Sequence[tuple[date, str]], span: tuple[date, date]
) -> Figure:
    """Decisions as marks on the top line, alerts as bars below it.

    Args:
        bars: the alerts, the first on top.
        marks: night and kind of the decisions that are no routine.
        span: first and last night.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 1.5 + 0.27 * len(bars)), layout="constrained")
        axes = figure.subplots()
        for kind, (shape, fill, edge, name) in _MARKS.items():
            nights = [night for night, what in marks if what == kind]
            if nights:
                axes.plot(
                    _days(nights),
                    [0] * len(nights),
                    shape,
                    color=edge,
                    markerfacecolor=fill,
                    markersize=8,
                    label=name,
                )
        for line, bar in enumerate(bars, start=1):
            start, end = _days([max(bar.start, span[0]), bar.end])
            colour = _SEVERITY_COLOURS[bar.severity]
            axes.barh(line, end - start + 1, left=start - 0.5, height=0.5, color=colour)
        names = (as_label(bar.name, _CHARS) for bar in bars)
        axes.set_yticks(range(len(bars) + 1), ["decisions", *names], color=INK)
        axes.set(ylim=(len(bars) + 0.6, -0.8))
        axes.grid(False, axis="y")
        axes.spines["left"].set_visible(False)
        if marks:
            figure.legend(loc="outside upper left", ncols=5)
        _span_axis(axes, span)
        return figure


def _days(dates: Iterable[date]) -> list[int]:
    """Places on an axis of days."""
    return [day.toordinal() for day in dates]


def _stretches(days: Iterable[int]) -> list[tuple[int, int]]:
    """First and last day of each run of days without a gap."""
    found: list[tuple[int, int]] = []
    for day in sorted(set(days)):
        if found and day == found[-1][1] + 1:
            found[-1] = found[-1][0], day
        else:
            found.append((day, day))
    return found


def _span_axis(axes: Any, span: tuple[date, date]) -> None:
    """Days from the first to the last, with room at both ends, and some of them named."""
    first, last = _days(span)
    room = max(0.5, 0.02 * (last - first))
    axes.set_xlim(first - room, last + room)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{date.fromordinal(int(x)):%d %b}"))
