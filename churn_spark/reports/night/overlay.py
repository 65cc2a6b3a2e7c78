"""Counted bins -> two distributions as few points, ready to be drawn one over the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn_spark.monitoring.drift.ks import ReferenceSample

# Edges that each side contributes: the eye can't tell more on a picture of 400 pixels.
_EDGES_PER_SIDE = 100
_TAIL = 0.005
_MAX_LEVELS = 8
REST = "all others"


@dataclass(frozen=True, eq=False)
class Overlay:
    """A number's two distribution functions, in the training rows and tonight.

    Attributes:
        feature: its name.
        values: ascending, each twice: just left of it, and at it; shape (n,).
        before: share of the training rows up to there, shape (n,).
        now: the same tonight.
        location: value at which the gap is widest, NaN where there is no gap.
        ends: the shares before and now at the widest gap.
    """

    feature: str
    values: NDArray[np.float64]
    before: NDArray[np.float64]
    now: NDArray[np.float64]
    location: float
    ends: tuple[float, float]


@dataclass(frozen=True)
class Mix:
    """A category's shares in the training rows and tonight; the levels that moved most first."""

    feature: str
    levels: tuple[str, ...]
    before: tuple[float, ...]
    now: tuple[float, ...]


def build_overlay(
    feature: str, reference: ReferenceSample, bins: NDArray[np.int64]
) -> Overlay | None:
    """The two distribution functions, thinned to some 400 points; none if a side has no value.

    Each point is exact; between two points a line stands for the steps left out. The tails
    beyond one in 200 of both sides are cut off, the widest gap never.

    Args:
        feature: its name.
        reference: the training rows.
        bins: current values per bin, shape (2K+1,), as of `ks.collect_bins`.
    """
    n, m = reference.n, int(bins.sum())
    if n == 0 or m == 0:
        return None
    own = np.zeros_like(bins)
    own[1::2] = reference.counts
    before, now = np.cumsum(own) / n, np.cumsum(bins) / m
    widest = int(np.argmax(np.abs(before - now)))
    has_gap = before[widest] != now[widest]
    kept = _choose_edges(reference.edges, before[1::2], now[1::2])
    if has_gap:
        kept = np.union1d(kept, [widest // 2])
    kept = kept[np.isfinite(reference.edges[kept])]
    places = np.stack([2 * kept, 2 * kept + 1], axis=1).ravel()
    return Overlay(
        feature,
        np.repeat(reference.edges[kept], 2),
        before[places],
        now[places],
        float(reference.edges[widest // 2]) if has_gap else float("nan"),
        (float(before[widest]), float(now[widest])),
    )


def build_mix(
    feature: str, reference: ReferenceSample, bins: NDArray[np.int64], levels: Sequence[str]
) -> Mix | None:
    """The shares of a category's levels; none if a side has no row.

    Args:
        feature: its name.
        reference: as of `comparisons.code_reference`; its last code is that of unknown levels.
        bins: current codes per bin, shape (2K+1,).
        levels: names of the codes but the last.
    """
    n, m = reference.n, int(bins.sum())
    if n == 0 or m == 0:
        return None
    before, now = reference.counts / n, bins[1::2] / m
    names = [*levels, "unknown to the model"]
    order = np.argsort(-np.abs(before - now), kind="stable")
    chosen, rest = order[:_MAX_LEVELS], order[_MAX_LEVELS:]
    shown = [(names[code], float(before[code]), float(now[code])) for code in chosen]
    if rest.size:
        shown.append((REST, float(before[rest].sum()), float(now[rest].sum())))
    texts, olds, news = zip(*shown, strict=True)
    return Mix(feature, texts, olds, news)


def _choose_edges(
    edges: NDArray[np.float64], before: NDArray[np.float64], now: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Places of the edges that are drawn: evenly spread in the mass of either side."""
    if edges.size <= 2 * _EDGES_PER_SIDE:
        wanted = [_TAIL, 1 - _TAIL]
        ends = [np.searchsorted(side, wanted) for side in (before, now)]
        first = min(int(end[0]) for end in ends)
        last = min(max(int(end[1]) for end in ends), edges.size - 1)
        return np.arange(min(first, last), last + 1)
    wanted_shares = np.linspace(_TAIL, 1 - _TAIL, _EDGES_PER_SIDE)
    chosen = [np.searchsorted(side, wanted_shares) for side in (before, now)]
    return np.unique(np.clip(np.concatenate(chosen), 0, edges.size - 1))
