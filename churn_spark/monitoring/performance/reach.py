"""How many of the cancels the list as it was sent has reached, and how many others would have.

The list of a date is looked at once the labels of the date are known, with its control group: the
model has chosen both, and whom a call has kept is no miss of the model's. Beside it stand lists of
the same length: drawn by chance; by the simple rule that any model has to beat, first those whom it
names and then the others, by chance within either; and the best that was possible. All are shares
of the users who cancel, so lists of several lengths can be compared.

A share is a mean over the users who cancel: its interval is Wilson's. List and rule are compared
user by user, so that what they have in common cancels out, with Student's interval.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
from scipy import stats

from churn_spark.contracts.features.segments import ALL
from churn_spark.evaluation.reliability import wilson_interval
from churn_spark.monitoring.policy.evidence import ListReach
from churn_spark.monitoring.policy.hysteresis import LIST_METRIC
from churn_spark.wording import count_of, percent

LIST: Final = "list"
"""Basis of these rows of `performance`."""
CHANCE, RULE, BEST = "reached_vs_chance", LIST_METRIC, "reached_vs_best"
WITHHELD: Final = "cancels_of_control"
NOTHING: Final = "nothing_to_reach"


@dataclass(frozen=True)
class Group:
    """Users of a date that are alike in all that counts here.

    Attributes:
        cancels: whether they cancel in the window.
        is_listed: whether they were on the list, or in its control group.
        is_named: whether the rule names them.
        is_control: whether they were in the control group.
    """

    cancels: bool
    is_listed: bool
    is_named: bool
    is_control: bool = False


@dataclass(frozen=True)
class ListCounts:
    """The users of a date whose labels are known, those on its list among them.

    Attributes:
        as_of: the date.
        version: model that the list was made by.
        groups: group -> its users.
    """

    as_of: date
    version: str
    groups: Mapping[Group, int]

    def count(self, **traits: bool) -> int:
        """The users that have all these traits."""
        return sum(
            n
            for group, n in self.groups.items()
            if all(getattr(group, name) == value for name, value in traits.items())
        )

    @property
    def rule_chances(self) -> tuple[float, float]:
        """How likely a list by the rule has a user whom it names, and one whom it doesn't."""
        n_listed, n_named = self.count(is_listed=True), self.count(is_named=True)
        n_others = self.count() - n_named
        named = min(1.0, n_listed / n_named) if n_named else 0.0
        return named, max(0.0, n_listed - n_named) / n_others if n_others else 0.0


def reach_rows(counts: ListCounts, horizon_days: int) -> list[dict[str, Any]]:
    """Rows of `performance` of a list: against chance, the rule, and the best possible.

    With a control group one more: the share of it that cancels, beside that of those listed.

    One row that says so where nobody cancels, or nobody was listed whose label is known: a list
    that has rows isn't counted again.
    """
    n_listed, n_cancels = counts.count(is_listed=True), counts.count(cancels=True)
    of_list: dict[str, Any] = {
        "model_version": counts.version,
        "basis": LIST,
        "window_start": counts.as_of,
        "window_end": counts.as_of + timedelta(days=horizon_days),
        "slice": ALL,
        "n_rows": n_listed,
        "n_positive": n_cancels,
    }
    if not n_listed or not n_cancels:
        return [{**of_list, "metric": NOTHING}]
    n_reached = counts.count(is_listed=True, cancels=True)
    share = n_reached / n_cancels
    low, high = map(float, wilson_interval(n_reached, n_cancels))
    chance, best = n_listed / counts.count(), min(1.0, n_listed / n_cancels)
    rule, reach = _compare_with_rule(counts)
    shared = {**of_list, "value": share, "low": low, "high": high}
    return [
        {**shared, "metric": metric, "reference": other, "difference": share - other}
        | {"difference_low": ends_of[0], "difference_high": ends_of[1]}
        for metric, other, ends_of in (
            (CHANCE, chance, (low - chance, high - chance)),
            (RULE, rule, (share - rule - reach, share - rule + reach) if reach else (None, None)),
            (BEST, best, (low - best, high - best)),
        )
    ] + _control_rows(counts, shared)


def _control_rows(counts: ListCounts, shared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The row of the control group; none without one, or where it is all there is."""
    n_control = counts.count(is_control=True)
    n_called = counts.count(is_listed=True) - n_control
    if not n_control or not n_called:
        return []
    n_lost = counts.count(is_control=True, cancels=True)
    share = n_lost / n_control
    called = (counts.count(is_listed=True, cancels=True) - n_lost) / n_called
    low, high = map(float, wilson_interval(n_lost, n_control))
    ends = {"value": share, "low": low, "high": high, "n_rows": n_control, "n_positive": n_lost}
    beside = {"metric": WITHHELD, "reference": called, "difference": share - called}
    return [{**shared, **ends, **beside}]


def _compare_with_rule(counts: ListCounts) -> tuple[float, float | None]:
    """The rule's share, and how far the interval of the difference reaches.

    The latter is none with fewer than two users who cancel, or where all differ by the same: the
    error can't be told.
    """
    chances = counts.rule_chances
    cancelling = [(group, n) for group, n in counts.groups.items() if group.cancels and n]
    n = np.array([float(n) for _, n in cancelling])
    by_rule = np.array([chances[0] if group.is_named else chances[1] for group, _ in cancelling])
    listed = np.array([float(group.is_listed) for group, _ in cancelling])
    n_cancels, differences = n.sum(), listed - by_rule
    mean = float(n @ differences) / n_cancels
    squares = float(n @ (differences - mean) ** 2)
    rule = float(n @ by_rule) / n_cancels
    if n_cancels < 2 or not squares > 0:
        return rule, None
    error = math.sqrt(squares / (n_cancels - 1) / n_cancels)
    return rule, float(stats.t.ppf(0.975, n_cancels - 1)) * error


def list_reaches(rows: Iterable[Any]) -> tuple[ListReach, ...]:
    """What lists have reached, the oldest first, of their rows of `performance`.

    Args:
        rows: of any basis, as records or rows with these names.
    """
    by_list: dict[tuple[date, str], dict[str, Any]] = {}
    for row in rows:
        if row["basis"] == LIST:
            by_list.setdefault((row["window_start"], row["model_version"]), {})[row["metric"]] = row
    found = []
    for (start, version), of_list in sorted(by_list.items()):
        if {CHANCE, RULE, BEST} <= of_list.keys():
            rule = of_list[RULE]
            found.append(
                ListReach(
                    version=version,
                    window_start=start,
                    window_end=rule["window_end"],
                    n_listed=int(rule["n_rows"]),
                    n_positive=int(rule["n_positive"]),
                    reached=float(rule["value"]),
                    low=float(rule["low"]),
                    high=float(rule["high"]),
                    by_chance=float(of_list[CHANCE]["reference"]),
                    by_rule=float(rule["reference"]),
                    at_best=float(of_list[BEST]["reference"]),
                    rule_low=_known(rule["difference_low"]),
                    rule_high=_known(rule["difference_high"]),
                    n_control=int(of_list[WITHHELD]["n_rows"]) if WITHHELD in of_list else 0,
                )
            )
    return tuple(found)


def describe_reach(reach: ListReach) -> str:
    """The list's success in a sentence or two, in users and in percent."""
    n_reached, n_best = (round(one * reach.n_positive) for one in (reach.reached, reach.at_best))
    chance, rule = (one * reach.n_positive for one in (reach.by_chance, reach.by_rule))
    included = ", its control group included," if reach.n_control else ""
    return (
        f"The list of {reach.window_start}{included} had {n_reached:,} of the "
        f"{count_of(reach.n_positive, 'user')} who then cancelled ({percent(reach.reached)}, "
        f"{percent(reach.low)} to {percent(reach.high)}) among its "
        f"{count_of(reach.n_listed, 'user')}; a list of that length has {chance:,.1f} if drawn at "
        f"random, {rule:,.1f} by the simple rule, {n_best:,} at best."
    )


def verdict_on_rule(reach: ListReach) -> str:
    """Whether list or rule has surely reached more: `better`, `worse` or `can't tell`."""
    if reach.rule_low is not None and reach.rule_low > 0:
        return "better"
    if reach.rule_high is not None and reach.rule_high < 0:
        return "worse"
    return "can't tell"


def _known(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)
