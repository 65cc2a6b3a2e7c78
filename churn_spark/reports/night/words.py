"""Rules, alerts and features in plain words."""

from __future__ import annotations

import math

from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.spec import FEATURES
from churn_spark.monitoring.alerts.alerts import CONFIRMED_DRIFT
from churn_spark.monitoring.alerts.joint import JOINT_DRIFT
from churn_spark.monitoring.policy.hysteresis import LIST_METRIC
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.monitoring.policy.policy_state import Decision
from churn_spark.reports.data import by_numbers
from churn_spark.reports.words import METRICS, SEGMENT_NAMES, Metric, percent
from churn_spark.wording import count_of

_FEATURES = {feature.name: feature for feature in FEATURES}
COMPARISONS = {
    "previous_night": "Night before",
    "rolling_28": "28 nights before",
    "same_weekday": "Same weekday",
}
"""Comparison with earlier nights -> its heading."""

_LIST = Metric("List against the simple rule", "percent", "cancellations that the list contained")

BASE_RATE = Metric("Share that cancels", "percent", "share of the users who cancel in the window")

_ANY_OTHER = ""
"""In place of the rules of a kind that have no words of their own."""

_ORDER = (
    "Once a week, users who were listed are compared with those who were withheld. The list is "
    "ordered by what listing a user saves as long as that order is significantly better than the "
    "order by risk, on users not used to train its model."
)

_HEADLINES = {
    "keep": {
        "too_few_rows": "Nothing to do: the model is kept. There are too few users to judge drift.",
        _ANY_OTHER: "Nothing to do: the model is kept.",
    },
    "retrain": {
        "performance": "A retraining is asked for: the predictions have become worse.",
        "drift": "A retraining is asked for: the users have changed.",
        _ANY_OTHER: "A retraining is asked for: it is time for the next one.",
    },
    "promote": {
        "first": "The first model, version {version}, is in use.",
        "human": "Version {version} is in use, chosen by a person.",
        "replaced": "Version {version} takes over: the model before can't be used any more.",
        _ANY_OTHER: "Version {version} takes over.",
    },
    "reject": {
        "unfit": "Version {version} is dropped: it can't be compared with version {champion}.",
        _ANY_OTHER: "The new model was not good enough: version {champion} stays.",
    },
    "roll_back": {_ANY_OTHER: "The new model was worse: version {version} is back."},
    "calibrate": {_ANY_OTHER: "New drift thresholds from the next run on."},
    "order": {
        "by_effect": "The lists to come are ordered by what listing a user saves.",
        _ANY_OTHER: "The lists to come are ordered by risk.",
    },
    "hold": {
        "data_checks": "Drift was not judged: the data failed their checks.",
        "too_few_rows": "Drift was not judged: there are too few users.",
        "training": "A retraining is under way.",
        "human": "No retraining until a person has looked.",
        "budget": "The retrainings don't help: a person must look.",
        _ANY_OTHER: "There is a reason to retrain, but it has to wait.",
    },
}
"""Kind of a decision -> its rule -> what both mean."""


def metric_of(name: str) -> Metric:
    """How a monitored metric is shown."""
    if name == LIST_METRIC:
        return _LIST
    return METRICS.get(name, BASE_RATE) if name != "base_rate" else BASE_RATE


def explain_rule(decision: Decision, policy: PolicyConfig) -> str:
    """The rule behind a decision, as somebody would say it who knows no statistics."""
    p = policy
    rules = {
        "first": "The first model goes into use (it becomes the champion): there is nothing to "
        "compare it with.",
        "released": "A person has looked and lifted the retraining stop.",
        "data_checks": "If the data of a run failed a check, its drift is not judged and nothing "
        "is learnt from it: what looks like a change of the users may be faulty data.",
        "too_few_rows": f"With fewer than {count_of(p.min_rows, 'user')} drift is not judged: "
        "differences may be random.",
        "probation": f"For {count_of(p.probation_days, 'day')} a new champion (the model in use) "
        "is compared with the one before, on the same users. If it is significantly worse, the "
        "old one returns.",
        "challenger": "A new model (the challenger) replaces the one in use (the champion) only if "
        "it is better on the same users and worse nowhere that matters, or no worse than a "
        "champion that has become too old for its drift to be judged.",
        "replaced": "A model of other features, labels or held-out users can neither be used nor "
        "compared, so its successor takes over without a comparison.",
        "unfit": "A new model that was trained for another label, with other held-out users or "
        "on other features can't be compared with the one in use.",
        "training": f"One retraining at a time; one without a result after "
        f"{count_of(p.max_training_days, 'day')} is given up.",
        "performance": "Retrain when the model is significantly worse than at its validation, on "
        f"{count_of(p.bad_windows, 'window')} with known outcomes in a row that share no day.",
        "drift": f"Retrain after {count_of(p.bad_nights, 'run')} with drift out of {p.of_nights}. "
        "A run has drift if the drifted features have at least "
        f"{percent(p.min_breached_share)} of feature importance, or the prediction has drifted.",
        "schedule": f"Retrain when the last training is {count_of(p.schedule_days, 'day')} ago.",
        "nothing": "No confirmed loss of performance, no confirmed drift, and the last training "
        "is recent.",
        "wander": "A feature counts as drifted beyond the variation seen in runs without drift, "
        f"so that harmless variation causes at most {p.max_false_retrains:g} unnecessary "
        f"retrainings a year; thresholds stay from {p.enter_lower_bound:g} to "
        f"{p.max_enter_lower_bound:g}.",
        "by_effect": _ORDER,
        "by_risk": _ORDER,
        "frozen": "While drift is confirmed, or a recent run had drift, thresholds stay as they "
        "are.",
        "too_soon": f"Two trainings are at least {count_of(p.min_days_between, 'day')} apart.",
        "cooldown": "For some time after a retraining for drift or loss of performance, drift "
        "cannot trigger another one.",
        "budget": f"At most {count_of(p.max_retrains, 'retraining')} for drift or loss of "
        f"performance in {count_of(p.budget_days, 'day')}: when they don't help, a person must "
        "look.",
        "human": (
            "A person has chosen another version."
            if decision.kind == "promote"
            else "After a roll-back, or retrainings that don't help, there is no retraining until "
            "a person releases it."
        ),
    }
    return rules.get(decision.rule, decision.rule)


def headline(decision: Decision, champion: str | None) -> str:
    """What a decision means, in one sentence."""
    of_rule = _HEADLINES[decision.kind]
    sentence = of_rule.get(decision.rule, of_rule[_ANY_OTHER])
    return sentence.format(version=decision.version, champion=champion)


def meaning(name: str) -> str:
    """What a feature is, in words; an unknown one keeps its name."""
    if name == PREDICTION:
        return "predicted probability to cancel"
    return _FEATURES[name].meaning if name in _FEATURES else name


def unit(name: str) -> str:
    """The unit of a feature; empty for a category."""
    if name == PREDICTION:
        return "probability"
    return _FEATURES[name].unit if name in _FEATURES else ""


def amount(value: float, unit: str) -> str:
    """A value with its unit: `12.5 visits`, `4.2 %`, `1 day`."""
    if not math.isfinite(value):
        return "–"
    if unit in ("share", "probability"):
        return percent(value, 1)
    if unit == "seconds":
        # Nobody thinks of listening in seconds.
        value, unit = value / 3600, "hours"
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{3 if abs(value) >= 1 else 2}g}"
    if text == "1" and unit in ("days", "visits", "hours", "sessions", "songs", "pages"):
        unit = unit.removesuffix("s")
    return f"{text} {unit}".rstrip().replace("-", "−")


def place(direction: str, statistic: float, location: float, unit: str) -> str:
    """Where and how a number has drifted, at the value where the distance is largest."""
    if direction not in ("higher", "lower") or not math.isfinite(location):
        return "the same"
    change = "smaller" if direction == "higher" else "larger"
    return (
        f"{direction}: the share of users with at most {amount(location, unit)} is "
        f"{points(statistic)} {change} than in training"
    )


def points(share: float) -> str:
    """A difference of shares: `12 percentage points`."""
    number = f"{100 * share:.0f}" if share >= 0.1 else f"{100 * share:.1f}"
    return f"{number} percentage points"


def statistic(value: float) -> str:
    """A KS distance in three decimals; a dash where it was not tested."""
    return f"{value:.3f}" if math.isfinite(value) else "–"


def at_least(lower_bound: float) -> str:
    """The lower bound of a KS distance."""
    return f"at least {statistic(lower_bound)}" if lower_bound > 0 else "not significant"


def alert_name(key: str) -> str:
    """What an alert is about."""
    kind, _, name = key.partition(":")
    if kind == "performance":
        return f"loss of performance: {metric_of(name).name}"
    if kind == "data":
        return f"data: {name}"
    names = {
        "drift:moved": "feature drift",
        JOINT_DRIFT: "drift of all features together",
        "cancellations:more": "more cancellations",
        "cancellations:fewer": "fewer cancellations",
        "labels:missing": "labels have not arrived",
        "rate:missing": "missing values",
        "rate:zero": "zeros",
        CONFIRMED_DRIFT: "confirmed drift",
        "model:rolled_back": "roll-back",
        "policy:waits": "waits for a person",
    }
    return names.get(key, key)


def slice_name(name: str) -> str:
    """A part of the users: `Subscription: paid`."""
    segment, _, value = name.partition("=")
    return f"{SEGMENT_NAMES.get(segment, segment)}: {value}" if value else "All users"


def slice_order(name: str) -> tuple[int, tuple[tuple[int, ...], str]]:
    """A sort key: by segment, then bands by their numbers."""
    segment, _, value = name.partition("=")
    order = list(SEGMENT_NAMES)
    return order.index(segment) if segment in order else len(order), by_numbers(value)
