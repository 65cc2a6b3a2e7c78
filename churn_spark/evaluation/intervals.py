"""95 % intervals of the figures, by drawing users again.

A user's rows on several dates are drawn together: they are one story, and rows drawn one by one
would pretend to know more. All models are judged on the same draws, so that the interval of a
difference is that of the pair and not of two strangers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Values
from churn_spark.evaluation.metrics import row_log_losses
from churn_spark.evaluation.ranking import Ranking, Tally
from churn_spark.evaluation.reliability import N_BINS, calibration_line, log_odds

MIN_USERS_OF_A_CLASS: Final = 10
FIGURES: Final = (
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "capture_10",
    "capture_33",
    "calibration_error",
    "calibration_slope",
    "f1",
)

_LOW, _HIGH = 0.025, 0.975


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval; the ends are NaN where too few users were seen."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """`0.743 [0.721, 0.764]`; only the figure where there are no ends."""
        if math.isnan(self.low):
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Bootstrap:
    """The figures of several models on the same rows, and on the same draws of their users.

    Attributes:
        n: rows.
        n_users: users.
        n_positive_users: users with a positive label.
        values: model -> figure -> its value on the rows as they are.
        replicas: model -> figure -> its values on the draws, shape (replicas,); empty where
            fewer than `MIN_USERS_OF_A_CLASS` users have a label of one of the classes. From so
            few, draws are too alike, and the interval would be too narrow.
        gap_noise: model -> on each draw, how far the gaps of the calibration bins moved from
            where they are on the rows: the calibration error that chance alone makes.
    """

    n: int
    n_users: int
    n_positive_users: int
    values: Mapping[str, Mapping[str, float]]
    replicas: Mapping[str, Mapping[str, Values]]
    gap_noise: Mapping[str, Values]

    def interval(self, model: str, figure: str) -> Interval:
        """The percentile interval of one figure.

        The calibration error is a sum of absolute gaps: chance only adds to it, and a draw adds
        chance once more, so the draws lie too high. Its upper end is mirrored at the value; its
        lower end is the value less the error that chance alone makes, which gives 0 wherever
        the rows don't contradict perfect calibration.
        """
        value = self.values[model][figure]
        low, high = _percentiles(self.replicas[model][figure])
        if figure == "calibration_error":
            _, noise = _percentiles(self.gap_noise[model])
            high = float(np.maximum(2 * value - low, value))
            low = float(np.maximum(value - noise, 0))
        return Interval(value, low, high)

    def intervals(self) -> dict[str, dict[str, Interval]]:
        """Model -> figure -> interval."""
        return {
            model: {name: self.interval(model, name) for name in FIGURES} for model in self.values
        }

    def differences(self, reference: str) -> dict[str, dict[str, Interval]]:
        """Every other model -> figure -> model minus reference, paired on the same draws.

        Percentiles throughout: of the calibration error, what chance adds is in both models.

        Raises:
            KeyError: if the reference is none of the models.
        """
        against, drawn = self.values[reference], self.replicas[reference]
        return {
            model: {
                name: Interval(
                    self.values[model][name] - against[name],
                    *_percentiles(self.replicas[model][name] - drawn[name]),
                )
                for name in FIGURES
            }
            for model in self.values
            if model != reference
        }


def bootstrap_by_user(
    labels: Values,
    probabilities: Mapping[str, Values],
    users: Values,
    *,
    thresholds: Mapping[str, float],
    n_replicas: int,
    seed: int,
) -> Bootstrap:
    """Judge models on the rows and on draws of their users with replacement.

    Args:
        labels: 0 or 1, shape (rows,).
        probabilities: model -> its probabilities of the same rows, shape (rows,).
        users: whose each row is, any values that sort, shape (rows,).
        thresholds: model -> where its F1 is taken.
        n_replicas: draws; 400 leave an end uncertain by about a tenth of the width.
        seed: of the draws; the same rows and seed give the same intervals.

    Raises:
        ValueError: if there are no rows, or arrays differ in length.
    """
    names, user = np.unique(users, return_inverse=True)
    if len(user) != len(labels):
        raise ValueError(f"found {len(labels)} labels and {len(user)} users, expected as many")
    n_of_class = [len(np.unique(user[labels == label])) for label in (0, 1)]
    n_drawn = n_replicas if min(n_of_class) >= MIN_USERS_OF_A_CLASS else 0
    values, replicas, gap_noise = {}, {}, {}
    for model, scores in probabilities.items():
        judge = _Judge(labels, scores, thresholds[model])
        user_at = user[judge.ranking.order]
        drawn = [judge.figures(counts[user_at]) for counts in _draws(len(names), n_drawn, seed)]
        columns = np.array(drawn).reshape(n_drawn, len(FIGURES) + 1).T
        values[model] = dict(zip(FIGURES, judge.figures(), strict=False))
        replicas[model] = dict(zip(FIGURES, columns, strict=False))
        gap_noise[model] = columns[-1]
    return Bootstrap(len(labels), len(names), n_of_class[1], values, replicas, gap_noise)


def bootstrap_by_segment(
    labels: Values,
    probabilities: Mapping[str, Values],
    users: Values,
    segments: Values,
    *,
    thresholds: Mapping[str, float],
    n_replicas: int,
    seed: int,
) -> dict[str, Bootstrap]:
    """The same for each segment of the rows, by its name in order.

    Args:
        labels: as for `bootstrap_by_user`, like all that aren't named here.
        probabilities: the same.
        users: the same.
        segments: whose name each row has, shape (rows,); a user may be in several over time.
        thresholds: the same.
        n_replicas: the same.
        seed: the same.

    Raises:
        ValueError: if there are no rows, or arrays differ in length.
    """
    found = {}
    for segment in np.unique(segments):
        inside = segments == segment
        found[str(segment)] = bootstrap_by_user(
            labels[inside],
            {model: scores[inside] for model, scores in probabilities.items()},
            users[inside],
            thresholds=thresholds,
            n_replicas=n_replicas,
            seed=seed,
        )
    return found


class _Judge:
    """One model's rows, prepared once: sorted, with their losses and log-odds."""

    def __init__(self, labels: Values, probabilities: Values, threshold: float) -> None:
        self.ranking = ranking = Ranking.of(labels, probabilities)
        self._threshold = threshold
        self._log_losses = row_log_losses(ranking.labels, ranking.probabilities)
        self._squares = (ranking.probabilities - ranking.labels) ** 2
        self._margins = log_odds(ranking.probabilities)
        self._start = calibration_line(ranking.labels, self._margins)
        if np.isnan(self._start[0]):
            self._start = (0.0, 1.0)
        self._gaps = _gaps(ranking.tally())

    def figures(self, weights: Values | None = None) -> tuple[float, ...]:
        """In the order of `FIGURES`, then the gap noise; weights are by place in the ranking."""
        tally = self.ranking.tally(weights)
        weights = np.ones(len(self._margins)) if weights is None else weights
        _, slope = calibration_line(self.ranking.labels, self._margins, weights, self._start)
        gaps = _gaps(tally)
        return (
            tally.roc_auc(),
            tally.average_precision(),
            float(weights @ self._log_losses / tally.n[-1]),
            float(weights @ self._squares / tally.n[-1]),
            tally.capture(0.10),
            tally.capture(0.33),
            float(np.abs(gaps).sum()),
            slope,
            tally.f1(self._threshold),
            float(np.abs(gaps - self._gaps).sum()),
        )


def _gaps(tally: Tally) -> Values:
    """What each calibration bin adds to (mean probability - share of positives)."""
    predicted, hits = tally.bins(N_BINS)
    return np.asarray((predicted - hits) / tally.n[-1])


def _draws(n_users: int, n_replicas: int, seed: int) -> Iterator[Values]:
    """How often each user is drawn, shape (users,), for each replica; the same for every model."""
    rng = np.random.default_rng(seed)
    for _ in range(n_replicas):
        drawn = np.bincount(rng.integers(n_users, size=n_users), minlength=n_users)
        yield drawn.astype(np.float64)


def _percentiles(drawn: Values) -> tuple[float, float]:
    """The ends of the middle 95 %; NaN without draws. A draw without a figure is left out."""
    known = drawn[~np.isnan(drawn)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [_LOW, _HIGH])
    return float(low), float(high)
