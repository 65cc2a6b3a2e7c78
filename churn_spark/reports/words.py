"""Numbers, names and dates as people read them; a missing number says so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from churn_spark import wording
from churn_spark.reports.page import Cell

# Between a number and its unit; the line never breaks there.
_NARROW = "\u202f"
TOO_FEW = "too few"

MODELS: dict[str, str] = {
    "base_rate": "Base rate",
    "rule": "Simple rule",
    "logistic_regression": "Logistic regression",
    "hazard": "Hazard per page",
    "behaviour": "Behaviour model",
    "fading": "Model of declining interest",
    "unweighted": "LightGBM, unweighted",
    "lightgbm": "LightGBM",
    "oracle": "Oracle",
}
"""Model -> its name, in the order of the ladder."""

MODEL_MEANINGS: dict[str, str] = {
    "base_rate": "everybody gets the same probability",
    "rule": "paid, and active in the last 3 days; of inactivity: hours since the newest event",
    "logistic_regression": "a weighted sum of the same features",
    "hazard": "a fixed probability per visit of each page",
    "behaviour": "kinds of listeners and their visit rates",
    "fading": "pauses that grow longer, and the billing day",
    "unweighted": "the same trees, each row counting once",
    "lightgbm": "boosted trees",
    "oracle": "the true probabilities of the simulation: the best possible",
}

SEGMENT_NAMES: dict[str, str] = {
    "level": "Subscription",
    "tenure_band": "Time since registration",
    "os": "Operating system",
    "gender": "Gender",
}
"""Segment column -> its name."""


@dataclass(frozen=True)
class Metric:
    """How a metric is called and written.

    Attributes:
        name: heading of its column.
        style: `score` (three decimals), `error` (four) or `percent`.
        meaning: one line for people.
    """

    name: str
    style: str
    meaning: str


METRICS: dict[str, Metric] = {
    "roc_auc": Metric(
        "ROC AUC",
        "score",
        "the probability that a canceller is ranked above a stayer: 0.5 is random, 1 is perfect",
    ),
    "average_precision": Metric(
        "Average precision",
        "score",
        "precision averaged over all lengths of the list; a random order gives the base rate",
    ),
    "capture_10": Metric(
        "Found in top 10\u202f%",
        "percent",
        "share of all cancellers among the tenth ranked highest",
    ),
    "capture_33": Metric(
        "Found in top 33\u202f%", "percent", "the same for the third ranked highest"
    ),
    "lift_10": Metric(
        "Lift at 10\u202f%", "score", "cancellers in the top tenth, compared with a random tenth"
    ),
    "lift_33": Metric("Lift at 33\u202f%", "score", "the same for the top third"),
    "f1": Metric("F1", "score", "harmonic mean of precision and recall of the cancellers"),
    "brier": Metric(
        "Brier score", "error", "mean squared error of the probability; lower is better"
    ),
    "log_loss": Metric("Log loss", "error", "mean surprise, in nats; lower is better"),
    "calibration_error": Metric(
        "Calibration error",
        "error",
        "mean distance of predicted and observed share over groups of equal size",
    ),
    "calibration_slope": Metric(
        "Calibration slope", "score", "1 is right; below 1 the probabilities are too extreme"
    ),
    "calibration_intercept": Metric(
        "Calibration intercept",
        "score",
        "0 is right beside a slope of 1; above 0, too few cancellations are predicted",
    ),
}
"""Metric of the figures -> how it is shown."""


def model_name(model: str) -> str:
    """The model's name for people; an unknown one keeps its own."""
    return MODELS.get(model, model.replace("_", " "))


def in_ladder_order(models: Sequence[str]) -> list[str]:
    """Known models in the ladder's order, others before the oracle, each once."""
    order = {model: place for place, model in enumerate(MODELS)}
    return sorted(set(models), key=lambda model: (order.get(model, order["oracle"] - 0.5), model))


def percent(share: float, decimals: int = 0) -> str:
    """`36 %`, on one line, with a minus, not a hyphen, where it is below 0."""
    return wording.percent(share, decimals, _NARROW).replace("-", "−")


def number(value: float, style: str) -> str:
    """A value in the style of a metric; `too few` where there is none."""
    if not math.isfinite(value):
        return TOO_FEW
    if style == "percent":
        return percent(value)
    return f"{value:z.{4 if style == 'error' else 3}f}".replace("-", "−")


def interval(low: float, high: float, style: str) -> str:
    """`0.758 to 0.784`; empty where an end is missing."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{number(low, style).removesuffix(f'{_NARROW}%')} to {number(high, style)}"


def measured(value: float, low: float, high: float, style: str) -> Cell:
    """A value with its interval as a cell; says where either is missing."""
    if not math.isfinite(value):
        return Cell(TOO_FEW, tone="number quiet")
    return Cell(
        number(value, style), interval(low, high, style) or "interval: too few", tone="number"
    )


def count(value: float) -> Cell:
    """A whole number as a cell."""
    return Cell(f"{value:,.0f}", tone="number")


def dates_in_words(dates: Sequence[date]) -> str:
    """`2018-10-08 to 2018-11-05 (5 dates)`, or the one or two dates; empty for none."""
    if len(dates) > 2:
        return f"{min(dates)} to {max(dates)} ({len(dates)} dates)"
    return " and ".join(str(day) for day in sorted(dates))
