"""What a snapshot as of a date knows, and when its label becomes known."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.figure import Figure

from churn_spark.config import load_config
from scripts.docs_site.figures.canvas import (
    ACCENT,
    GOLD,
    INK,
    LINE,
    MUTED,
    STYLE,
    WARM,
    as_svg,
    bare,
)

# Days from the as-of date.
_FIRST, _CANCEL = -32, 9
_SEEN = (-30, -27, -23, -22, -16, -14, -13, -9, -5, -4, -2)
_NOT_SEEN = (3, 8)
_TICKS = (-28, -21, -14, -7, 0, 7, 14)


def draw_as_of_time() -> str:
    """One user's visits, cut at the as-of date, with gap and window of the label."""
    labels = load_config().labels
    begin, end = labels.gap_days, labels.gap_days + labels.horizon_days
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 3.2), layout="constrained")
        axes = figure.subplots()
        bare(axes)
        for start, stop, colour in ((_FIRST, 0, ACCENT), (0, begin, LINE), (begin, end, WARM)):
            axes.axvspan(start, stop, ymin=0.1, ymax=0.62, color=colour, alpha=0.16, linewidth=0)
        for days, colour in ((_SEEN, ACCENT), (_NOT_SEEN, MUTED)):
            axes.plot(days, [0.36] * len(days), "o", color=colour, markersize=9)
        axes.plot([_CANCEL], [0.36], "X", color=WARM, markersize=13)
        axes.axvline(0, ymin=0.1, ymax=0.72, color=INK, linewidth=1.6)
        axes.axvline(end, ymin=0.1, ymax=0.72, color=GOLD, linewidth=1.6, linestyle="--")
        for place, height, text in (
            (_FIRST / 2, 0.52, "the features know this, and nothing else"),
            ((begin + end) / 2, 0.52, "a cancel in here makes the label 1"),
            (0, 0.84, "as-of date D, 00:00 UTC:\nthe night scores and lists"),
            (end, 0.84, "only now is\nthe label known"),
            (_CANCEL, 0.2, "cancels"),
            (1.2, 0.04, f"{labels.gap_days} day to act"),
        ):
            axes.text(place, height, text, ha="center", va="center")
        axes.set(xlim=(_FIRST, end + 3), ylim=(0, 1))
        axes.set_xticks(_TICKS, [f"{day} days" if day else "D" for day in _TICKS])
        return as_svg(figure)
