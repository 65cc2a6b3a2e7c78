"""The answer first: what the model finds, against what, how sure that is."""

from __future__ import annotations

import math

from churn_spark.reports.data import EvaluationData, Figure
from churn_spark.reports.page import KeyFigure
from churn_spark.reports.words import model_name
from churn_spark.wording import count_of

FEW_CANCELS = 100
"""Below this many cancellations a figure is a sign, not a measurement."""

WIDE_AUC = 0.1
"""An interval of the ROC AUC wider than this can't tell a poor model from a good one."""

CELLS = {
    "new users": "new users, training dates",
    "future": "known users, later dates",
    "both": "new users, later dates",
    "test": "all users, later dates",
}
"""Cell -> its name, by what the model had not seen."""

CELL_MEANINGS = {
    "new users": "users not used for training, on dates the model was trained on",
    "future": "users the model was trained on, on later dates",
    "both": "users not used for training, on later dates",
    "test": "all users, on later dates",
}


def answer(data: EvaluationData) -> str:
    """The one sentence for those who read no further."""
    name = model_name(data.primary)
    own = data.figure("capture_10")
    if not own.is_known:
        return f"There are too few cancellations in this evaluation to say how good {name} is."
    rule = data.figure("capture_10", "rule")
    others = (
        f"; the simple rule finds {_of_100(rule)}, a random choice 10"
        if rule.is_known
        else "; a random choice finds 10"
    )
    return (
        f"The model finds {_of_100(own)} of 100 cancellers among the tenth of users it ranks "
        f"highest{others}."
    )


def sentences(data: EvaluationData) -> tuple[str, ...]:
    """What follows from the figures, each with its interval; nothing where one is missing."""
    found = [_against_rule(data), _against_oracle(data), _probabilities(data)]
    return tuple(text for text in found if text)


def cautions(data: EvaluationData) -> tuple[str, ...]:
    """What limits the figures of this page."""
    auc = data.figure("roc_auc")
    found = []
    if data.card.kind == "lifetime":
        found.append(
            "Retrospective. The label is whether a user ever cancelled, the features look back "
            "from the end of the log. These figures describe the past; they forecast nothing."
        )
    if auc.n_positive < FEW_CANCELS:
        found.append(
            f"Only {count_of(auc.n_positive, 'cancellation stands', 'cancellations stand')} "
            "behind the headline figures. Read them as a sign that everything runs, not as a "
            "measurement."
        )
    if auc.is_known and auc.high - auc.low > WIDE_AUC:
        found.append(
            f"The interval of the ROC AUC, {auc.interval}, is too wide to tell a poor model "
            "from a good one."
        )
    if data.card.is_simulated:
        found.append(
            "The log is simulated: its users are invented, and so is how they decide to cancel."
        )
    return tuple(found)


def key_figures(data: EvaluationData) -> tuple[KeyFigure, ...]:
    """Four figures with their intervals and what to hold them against."""
    return (
        _key(data, "capture_10", "of cancellers found in the top tenth", "random 10\u202f%"),
        _key(data, "capture_33", "of cancellers found in the top third", "random 33\u202f%"),
        _key(data, "roc_auc", "ROC AUC", "random 0.500"),
        _key(data, "average_precision", "average precision", _base_rate(data)),
    )


def _key(data: EvaluationData, metric: str, name: str, baseline: str) -> KeyFigure:
    own, rule = data.figure(metric), data.figure(metric, "rule")
    beside = f"simple rule {rule.text}, {baseline}" if rule.is_known else baseline
    return KeyFigure(name, own.text, own.interval, beside)


def _base_rate(data: EvaluationData) -> str:
    """What equal probabilities reach on the same rows, each counted as in the figure beside."""
    measured = data.figure("average_precision", "base_rate")
    if math.isfinite(measured.value):
        return f"random {measured.text}"
    figure = data.figure("average_precision")
    return f"random {figure.n_positive / figure.n:.3f}" if figure.n else "random: the base rate"


def _against_rule(data: EvaluationData) -> str:
    for metric, of in (
        ("capture_10", "share of cancellers found in the top tenth"),
        ("roc_auc", "ROC AUC"),
    ):
        lead = data.figure(metric, versus="rule")
        if not lead.is_known:
            continue
        unit = " percentage points" if metric == "capture_10" else ""
        scale = 100 if unit else 1
        values = [measured_text(scale * v, scale) for v in (lead.value, lead.low, lead.high)]
        text = (
            f"Compared with the simple rule on the same users, its {of} differs by {values[0]}"
            f"{unit} (95\u202f% interval {values[1]} to {values[2]})"
        )
        if lead.low > 0:
            return f"{text}: significantly better."
        if lead.high < 0:
            return f"{text}: significantly worse, so use the rule."
        return f"{text}: no significant difference."
    return ""


def measured_text(value: float, scale: float) -> str:
    """A difference for a sentence: points, with a decimal where they are few, or three decimals."""
    decimals = 3 if scale != 100 else 0 if abs(value) >= 10 else 1
    return f"{value:+.{decimals}f}".replace("-", "−")


def _against_oracle(data: EvaluationData) -> str:
    own, best = data.figure("roc_auc"), data.figure("roc_auc", "oracle")
    if not (own.is_known and best.is_known) or best.value <= 0.5:
        return ""
    return (
        "The log is simulated, so the best possible ROC AUC is known, that of the true "
        f"probabilities: {best.text} ({best.interval}). The model's is {own.text} ({own.interval})."
    )


def _probabilities(data: EvaluationData) -> str:
    slope = data.figure("calibration_slope")
    if not slope.is_known:
        return ""
    text = f"(calibration slope {slope.text}, {slope.interval}; 1 is ideal)"
    if slope.low <= 1 <= slope.high:
        return f"No evidence that its probabilities are too extreme or too moderate {text}."
    kind = "too extreme" if slope.high < 1 else "too moderate"
    return f"Its probabilities are {kind} {text}: trust the order more than the numbers."


def _of_100(figure: Figure) -> str:
    return f"{100 * figure.value:.0f}"
