"""Whether 20 % of those with a probability of 20 % cancel: bins to draw, and a line to measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from churn_spark.arrays import Values
from churn_spark.evaluation.ranking import Ranking

N_BINS: Final = 20

_MAX_STEPS = 200


@dataclass(frozen=True)
class ReliabilityBins:
    """Bins of equal mass, from the lowest probabilities to the highest; shape (bins,) each.

    Attributes:
        n: rows in each bin; a fraction where a boundary falls on a row.
        predicted: mean probability.
        observed: share of positive labels.
        low: of the 95 % Wilson interval of the observed share, each user one trial.
        high: of the same.
    """

    n: Values
    predicted: Values
    observed: Values
    low: Values
    high: Values


def reliability_bins(
    labels: Values, probabilities: Values, users: Values, n_bins: int = N_BINS
) -> ReliabilityBins:
    """Predicted and observed shares in bins of equally many rows; few rows make fewer bins.

    Args:
        labels: 0 or 1, shape (rows,).
        probabilities: same shape.
        users: whose each row is, same shape; a user's rows are alike, so they are one trial.
        n_bins: at most so many.

    Raises:
        ValueError: if there are no rows.
    """
    n_bins = min(n_bins, len(labels))
    ranking = Ranking.of(labels, probabilities)
    predicted, hits = ranking.tally().bins(n_bins)
    n = np.full(n_bins, len(labels) / n_bins)
    trials = n * _users_per_row(ranking, users, n_bins)
    low, high = wilson_interval(hits / n * trials, trials)
    return ReliabilityBins(n, predicted / n, hits / n, low, high)


def wilson_interval(
    hits: Values | float, n: Values | float, confidence: float = 0.95
) -> tuple[Values, Values]:
    """Low and high end of the interval of a share, `hits` of `n` trials; NaN without a trial.

    Inside 0 to 1, and of a width above 0 even where nothing or everything was a hit. Source:
    Wilson (1927), "Probable inference, the law of succession, and statistical inference".
    """
    n = np.where(np.asarray(n) > 0, n, np.nan)
    z = float(norm.ppf(0.5 + confidence / 2))
    centre = (hits + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(np.maximum(hits * (1 - hits / n), 0) + z**2 / 4)
    return np.maximum(centre - half, 0), np.minimum(centre + half, 1)


def log_odds(probabilities: Values) -> Values:
    """ln(p / (1 - p)); finite, about -36 and 36, for probabilities of 0 and 1."""
    tiny = np.finfo(np.float64).eps
    return np.asarray(logit(np.clip(probabilities, tiny, 1 - tiny)))


def calibration_line(
    labels: Values,
    margins: Values,
    weights: Values | None = None,
    start: tuple[float, float] = (0.0, 1.0),
) -> tuple[float, float]:
    """Intercept and slope of the logistic regression of the label on the log-odds.

    A calibrated model has 0 and 1. A slope below 1 says that the probabilities are too extreme.
    Source: Cox (1958), "Two further applications of a model for binary regression". Newton's
    method, long steps shortened so that the likelihood is sure to rise: over a step that moves no
    log-odds by more than d, the curvature grows at most by exp(d) (Bach 2010, "Self-concordant
    analysis for logistic regression").

    Args:
        labels: 0 or 1, or the true chance of a 1, shape (rows,).
        margins: log-odds of the predictions, finite, shape (rows,).
        weights: of the rows; each counts once by default.
        start: intercept and slope to search from.

    Returns:
        NaN for both where the likelihood has no finite maximum: one class is missing, the margins
        are all equal, or a threshold on them separates the classes.
    """
    weights = np.ones(len(labels)) if weights is None else weights
    if not _overlaps(labels, margins, weights):
        return float("nan"), float("nan")
    mean = float(weights @ margins / weights.sum())
    x = margins - mean
    reach = float(np.abs(x).max())
    slope = start[1]
    level = start[0] + slope * mean
    for _ in range(_MAX_STEPS):
        fitted = expit(level + slope * x)
        missing, curvature = weights * (labels - fitted), weights * fitted * (1 - fitted)
        curved = curvature * x
        g0, g1 = missing.sum(), missing @ x
        h00, h01, h11 = curvature.sum(), curved.sum(), curved @ x
        determinant = h00 * h11 - h01**2
        if not determinant > 0:
            break
        step = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
        far = abs(step[0]) + abs(step[1]) * reach
        shorter = np.log1p(far) / far if far > 1 else 1.0
        level, slope = level + shorter * step[0], slope + shorter * step[1]
        # What is left is about the square of this step.
        if far < 1e-4:
            return float(level - slope * mean), float(slope)
    return float("nan"), float("nan")


def _users_per_row(ranking: Ranking, users: Values, n_bins: int) -> Values:
    """Distinct users by rows, of the rows wholly or partly in each bin, from the lowest up."""
    descending = users[ranking.order]
    starts = np.append(0, ranking.ends + 1)
    edges = np.linspace(0, starts[-1], n_bins + 1)
    first = starts[np.searchsorted(starts, edges[:-1], side="right") - 1]
    after = starts[np.searchsorted(starts, edges[1:], side="left")]
    shares = [
        len(np.unique(descending[start:end])) / (end - start)
        for start, end in zip(first, after, strict=True)
    ]
    return np.array(shares[::-1])


def _overlaps(labels: Values, margins: Values, weights: Values) -> bool:
    """Whether no threshold separates the classes: only then is there a finite best line.

    Source: Albert and Anderson (1984), "On the existence of maximum likelihood estimates in
    logistic regression models".
    """
    positive = margins[(labels > 0) & (weights > 0)]
    negative = margins[(labels < 1) & (weights > 0)]
    if not len(positive) or not len(negative):
        return False
    return bool(positive.max() > negative.min() and negative.max() > positive.min())
