"""The Kolmogorov-Smirnov statistic from counts in the cells of the training rows."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from scipy.stats import ks_2samp

from churn_spark.monitoring.drift.ks import build_reference, collect_bins, compare, locate_bins
from scripts.docs_site.figures.canvas import ACCENT, INK, LINE, STYLE, WARM, as_svg

_TRAINING = np.array([1, 2, 2, 3, 4, 5, 5, 6, 8, 9], dtype=float)
_TONIGHT = np.array([2.5, 3, 4.2, 5, 6, 6.4, 7, 8, 8.5, 9.5, 9.8, 7.7], dtype=float)


def draw_exact_ks() -> str:
    """Two small samples: their distribution functions, and the counts that D comes from.

    Raises:
        ValueError: if the D of the counts is not the one of the samples.
    """
    reference = build_reference(_TRAINING)
    bins, counts = np.unique(locate_bins(reference.edges, _TONIGHT), return_counts=True)
    in_bins, missing = collect_bins(reference, bins, counts)
    found = compare(reference, in_bins, missing)
    if not np.isclose(found.statistic, ks_2samp(_TRAINING, _TONIGHT).statistic, atol=1e-12):
        raise ValueError("found another D by counts than by the samples, expected the same")
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 5), layout="constrained")
        top, below = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, 1])
        ticks = np.linspace(0, 10.5, 1001)
        for sample, colour, name in (
            (_TRAINING, ACCENT, f"training: {len(_TRAINING)} rows"),
            (_TONIGHT, WARM, f"tonight: {len(_TONIGHT)} users"),
        ):
            share = np.searchsorted(np.sort(sample), ticks, side="right") / len(sample)
            top.plot(ticks, share, color=colour, label=name, linewidth=2)
        shares = [np.mean(sample <= found.location) for sample in (_TRAINING, _TONIGHT)]
        top.plot([found.location] * 2, shares, color=INK, linewidth=4, solid_capstyle="butt")
        top.annotate(
            f"D = {found.statistic:.3f}", (found.location, float(np.mean(shares))),
            xytext=(8, 0), textcoords="offset points", va="center", weight="bold",
        )  # fmt: skip
        top.set(ylabel="share of rows up to here", ylim=(0, 1.02), xlim=(0, 10.5))
        top.set_title("The largest gap between the two lines is D")
        top.legend(loc="upper left")
        for edge in reference.edges:
            for axes in (top, below):
                axes.axvline(edge, color=LINE, linewidth=1, zorder=0)
        below.bar(reference.places.clip(0.5, 10), in_bins, width=0.28, color=WARM)
        below.set(ylabel="users", xlabel="a feature's value; a line at each value in training")
        below.set_title("All that is counted tonight: users on each line, and between two lines")
        below.yaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        return as_svg(figure)
