"""What the behaviour model's parts say: how often users come, and what kinds of listeners do."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from churn_spark.models.behaviour.forecast import survival
from churn_spark.models.behaviour.outcomes import Sessions
from churn_spark.models.behaviour.visits import VisitPrior, rate_log_weights
from scripts.docs_site.figures.canvas import ACCENT, GOLD, MUTED, STYLE, WARM, as_svg

# Of a champion of the demo, rounded: how a visit of a paid user ends (free, paid, cancelled).
_KINDS = {
    "kind A, a visit leads to a cancel in 0.5 %": ([0.890, 0.107, 0.003], [0.032, 0.963, 0.005]),
    "kind B, in 3 %": ([0.870, 0.120, 0.010], [0.040, 0.930, 0.030]),
}
_DAYS = ([0.12, 0.33], [0.12, 0.20])
_PRIOR = VisitPrior(-1.64, 0.99)
_TICKS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20)
_STYLES = ((ACCENT, "-"), (WARM, "-"))


def draw_behaviour() -> str:
    """How sure the model is of a rate, and what rate and kind make of the days ahead."""
    sessions = Sessions(
        np.array([list(ends) for ends in _KINDS.values()]), np.array([list(d) for d in _DAYS])
    )
    rates, log_prior = _PRIOR.grid()
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(10, 4), layout="constrained")
        left, right = figure.subplots(1, 2)
        left.fill_between(7 * rates, np.exp(log_prior), color=MUTED, alpha=0.25, label="everybody")
        for visits, days, colour in ((2, 14, GOLD), (12, 56, ACCENT), (40, 56, WARM)):
            weights = rate_log_weights(_PRIOR, np.array([float(visits)]), np.array([float(days)]))
            left.plot(
                7 * rates, np.exp(weights[0]), color=colour, label=f"{visits} visits in {days} days"
            )
        left.set(xscale="log", xlim=(0.1, 20), ylim=(0, None), xlabel="visits a week")
        left.set_title("How often do they come?")
        left.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
        left.xaxis.set_minor_locator(NullLocator())
        left.set_yticks([])
        left.legend()
        horizons = np.arange(0, 31)
        a_day = np.array([1.5, 5.0]) / 7
        alive = np.array([survival(sessions, a_day, float(day))[:, 1] for day in horizons])
        for kind, (name, (colour, _)) in enumerate(zip(_KINDS, _STYLES, strict=True)):
            for place, (rate, style) in enumerate(((1.5, "--"), (5.0, "-"))):
                right.plot(
                    horizons, 100 * (1 - alive[:, kind, place]), color=colour, linestyle=style,
                    label=f"{name}; {rate:g} visits a week",
                )  # fmt: skip
        right.axvline(14, color=MUTED, linewidth=0.8, linestyle=":")
        right.set(xlabel="days ahead", ylabel="have cancelled, %", ylim=(0, None), xlim=(0, 30))
        right.set_title("What becomes of a paid subscriber?")
        right.legend(fontsize=8)
        return as_svg(figure)
