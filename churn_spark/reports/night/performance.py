"""How good the champion's predictions turned out to be, and what it guesses of itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.segments import ALL
from churn_spark.monitoring.performance.cancellations import cancellations_told
from churn_spark.monitoring.performance.labelled import HELD_OUT, SAMPLE, UNTOUCHED
from churn_spark.monitoring.performance.reach import LIST, list_reaches
from churn_spark.monitoring.policy.evidence import MetricChange
from churn_spark.monitoring.policy.hysteresis import JUDGED_METRICS, is_surely_worse
from churn_spark.reports.night import words
from churn_spark.reports.night.data import NightData, records
from churn_spark.reports.night.pictures import draw_metric
from churn_spark.reports.night.reach import reach_blocks
from churn_spark.reports.page import Block, Caution, Cell, Gallery, Picture, Section, Table, Text
from churn_spark.reports.words import count, interval, measured, number, percent
from churn_spark.wording import count_of

WORSE = "significantly worse"
"""What the verdict on a metric says that has surely been lost."""

_METRICS = ("roc_auc", "average_precision", "f1", "log_loss", "calibration_error", "brier")
_SLICED = ("roc_auc", "average_precision", "log_loss", "calibration_error")
_CLAUSES = {
    HELD_OUT: "that the model was not fitted on",
    UNTOUCHED: "whose outcome no contact may have changed",
}
_NO_DECISION = (
    "The estimate without outcomes assumes that the model's own probabilities are right. It "
    "follows a change of the mix of users, but not a change in how the same users behave. So it is "
    "shown until the outcomes are known, and never decides anything."
)


def performance_section(data: NightData) -> Section:
    """Measured metrics against the reference, by window and by part of the users."""
    title = "Performance"
    measured_rows, guessed = data.measured, data.expected
    if data.performance.empty:
        text = "Not known yet: the outcomes of the first predictions come later."
        return Section("performance", title, text, ())
    blocks: list[Block] = [Text(f"{lately}.") for lately in _lately(data)]
    pictures = tuple(_pictures(data))
    if not measured_rows.empty:
        newest = measured_rows[measured_rows["window_start"] == measured_rows["window_start"].max()]
        blocks.append(_newest_table(data, newest))
    if pictures:
        blocks.append(Gallery(pictures))
    if not measured_rows.empty:
        blocks += list(_slice_table(newest))
    blocks += list(reach_blocks(data))
    if not guessed.empty:
        blocks += [_guess_table(guessed), Caution(_NO_DECISION)]
    return Section("performance", title, _answer(data), tuple(blocks))


def _lately(data: NightData) -> list[str]:
    """How many users have cancelled in the last days, where that is known."""
    of_night = data.performance["run_date"] == data.night
    return cancellations_told(records(data.performance[of_night]))


def verdict(row: dict[str, Any], policy: PolicyConfig) -> str:
    """What the policy makes of one metric on one window, in words."""
    ends = row["difference"], row["difference_low"], row["difference_high"]
    if row["metric"] not in JUDGED_METRICS:
        return "for information only"
    if any(pd.isna(end) for end in ends):
        return "nothing to compare with"
    change = MetricChange(
        row["metric"], row["window_start"], row["window_end"], *ends, int(row["n_positive"])
    )
    worse = is_surely_worse(change, policy)
    if worse is None:
        return f"too few: under {count_of(policy.min_positives, 'cancellation')}"
    return WORSE if worse else "not significantly worse"


def _answer(data: NightData) -> str:
    rows = data.measured
    rows = rows[rows["slice"] == ALL]
    if rows.empty:
        reached = list_reaches(records(data.of_basis(LIST)))
        lately = "how many users have cancelled lately, " if _lately(data) else ""
        lists = "how many cancellations the lists contained, " if reached else ""
        others = f"{lately}{lists}and " if lately or lists else "only "
        return (
            "No outcome is known yet that the model was not trained on, so nothing is measured. "
            f"Below is {others}what the model estimates of itself."
        )
    newest = records(rows[rows["window_start"] == rows["window_start"].max()])
    worse = [
        words.metric_of(row["metric"]).name for row in newest if verdict(row, data.policy) == WORSE
    ]
    first = newest[0]
    weight = _equal_weight(first)
    also = f", which {weight}" if weight else ""
    seen = f"Of {_users_of(first)}, {count_of(_n_cancels(first), 'has', 'have')} cancelled{also}. "
    if worse:
        return f"{seen}Significantly worse than on the validation users: {', '.join(worse)}."
    few = first["n_positive"] < data.policy.min_positives
    if few:
        return f"{seen}That is too few for a verdict: {data.policy.min_positives} are needed."
    return f"{seen}No metric is significantly worse than on the validation users."


def _users_of(row: dict[str, Any]) -> str:
    """Whose figures a row has: `the 90 users of 2018-11-26 that the model was not fitted on`."""
    # Null by an older release, an array as it is read back.
    limited_to = [*row["limited_to"]] if np.ndim(row["limited_to"]) else []
    drawn = "a sample of" if SAMPLE in limited_to else "the"
    users = f"{drawn} {count_of(int(row['n_rows']), 'user')} of {row['window_start']}"
    clauses = [text for name, text in _CLAUSES.items() if name in limited_to]
    return " ".join([users, " and ".join(clauses)]).strip()


def _n_cancels(row: dict[str, Any]) -> int:
    """Users who have cancelled; an older release kept only how much they tell."""
    return int(row["n_positive"] if pd.isna(row["n_cancels"]) else row["n_cancels"])


def _equal_weight(row: dict[str, Any]) -> str:
    """As how many of equal weight the cancellations count, where these are fewer."""
    n = int(row["n_positive"])
    return f"count as {n:,} of equal weight" if n < _n_cancels(row) else ""


def _newest_table(data: NightData, newest: pd.DataFrame) -> Table:
    rows = {row["metric"]: row for row in records(newest[newest["slice"] == ALL])}
    chosen = [rows[name] for name in _METRICS if name in rows]
    return Table(
        f"The newest window with known outcomes: {_users_of(chosen[0])}; 95 % intervals",
        ("Metric", "Measured", "Reference", "Difference", "Verdict"),
        tuple(
            (
                Cell(_metric(row).name, _metric(row).meaning),
                measured(row["value"], row["low"], row["high"], _metric(row).style),
                Cell(number(row["reference"], _metric(row).style), tone="number"),
                _difference(row),
                _verdict_cell(verdict(row, data.policy)),
            )
            for row in chosen
        ),
        note="Reference: the same metric on the users that the model was validated on. "
        "Significantly worse: the whole interval of the difference lies beyond the allowed "
        f"{data.policy.max_drop:g} (calibration error {data.policy.max_calibration_drop:g}); a "
        f"retraining takes {data.policy.bad_windows} such windows in a row that share no day.",
    )


def _pictures(data: NightData) -> Iterator[Picture]:
    of_all = data.of_basis("labels")
    of_all = of_all[of_all["slice"] == ALL]
    every = pd.concat([of_all["window_start"], data.expected["window_start"]])
    span = min(every.min(), data.night - timedelta(days=6)), data.night
    newest_own = data.measured["window_start"].max()
    for name in _METRICS[:-1]:
        own = of_all[of_all["metric"] == name]
        guess = data.expected[data.expected["metric"] == name]
        if own.empty and guess.empty:
            continue
        metric = words.metric_of(name)
        newest = (own if len(own) else guess).iloc[-1]
        kind = "measured as of" if len(own) else "estimated for"
        whose = "" if newest["window_start"] == newest_own or own.empty else ", of an earlier model"
        text = f"{metric.name}: {number(newest['value'], metric.style)}"
        ends = interval(newest["low"], newest["high"], metric.style)
        yield Picture(
            draw_metric(own, guess, span, metric.style),
            f"{metric.name} over time with its reference and the estimate without outcomes.",
            f"{text}{f' ({ends})' if ends else ''}, {kind} {newest['window_start']}{whose}.",
        )


def _slice_table(newest: pd.DataFrame) -> Iterator[Table]:
    names = [name for name in newest["slice"].unique() if name != ALL]
    if not names:
        return
    known = {(row["slice"], row["metric"]): row for row in records(newest)}
    ordered = [ALL, *sorted(names, key=words.slice_order)]
    rows = []
    for name in ordered:
        any_row = next(row for (place, _), row in known.items() if place == name)
        rows.append(
            (
                Cell(words.slice_name(name)),
                count(any_row["n_rows"]),
                Cell(f"{_n_cancels(any_row):,}", _equal_weight(any_row), "number"),
                *(_slice_cell(known.get((name, metric))) for metric in _SLICED),
            )
        )
    yield Table(
        "The same by group of users",
        ("Group", "Users", "Cancelled", *(words.metric_of(m).name for m in _SLICED)),
        tuple(rows),
        marked=frozenset({0}),
        note="Below each value its reference in the same group. With few cancellations a value "
        "varies at random: see the intervals of all users.",
    )


def _guess_table(guessed: pd.DataFrame) -> Table:
    newest = guessed[guessed["run_date"] == guessed["run_date"].max()]
    rows = newest.set_index("metric", drop=False)
    names = [n for n in ("roc_auc", "average_precision", "f1", "base_rate") if n in rows.index]
    return Table(
        f"Estimate without outcomes for {_users_of(records(newest)[0])}",
        ("Metric", "Estimate"),
        tuple(
            (
                Cell(words.metric_of(name).name, words.metric_of(name).meaning),
                _guess_cell(name, float(rows.loc[name, "value"])),
            )
            for name in names
        ),
    )


def _guess_cell(name: str, value: float) -> Cell:
    is_rate = name == "base_rate" and math.isfinite(value)
    text = percent(value, 1) if is_rate else number(value, words.metric_of(name).style)
    return Cell(text, tone="number")


def _verdict_cell(text: str) -> Cell:
    return Cell(text, tone="loud" if text == WORSE else "")


def _metric(row: dict[str, Any]) -> Any:
    return words.metric_of(row["metric"])


def _difference(row: dict[str, Any]) -> Cell:
    style = _metric(row).style
    return measured(row["difference"], row["difference_low"], row["difference_high"], style)


def _slice_cell(row: dict[str, Any] | None) -> Cell:
    if row is None:
        return Cell("–", tone="number quiet")
    style = _metric(row).style
    usual = row["reference"]
    beside = f"was {number(usual, style)}" if pd.notna(usual) else ""
    return Cell(number(row["value"], style), beside, "number")
