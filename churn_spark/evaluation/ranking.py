"""Rows from the highest probability down: what every metric of a ranking is made of.

A ranking is sorted once and tallied under any weights of its rows, so a bootstrap costs a sum
per replica, not a sort. Rows of equal probability have no order among themselves: wherever a
boundary falls between them, each counts by the share of them that is inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Ints, Values


@dataclass(frozen=True)
class Tally:
    """Sums over the rows from the top down to each distinct probability, each starting at 0.

    Attributes:
        thresholds: the distinct probabilities, descending, shape (values,).
        n: rows so far, shape (values + 1,).
        hits: positive labels so far, same shape.
        predicted: probabilities so far, same shape.
    """

    thresholds: Values
    n: Values
    hits: Values
    predicted: Values

    @property
    def misses(self) -> Values:
        """Negative labels so far."""
        return self.n - self.hits

    def roc_auc(self) -> float:
        """Chance that a positive ranks above a negative, ties half; NaN without both classes.

        Source: the Mann-Whitney U statistic over the number of pairs.
        """
        pairs = self.hits[-1] * self.misses[-1]
        above = self.hits[:-1] + 0.5 * np.diff(self.hits)
        return float(np.diff(self.misses) @ above / pairs) if pairs > 0 else float("nan")

    def average_precision(self) -> float:
        """Precision averaged over the gains in recall; NaN without both classes."""
        if not 0 < self.hits[-1] < self.n[-1]:
            return float("nan")
        gains = np.diff(self.hits)
        precision = self.hits[1:] / np.maximum(self.n[1:], np.finfo(np.float64).tiny)
        return float(gains @ precision / self.hits[-1])

    def capture(self, share: float) -> float:
        """Share of all positives within the top `share` of the rows; NaN without a positive."""
        if not self.hits[-1] > 0:
            return float("nan")
        return float(np.interp(share * self.n[-1], self.n, self.hits) / self.hits[-1])

    def flagged(self, threshold: float) -> tuple[float, float]:
        """Rows with at least this probability, and the positives among them."""
        place = int(np.searchsorted(-self.thresholds, -threshold, side="right"))
        return float(self.n[place]), float(self.hits[place])

    def f1(self, threshold: float) -> float:
        """F1 of the positive class when flagging from the threshold up; 0 without a hit."""
        n, hits = self.flagged(threshold)
        return 2 * hits / max(n + float(self.hits[-1]), 1)

    def bins(self, n_bins: int) -> tuple[Values, Values]:
        """Sums of probabilities and of labels in bins of equal mass, from the lowest up.

        A row that a boundary falls on counts in both bins by its share, so no bin is empty and
        the sums don't depend on the order of equal rows.
        """
        edges = np.linspace(0, self.n[-1], n_bins + 1)
        predicted = np.diff(np.interp(edges, self.n, self.predicted))
        hits = np.diff(np.interp(edges, self.n, self.hits))
        return predicted[::-1], hits[::-1]

    def calibration_error(self, n_bins: int) -> float:
        """Mean over rows of |mean probability - share of positives| in the row's bin."""
        predicted, hits = self.bins(n_bins)
        return float(np.abs(predicted - hits).sum() / self.n[-1])


@dataclass(frozen=True)
class Ranking:
    """Rows sorted by descending probability.

    Attributes:
        order: the row at each place, shape (rows,).
        ends: the last place of each distinct probability, shape (values,).
        labels: at each place, shape (rows,); 0 or 1, or the true chance of a 1.
        probabilities: at each place, descending, shape (rows,).
    """

    order: Ints
    ends: Ints
    labels: Values
    probabilities: Values

    @staticmethod
    def of(labels: Values, probabilities: Values) -> Ranking:
        """The ranking of rows, both arrays of shape (rows,).

        Raises:
            ValueError: if there are no rows, or not one label for each probability.
        """
        if len(labels) != len(probabilities) or not len(labels):
            raise ValueError(
                f"found {len(labels)} labels and {len(probabilities)} probabilities, "
                "expected as many of both, and at least one row"
            )
        order = np.argsort(-probabilities, kind="stable")
        descending = np.asarray(probabilities, dtype=np.float64)[order]
        ends = np.flatnonzero(np.append(np.diff(descending) != 0, True))
        return Ranking(order, ends, np.asarray(labels, dtype=np.float64)[order], descending)

    def tally(self, weights: Values | None = None) -> Tally:
        """The sums, every row counted once, or `weights` times (by place, not by row)."""
        if weights is None:
            n, hits = self.ends + 1.0, np.cumsum(self.labels)
            predicted = np.cumsum(self.probabilities)
        else:
            n = np.cumsum(weights)[self.ends]
            hits = np.cumsum(weights * self.labels)
            predicted = np.cumsum(weights * self.probabilities)
        return Tally(
            thresholds=self.probabilities[self.ends],
            n=np.concatenate([[0.0], n]),
            hits=np.concatenate([[0.0], hits[self.ends]]),
            predicted=np.concatenate([[0.0], predicted[self.ends]]),
        )
