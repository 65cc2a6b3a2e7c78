"""One style for all figures: that of the reports, on white, so that dark pages show it too."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.figure import Figure

from churn_spark.reports.canvas import ACCENT, GOLD, INK, LINE, MUTED, STYLE, WARM

__all__ = ["ACCENT", "GOLD", "INK", "LINE", "MUTED", "STYLE", "WARM", "as_svg", "bare"]


def as_svg(figure: Figure) -> str:
    """The figure as text that is the same whenever it is drawn."""
    written = io.StringIO()
    none: Any = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(written, format="svg", facecolor="white", metadata=none)
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def bare(axes: Any) -> None:
    """Take away what a diagram without scales doesn't need."""
    axes.grid(False)
    axes.set_yticks([])
    for side in axes.spines.values():
        side.set_visible(False)
