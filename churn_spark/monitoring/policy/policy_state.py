"""What the policy remembers from night to night, what it decides, and both as canonical JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from churn_spark.monitoring.policy.evidence import Evidence

Trigger = Literal["performance", "drift", "schedule"]
Kind = Literal["retrain", "hold", "keep", "promote", "reject", "roll_back", "calibrate", "order"]
T = TypeVar("T")


@dataclass(frozen=True)
class Streak:
    """Windows in a row on which a metric was surely worse than its reference.

    Attributes:
        metric: as in `MetricChange`.
        window_end: of the newest window that was counted.
        n_bad: how many in a row; 0 after one that was not.
    """

    metric: str
    window_end: date
    n_bad: int


@dataclass(frozen=True)
class Pending:
    """A retraining that was asked for and whose challenger is not judged yet."""

    trigger: Trigger
    asked: date


@dataclass(frozen=True)
class EntryThreshold:
    """Where a feature enters, and what that still finds.

    Attributes:
        enter: lower bound of D from which it has moved.
        shift: smallest shift, in its standard deviations, that is found within three nights in 95
            of 100 cases; of a feature that is normal.
    """

    enter: float
    shift: float


@dataclass(frozen=True)
class Calibration:
    """Thresholds that follow how much the population moves without harm.

    Attributes:
        night: on which they were calibrated.
        n_nights: quiet nights that they are from.
        wander: root mean square of how far the features move, in D.
        typical: half of the features enter at it or below, and so does one that isn't known yet.
        others: feature -> its own, where it is another.
    """

    night: date
    n_nights: int
    wander: float
    typical: EntryThreshold
    others: Mapping[str, EntryThreshold]

    def of(self, feature: str) -> EntryThreshold:
        """Where the feature enters."""
        return self.others.get(feature, self.typical)


@dataclass(frozen=True)
class PolicyState:
    """The memory of the policy.

    Attributes:
        champion: version in use; all drift is measured from its training rows.
        last_retrain: date on which the last retraining was asked for, whatever its cause.
        cooldown_days: length of the cooldown in force; doubles when a challenger for drift
            or performance is rejected.
        last_night: newest night that was judged; none before the first.
        breached: features, and `churn_probability`, that have moved; sorted.
        bad_nights: for the newest nights that were judged, oldest first, whether each was bad.
        streaks: of lost performance, one per metric; sorted.
        reactions: dates of the retrainings for drift or performance, newest last; only those
            that the cooldown or the budget still need.
        pending: the retraining in progress.
        previous: champion that can still come back: the last one that passed its probation.
        probation_end: first date on which the previous champion can no longer come back.
        waits_for_human: why nothing is retrained until `release`; none otherwise.
        calibration: thresholds of this population; none before the first, and in the states of
            older releases, which had none.
        apart: for the newest nights that were judged, oldest first, whether the users could be
            told from the training rows by all features at once.
    """

    champion: str
    last_retrain: date
    cooldown_days: int
    last_night: date | None = None
    breached: tuple[str, ...] = ()
    bad_nights: tuple[bool, ...] = ()
    streaks: tuple[Streak, ...] = ()
    reactions: tuple[date, ...] = ()
    pending: Pending | None = None
    previous: str | None = None
    probation_end: date | None = None
    waits_for_human: str | None = None
    calibration: Calibration | None = None
    apart: tuple[bool, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What to do, by which rule, and why.

    Attributes:
        night: date of the decision.
        kind: retrain: train a challenger; hold: something speaks for acting, something else
            against it; keep: nothing to do; promote, reject: the challenger; roll_back: to the
            champion before; calibrate: other thresholds from the next night on; order: by what
            the lists from the next night on are ordered.
        rule: name of the rule that decided.
        reason: one sentence with the numbers.
        version: the model that becomes champion, or is rejected; none for other kinds.
    """

    night: date
    kind: Kind
    rule: str
    reason: str
    version: str | None = None


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (PolicyState, Decision, Evidence)
}


def to_json(value: PolicyState | Decision | Evidence) -> str:
    """The state, decision or evidence as text: equal values give equal bytes.

    Keys are sorted and floats are the shortest text that reads back as the same float. Evidence
    without any of the order of lists is written as it was before there was such.

    Raises:
        ValueError: if a float is NaN or infinite, which JSON doesn't know.
    """
    plain = _ADAPTERS[type(value)].dump_python(value, mode="json")
    # Said only where there are some, so that the text of a night without stays as it was.
    if not plain.get("n_unmatched", True):
        del plain["n_unmatched"]
    if isinstance(value, Evidence) and value.order is None:
        del plain["order"]
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def from_json(kind: type[T], text: str) -> T:
    """The value that `to_json` wrote.

    Raises:
        ValueError: if the text doesn't hold such a value; every field that doesn't fit is named.
    """
    value: T = _ADAPTERS[kind].validate_json(text)
    return value
