"""The metrics of several models with 95 % intervals, by drawing users again.

All models are measured on the same draws, so that the interval of a difference is paired: what
chance does to both models alike is not in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Values
from churn_spark.evaluation.intervals import Interval, draw_users, percentiles
from churn_spark.evaluation.metrics import row_log_losses
from churn_spark.evaluation.ranking import Ranking, Tally
from churn_spark.evaluation.reliability import N_BINS, calibration_line, log_odds
from churn_spark.evaluation.weights import count_users

MIN_USERS_OF_A_CLASS: Final = 10
METRIC_NAMES: Final = (
    "roc_auc",
    "average_precision",
    "log_loss",
    "brier",
    "capture_10",
    "capture_33",
    "lift_10",
    "lift_33",
    "calibration_error",
    "calibration_slope",
    "calibration_intercept",
    "f1",
)


@dataclass(frozen=True)
class Bootstrap:
    """The metrics of several models on the same rows, and on the same draws of their users.

    Attributes:
        n: rows.
        n_users: users.
        n_positive_users: users with a positive label.
        values: model -> metric -> its value on the rows as they are.
        replicas: model -> metric -> its values on the draws, shape (replicas,); empty where
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

    def interval(self, model: str, metric: str) -> Interval:
        """The percentile interval of one metric.

        The calibration error is a sum of absolute gaps: chance only adds to it, and a draw adds
        chance once more, so the draws lie too high. Its upper end is mirrored at the value; its
        lower end is the value less the error that chance alone makes, which gives 0 wherever
        the rows don't contradict perfect calibration.
        """
        value = self.values[model][metric]
        low, high = percentiles(self.replicas[model][metric])
        if metric == "calibration_error":
            _, noise = percentiles(self.gap_noise[model])
            high = float(np.maximum(2 * value - low, value))
            low = float(np.maximum(value - noise, 0))
        return Interval(value, low, high)

    def intervals(self) -> dict[str, dict[str, Interval]]:
        """Model -> metric -> interval."""
        return {
            model: {name: self.interval(model, name) for name in METRIC_NAMES}
            for model in self.values
        }

    def differences(self, reference: str) -> dict[str, dict[str, Interval]]:
        """Every other model -> metric -> model minus reference, paired on the same draws.

        Percentiles throughout: of the calibration error, what chance adds is in both models.

        Raises:
            KeyError: if the reference is none of the models.
        """
        against, drawn = self.values[reference], self.replicas[reference]
        return {
            model: {
                name: Interval(
                    self.values[model][name] - against[name],
                    *percentiles(self.replicas[model][name] - drawn[name]),
                )
                for name in METRIC_NAMES
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
    weights: Values | None = None,
) -> Bootstrap:
    """Measure models on the rows and on draws of their users with replacement.

    Args:
        labels: 0 or 1, shape (rows,).
        probabilities: model -> its probabilities of the same rows, shape (rows,).
        users: whose each row is, any values that sort, shape (rows,).
        thresholds: model -> where its F1 is taken.
        n_replicas: draws; 400 leave an end uncertain by about a tenth of the width.
        seed: of the draws; the same rows and seed give the same intervals.
        weights: how often each row counts, shape (rows,); once by default. A draw multiplies
            them, so that intervals are as wide as the few who count for many make them.

    Raises:
        ValueError: if there are no rows, or arrays differ in length.
    """
    names, user = np.unique(users, return_inverse=True)
    if len(user) != len(labels):
        raise ValueError(f"found {len(labels)} labels and {len(user)} users, expected as many")
    n_telling = [count_users(user, labels == label, weights) for label in (0, 1)]
    n_drawn = n_replicas if min(n_telling) >= MIN_USERS_OF_A_CLASS else 0
    values, replicas, gap_noise = {}, {}, {}
    for model, scores in probabilities.items():
        evaluator = _Evaluator(labels, scores, thresholds[model], weights)
        user_at = user[evaluator.ranking.order]
        draws = draw_users(len(names), n_drawn, np.random.default_rng(seed).integers)
        drawn = [evaluator.metrics(counts[user_at]) for counts in draws]
        columns = np.array(drawn).reshape(n_drawn, len(METRIC_NAMES) + 1).T
        values[model] = dict(zip(METRIC_NAMES, evaluator.metrics(), strict=False))
        replicas[model] = dict(zip(METRIC_NAMES, columns, strict=False))
        gap_noise[model] = columns[-1]
    n_positive = count_users(user, labels == 1, None)
    return Bootstrap(len(labels), len(names), n_positive, values, replicas, gap_noise)


def bootstrap_by_segment(
    labels: Values,
    probabilities: Mapping[str, Values],
    users: Values,
    segments: Values,
    *,
    thresholds: Mapping[str, float],
    n_replicas: int,
    seed: int,
    weights: Values | None = None,
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
        weights: the same.

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
            weights=None if weights is None else weights[inside],
        )
    return found


class _Evaluator:
    """One model's rows, prepared once: sorted, with their losses and log-odds."""

    def __init__(
        self, labels: Values, probabilities: Values, threshold: float, weights: Values | None
    ) -> None:
        self.ranking = ranking = Ranking.of(labels, probabilities)
        self._weights = None if weights is None else weights[ranking.order]
        self._threshold = threshold
        self._log_losses = row_log_losses(ranking.labels, ranking.probabilities)
        self._squares = (ranking.probabilities - ranking.labels) ** 2
        self._margins = log_odds(ranking.probabilities)
        self._start = calibration_line(ranking.labels, self._margins, self._weights)
        if np.isnan(self._start[0]):
            self._start = (0.0, 1.0)
        self._gaps = _gaps(ranking.tally(self._weights))

    def metrics(self, counts: Values | None = None) -> tuple[float, ...]:
        """The metrics of `METRIC_NAMES`, then the gap noise.

        Args:
            counts: how often each row was drawn, by its place in the ranking; once by default.
        """
        weights = self._weights if counts is None else counts
        if counts is not None and self._weights is not None:
            weights = counts * self._weights
        tally = self.ranking.tally(weights)
        weights = np.ones(len(self._margins)) if weights is None else weights
        intercept, slope = calibration_line(
            self.ranking.labels, self._margins, weights, self._start
        )
        captured = tally.capture(0.10), tally.capture(0.33)
        gaps = _gaps(tally)
        return (
            tally.roc_auc(),
            tally.average_precision(),
            float(weights @ self._log_losses / tally.n[-1]),
            float(weights @ self._squares / tally.n[-1]),
            *captured,
            captured[0] / 0.10,
            captured[1] / 0.33,
            float(np.abs(gaps).sum()),
            slope,
            intercept,
            tally.f1(self._threshold),
            float(np.abs(gaps - self._gaps).sum()),
        )


def _gaps(tally: Tally) -> Values:
    """What each calibration bin adds to (mean probability - share of positives)."""
    predicted, hits = tally.bins(N_BINS)
    return np.asarray((predicted - hits) / tally.n[-1])
