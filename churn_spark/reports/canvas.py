"""What all pictures share: matplotlib in one style, as SVG inside the page."""

from __future__ import annotations

import base64
import io
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from churn_spark.churn_words import in_words
from churn_spark.reports.words import percent

INK, MUTED, LINE = "#1f2a33", "#5a6772", "#d8dee3"
ACCENT, WARM, GOLD = "#0b6670", "#b4541a", "#c58f2b"
STYLE: Any = {
    # Text stays text, in the page's own font; and a dollar from the log is no formula.
    "svg.fonttype": "none",
    "text.parse_math": False,
    "svg.hashsalt": "churn_spark",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica", "Arial", "Liberation Sans", "DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "xtick.major.pad": 7,
    "ytick.major.pad": 6,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
}
_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}
# A scale's functions must also take the margins' negative values.
ROOTS = (lambda x: np.sqrt(np.maximum(x, 0)), np.square)
"""A scale that spreads what is small, and keeps straight what is straight through zero."""
PERCENT = FuncFormatter(lambda share, _: percent(share))


def canvas(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Figure, Any]:
    """A figure of some inches with its axes."""
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns)


def as_label(text: str, n_chars: int) -> str:
    """A text from the log on one line, and no longer than leaves room for the picture."""
    printable = (one if one.isprintable() else " " for one in text[: 4 * n_chars])
    line = " ".join("".join(printable).split())
    return line if len(line) <= n_chars else line[: n_chars - 1] + "…"


def as_address(figure: Figure) -> str:
    """The figure as a `data:` address, the same bytes for the same figure."""
    for one in figure.findobj(Text):
        one.set_text(in_words(one.get_text()))
    for patch in (figure.patch, *(axes.patch for axes in figure.axes)):
        patch.set(facecolor="none", edgecolor="none")
    buffer = io.BytesIO()
    with mpl.rc_context(STYLE):
        # `savefig` would draw it twice: once to see what it takes.
        svg: Any = FigureCanvasSVG(figure)
        svg.print_svg(buffer, metadata=_NO_METADATA)
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
