"""The answer first: what the model finds, against what, how sure that is."""

from __future__ import annotations

from churn_spark.reports.data import EvaluationData, Figure
from churn_spark.reports.page import KeyFigure
from churn_spark.reports.words import model_name, percent
from churn_spark.wording import count_of

FEW_CANCELS = 100
"""Below this many cancellations a figure is a sign, not a measurement."""

WIDE_AUC = 0.1
"""An interval of the ROC AUC wider than this can't tell a poor model from a good one."""

CELLS = {
    "new users": "new users, dates of the fit",
    "future": "known users, later dates",
    "both": "new users, later dates",
    "test": "all users, later dates",
    "training": "training rows (retrospective)",
}
"""Cell -> its name, by what the model had not seen."""

CELL_MEANINGS = {
    "new users": "users in no fit, on dates the model was trained on",
    "future": "users the model was fitted on, on later dates",
    "both": "users in no fit, on later dates",
    "test": "all users, on later dates",
    "training": "the users and dates the model was fitted on",
}


def answer(data: EvaluationData) -> str:
    """The one sentence for those who read no further."""
    name = model_name(data.primary)
    own = data.figure("capture_10")
    if not own.is_known:
        return f"There are too few cancellations in this evaluation to say how good {name} is."
    rule = data.figure("capture_10", "rule")
    others = (
        f"; the simple rule finds {_of_100(rule)}, chance 10"
        if rule.is_known
        else "; chance finds 10"
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
            "behind the headline figures. Read them as a sign that the flow works, not as a "
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
        _key(data, "capture_10", "found in the top tenth", "chance 10\u202f%"),
        _key(data, "capture_33", "found in the top third", "chance 33\u202f%"),
        _key(data, "roc_auc", "ROC AUC", "guessing 0.500"),
        _key(data, "average_precision", "average precision", _base_rate(data)),
    )


def _key(data: EvaluationData, metric: str, name: str, baseline: str) -> KeyFigure:
    own, rule = data.figure(metric), data.figure(metric, "rule")
    beside = f"rule {rule.text}, {baseline}" if rule.is_known else baseline
    return KeyFigure(name, own.text, own.interval, beside)


def _base_rate(data: EvaluationData) -> str:
    figure = data.figure("average_precision")
    return f"guessing {figure.n_positive / figure.n:.3f}" if figure.n else "guessing: the base rate"


def _against_rule(data: EvaluationData) -> str:
    for metric, unit in (("capture_10", "points of the top tenth"), ("roc_auc", "of ROC AUC")):
        lead = data.figure(metric, versus="rule")
        if not lead.is_known:
            continue
        scale = 100 if metric == "capture_10" else 1
        values = [measured_text(scale * v, scale) for v in (lead.value, lead.low, lead.high)]
        text = f"(95\u202f% interval {values[1]} to {values[2]}, same users)"
        if lead.low > 0:
            return (
                f"Its lead over the rule is {values[0]} {unit} {text}: more than chance explains."
            )
        if lead.high < 0:
            return f"It is behind the rule by {values[0]} {unit} {text}: use the rule."
        return (
            f"Against the rule it stands at {values[0]} {unit} {text}: the interval includes 0, so "
            "these data can't tell the two apart."
        )
    return ""


def measured_text(value: float, scale: float) -> str:
    """A difference for a sentence: whole points, or three decimals."""
    text = f"{value:+.0f}" if scale == 100 else f"{value:+.3f}"
    return text.replace("-", "−")


def _against_oracle(data: EvaluationData) -> str:
    own, best = data.figure("roc_auc"), data.figure("roc_auc", "oracle")
    if not (own.is_known and best.is_known) or best.value <= 0.5:
        return ""
    share = (own.value - 0.5) / (best.value - 0.5)
    return (
        f"Even the true chances of this simulated log reach only a ROC AUC of {best.text} "
        f"({best.interval}); the model comes {percent(share)} of the way from guessing to that."
    )


def _probabilities(data: EvaluationData) -> str:
    slope = data.figure("calibration_slope")
    if not slope.is_known:
        return ""
    text = f"(calibration slope {slope.text}, {slope.interval})"
    if slope.low <= 1 <= slope.high:
        return f"Nothing says that its probabilities are too bold or too timid {text}."
    kind = "too bold" if slope.high < 1 else "too timid"
    return f"Its probabilities are {kind} {text}: trust the order more than the numbers."


def _of_100(figure: Figure) -> str:
    return f"{100 * figure.value:.0f}"
