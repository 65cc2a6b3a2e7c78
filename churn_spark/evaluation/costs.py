"""What a threshold costs: cancellations that happen against offers that are made. Pure numpy.

Everybody at or above a threshold gets an offer, which costs `wasted_offer` whoever gets it. A
canceller who gets one stays with the chance `offer_success`; every other cancellation costs
`missed_cancel`. So an offer pays from the probability p* = offer / (missed x success) upwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from churn_spark.arrays import Values
from churn_spark.config import CostsConfig
from churn_spark.evaluation.intervals import Interval, mean_intervals
from churn_spark.evaluation.metrics import best_f1_threshold
from churn_spark.evaluation.ranking import Ranking

_N_REPLICAS = 999


@dataclass(frozen=True)
class CostCurve:
    """Cost of every threshold that makes a difference, from nobody contacted to everybody.

    Attributes:
        thresholds: descending; the first is infinity, nobody.
        n_contacted: rows at or above each threshold.
        n_reached: cancellers among them.
        costs: expected cost per row, in the unit of the configuration.
    """

    thresholds: Values
    n_contacted: Values
    n_reached: Values
    costs: Values


@dataclass(frozen=True)
class Policy:
    """A way to choose whom to contact, and what it leads to.

    Attributes:
        name: `nobody`, `everybody`, `break_even`, `capacity 10 %`, `f1` or `cheapest`.
        threshold: lowest probability that is contacted.
        is_hindsight: chosen on the rows that it is measured on, so better here than elsewhere.
        n_contacted: rows contacted.
        n_reached: cancellers among them.
        cost: expected, per 1,000 rows.
        saved_on_nobody: against contacting nobody, per 1,000 rows.
        saved_on_everybody: against contacting everybody, per 1,000 rows.
    """

    name: str
    threshold: float
    is_hindsight: bool
    n_contacted: int
    n_reached: int
    cost: float
    saved_on_nobody: Interval
    saved_on_everybody: Interval


def cost_curve(labels: Values, probabilities: Values, costs: CostsConfig) -> CostCurve:
    """Expected cost at every distinct probability, and of contacting nobody.

    Args:
        labels: 0 or 1, at least one.
        probabilities: same shape.
        costs: what the mistakes cost.
    """
    tally = Ranking.of(labels, probabilities).tally()
    totals = _total(tally.n, tally.hits, int(tally.hits[-1]), costs)
    thresholds = np.append(math.inf, tally.thresholds)
    return CostCurve(thresholds, tally.n, tally.hits, totals / len(labels))


def cheapest_threshold(labels: Values, probabilities: Values, costs: CostsConfig) -> float:
    """The threshold of the lowest cost on these rows; of equal ones, that with fewer offers."""
    curve = cost_curve(labels, probabilities, costs)
    return float(curve.thresholds[np.argmin(curve.costs)])


def break_even_probability(costs: CostsConfig) -> float:
    """From here upwards an offer is worth its cost, if the probabilities are calibrated.

    Above 1 no offer ever pays. Source: Elkan, "The foundations of cost-sensitive learning" (2001).
    """
    return costs.wasted_offer / (costs.missed_cancel * costs.offer_success)


def break_even_offer(value_at_risk: float, costs: CostsConfig) -> float:
    """What an offer to a user may cost: the value that it saves on average.

    Args:
        value_at_risk: of the user.
        costs: has the chance that an offer keeps a canceller.

    Returns:
        In the unit of the value.
    """
    return costs.offer_success * value_at_risk


def capacity_threshold(probabilities: Values, share: float) -> float:
    """The lowest threshold that contacts at most a share of the rows.

    Rows of equal probability are contacted together. Where those of the highest probability are
    too many, nobody is contacted: infinity.
    """
    values, counts = np.unique(-probabilities, return_counts=True)
    # A share such as .33 of 100 rows must not lose its last row to rounding.
    fits = np.flatnonzero(np.cumsum(counts) <= share * len(probabilities) + 1e-9)
    return float(-values[fits[-1]]) if len(fits) else math.inf


def compare_policies(
    labels: Values,
    probabilities: Values,
    users: Values,
    costs: CostsConfig,
    capacities: Sequence[float],
    seed: int = 7,
) -> tuple[Policy, ...]:
    """What each way to choose a threshold costs and saves, with intervals by user bootstrap.

    Args:
        labels: 0 or 1, shape (rows,).
        probabilities: same shape.
        users: who each row is about, same shape; a user is drawn with all of its rows.
        costs: what the mistakes cost.
        capacities: shares of the rows that can be contacted.
        seed: of the bootstrap.
    """
    lowest = float(probabilities.min())
    ways: list[tuple[str, float, bool]] = [
        ("nobody", math.inf, False),
        ("everybody", lowest, False),
        ("break_even", break_even_probability(costs), False),
        *(
            (
                f"capacity {share:.0%}".replace("%", " %"),
                capacity_threshold(probabilities, share),
                False,
            )
            for share in capacities
        ),
        ("f1", best_f1_threshold(labels, probabilities), True),
        ("cheapest", cheapest_threshold(labels, probabilities, costs), True),
    ]
    # What an offer to each row saves on average: negative where it is wasted.
    gains = costs.missed_cancel * costs.offer_success * (labels == 1) - costs.wasted_offer
    contacted = np.array([probabilities >= threshold for _, threshold, _ in ways])
    reached = contacted & (labels == 1)
    totals = _total(contacted.sum(axis=1), reached.sum(axis=1), int(np.sum(labels == 1)), costs)
    savings = np.concatenate([np.where(contacted, gains, 0.0), np.where(contacted, 0.0, -gains)])
    intervals = mean_intervals(1000 * savings, users, n_replicas=_N_REPLICAS, seed=seed)
    return tuple(
        Policy(
            name,
            threshold,
            is_hindsight,
            int(contacted[way].sum()),
            int(reached[way].sum()),
            1000 * float(totals[way]) / len(labels),
            intervals[way],
            intervals[way + len(ways)],
        )
        for way, (name, threshold, is_hindsight) in enumerate(ways)
    )


def _total(
    n_contacted: Values | int, n_reached: Values | int, n_cancels: int, costs: CostsConfig
) -> Values:
    """Expected cost of all rows together."""
    lost = n_cancels - costs.offer_success * np.asarray(n_reached)
    return np.asarray(costs.wasted_offer * np.asarray(n_contacted) + costs.missed_cancel * lost)
