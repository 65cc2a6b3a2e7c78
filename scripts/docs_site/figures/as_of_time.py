"""What a snapshot as of a date knows, and when its label becomes known."""

from __future__ import annotations

from datetime import date, timedelta

import matplotlib as mpl
import matplotlib.dates as mdates
from matplotlib.figure import Figure

from churn_spark.config import load_config
from scripts.docs_site.figures.canvas import ACCENT, GOLD, INK, LINE, MUTED, STYLE, WARM, as_svg, bare

_AS_OF = date(2018, 11, 12)
_SEEN = (-30, -27, -23, -22, -16, -14, -13, -9, -5, -4, -2)
_NOT_SEEN = (3, 8)
_CANCEL = 9


def draw_as_of_time() -> str:
    """One user's visits, cut at the as-of date, with gap and window of the label."""
    labels = load_config().labels
    begin = _AS_OF + timedelta(labels.gap_days)
    end = begin + timedelta(labels.horizon_days)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 3.2), layout="constrained")
        axes = figure.subplots()
        bare(axes)
        first, last = _AS_OF - timedelta(32), end + timedelta(3)
        for start, stop, colour in (
            (first, _AS_OF, ACCENT), (_AS_OF, begin, LINE), (begin, end, WARM),
        ):  # fmt: skip
            axes.axvspan(start, stop, ymin=0.1, ymax=0.62, color=colour, alpha=0.16, linewidth=0)
        for days, colour in ((_SEEN, ACCENT), (_NOT_SEEN, MUTED)):
            places = [_AS_OF + timedelta(day) for day in days]
            axes.plot(places, [0.36] * len(places), "o", color=colour, markersize=9)
        cancel = _AS_OF + timedelta(_CANCEL)
        axes.plot([cancel], [0.36], "X", color=WARM, markersize=13)
        axes.axvline(_AS_OF, ymin=0.1, ymax=0.72, color=INK, linewidth=1.6)
        axes.axvline(end, ymin=0.1, ymax=0.72, color=GOLD, linewidth=1.6, linestyle="--")
        middle = first + (_AS_OF - first) / 2
        for place, height, text, side in (
            (middle, 0.52, "the features know this, and nothing else", "center"),
            (begin + (end - begin) / 2, 0.52, "a cancel in here makes the label 1", "center"),
            (_AS_OF, 0.84, "as-of date D, 00:00 UTC:\nthe night scores and lists", "center"),
            (end, 0.84, "only now is\nthe label known", "center"),
            (cancel, 0.2, "cancels", "center"),
            (begin + timedelta(0.2), 0.02, f"{labels.gap_days} day to act", "center"),
        ):
            axes.text(place, height, text, ha=side, va="center")
        axes.set(xlim=(first, last), ylim=(0, 1))
        axes.xaxis.set_major_locator(mdates.WeekdayLocator(mdates.MO))
        axes.xaxis.set_major_formatter(mdates.DateFormatter("%d %b"))
        return as_svg(figure)
