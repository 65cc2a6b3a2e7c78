"""The answer first: what was decided tonight, by which rule, and what needs someone."""

from __future__ import annotations

from churn_spark.monitoring.alerts.alerts import SEVERITIES
from churn_spark.monitoring.data_quality.checks import failed_checks
from churn_spark.monitoring.policy.calibration import lines_of
from churn_spark.monitoring.policy.policy import PREDICTION
from churn_spark.reports.night import words
from churn_spark.reports.night.data import NightData
from churn_spark.reports.page import KeyFigure
from churn_spark.reports.words import interval, number, percent
from churn_spark.wording import count_of, name_some

# The cautions below have the same sentences.
_SAID_BELOW = ("hold", "human"), ("hold", "data_checks")


def subtitle(data: NightData) -> str:
    """The night and the model."""
    return f'Daily run ("night") of {data.night}. {champion_age(data)}.'


def champion_age(data: NightData) -> str:
    """`Model version 3, trained as of 2018-11-20: 12 days old`."""
    if data.champion is None:
        return "There is no model yet"
    if data.trained is None:
        return f"Model version {data.champion}"
    age = (data.night - data.trained).days
    return (
        f"Model version {data.champion}, trained as of {data.trained}: {count_of(age, 'day')} old"
    )


def answer(data: NightData) -> str:
    """The newest decision in one sentence; without one, why there is none."""
    if data.decided is not None:
        return words.headline(data.decided.decision, data.champion)
    if failed_checks(data.checks):
        return "No decision was taken: the data failed their checks."
    if data.champion is None:
        return "No decision was taken: there is no model yet."
    return "No decision is stored for this run."


def sentences(data: NightData) -> tuple[str, ...]:
    """The rule of the newest decision, then what was found in the data and in the features."""
    found = []
    entry = data.decided
    if entry is not None:
        found.append(words.explain_rule(entry.decision, entry.policy))
        if (entry.decision.kind, entry.decision.rule) not in _SAID_BELOW:
            found.append(f"Found in this run: {entry.decision.reason}.")
    failed = failed_checks(data.checks)
    if data.checks and not failed:
        found.append(f"The data: {count_of(len(data.checks), 'check')}, none failed.")
    return tuple(found)


def cautions(data: NightData) -> tuple[str, ...]:
    """What needs a human, and what limits the figures of this page."""
    found = []
    state = data.state
    if state is not None and state.waits_for_human is not None:
        found.append(
            f"Waits for a person: {state.waits_for_human}. The command for that: retrain_if_needed "
            f"--date {data.night} --release REASON."
        )
    failed = [check for check in data.checks if not check.passed]
    if failed:
        listed = name_some([check.sentence for check in failed], 3, "; ", "; and ")
        found.append(f"{count_of(len(failed), 'check')} failed: {listed}.")
    if data.drift_night is not None and data.drift_night != data.night:
        found.append(
            "Drift was not measured in this run. Everything about features below is of "
            f"{data.drift_night}, the newest run that measured it."
        )
    elif data.drift_night is not None and data.tonight and not data.is_drift_judged:
        found.append(
            "Drift was measured but not judged: the figures are shown for information only."
        )
    if data.reference_version is not None and data.reference_version != data.champion:
        found.append(
            f"Version {data.champion} went into use after this drift was measured: it compares "
            f"with the training rows of version {data.reference_version}. From the next run on it "
            "compares with those of the new model."
        )
    return tuple(found)


def key_figures(data: NightData) -> tuple[KeyFigure, ...]:
    """Data, alerts, drift, performance: one figure each, and what to hold it against."""
    return (
        _age_figure(data),
        _data_figure(data),
        _alert_figure(data),
        _feature_figure(data),
        _prediction_figure(data),
        _auc_figure(data),
    )


def _age_figure(data: NightData) -> KeyFigure:
    if data.champion is None or data.trained is None:
        return KeyFigure("age of the model", "none", "", "no training has succeeded yet")
    age = count_of((data.night - data.trained).days, "day")
    return KeyFigure("age of the model", age, f"version {data.champion}", "since its training")


def _data_figure(data: NightData) -> KeyFigure:
    failed = len(failed_checks(data.checks))
    n = len(data.checks)
    if not n:
        return KeyFigure("data checks", "none", "", "not run for this date")
    return KeyFigure(
        "data checks", f"{failed} failed", f"of {n}", "if one fails, no drift is judged"
    )


def _alert_figure(data: NightData) -> KeyFigure:
    severities = data.open_alerts["severity"].tolist()
    counts = [(severities.count(name), name) for name in reversed(SEVERITIES)]
    beside = ", ".join(f"{n} {name}" for n, name in counts if n) or "nothing to look at"
    return KeyFigure("open alerts", str(len(severities)), "", beside)


def _feature_figure(data: NightData) -> KeyFigure:
    name = "features that have drifted"
    if not data.judged:
        return KeyFigure(name, "none yet", "", "drift was not measured yet")
    found, limit = data.movement, percent(data.policy.min_breached_share)
    if not found.n_compared:
        return KeyFigure(name, "none yet", "", "no feature can be compared yet")
    carried = f"with {percent(found.share, 1)} of feature importance"
    n_moved = f"{found.n_moved} of {found.n_compared}"
    return KeyFigure(name, n_moved, carried, f"the run counts as drifted from {limit}")


def _prediction_figure(data: NightData) -> KeyFigure:
    name, row = "drift of the prediction", data.prediction
    if row is None:
        return KeyFigure(name, "none yet", "", data.movement.prediction)
    lines = lines_of(PREDICTION, data.policy, data.calibration)
    limit = f"KS distance; drifted if it is at least {lines.enter:.3g} with 95 % confidence"
    beside = "KS distance: it has drifted" if PREDICTION in data.moved else limit
    return KeyFigure(
        name, words.statistic(row["statistic"]), words.at_least(row["lower_bound"]), beside
    )


def _auc_figure(data: NightData) -> KeyFigure:
    rows = data.measured
    rows = rows[(rows["metric"] == "roc_auc") & (rows["slice"] == "all")]
    if rows.empty:
        return KeyFigure("ROC AUC, measured", "none yet", "", "outcomes are not known yet")
    row = rows.iloc[-1]
    ends = interval(row["low"], row["high"], "score") or "interval: too few"
    usual = number(row["reference"], "score")
    beside = f"at validation {usual}"
    return KeyFigure("ROC AUC, measured", number(row["value"], "score"), ends, beside)
