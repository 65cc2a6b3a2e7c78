"""The offset of trees, the behaviour model's log-odds, as terms that people understand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn_spark.arrays import Floats
from churn_spark.contracts.features.parts import (
    COUNTED_PARTS,
    ENDINGS,
    LEVEL,
    LEVEL_FEATURE,
    PAGE_PARTS,
    PARTS,
    Part,
)
from churn_spark.contracts.features.spec import named
from churn_spark.contracts.features.topics import topic_of
from churn_spark.models.terms import Term
from churn_spark.models.words import Value

_VISIT_RATE, _VISIT_OUTCOME = named(["visits_a_week", "cancel_per_visit"])
(_LEVEL,) = named([LEVEL_FEATURE])
_PART_COLUMNS: Final = [f"part_{name}" for name in PARTS]


@dataclass(frozen=True)
class OffsetTerms:
    """What becomes of the offset, and of what trees make of the same score.

    Attributes:
        terms: that it is told by.
        untold: what stays with the score itself, in log-odds, shape (rows,).
        constant: what is no term: that of a user of whom all is typical, from the typical row's.
    """

    terms: list[Term]
    untold: Floats
    constant: Floats


def offset_terms(
    rows: pd.DataFrame,
    distances: Floats,
    slope: float,
    of_trees: Floats,
    typical: Mapping[str, Value],
) -> OffsetTerms:
    """Terms of the behaviour model's log-odds.

    By the parts of rows that have them (`BEHAVIOUR_PARTS`). Of others, such as requests for a
    prediction and rows of older releases, two factors are told apart: log-odds of a small chance
    are the log of how often somebody comes and of what a visit ends in. What the trees add for the
    score is shared out among the terms by their size.

    Args:
        rows: with the features of the behaviour model.
        distances: the log-odds of each row less those of the typical row, shape (rows,).
        slope: what the offset multiplies them by; 0: trees alone look at the score.
        of_trees: contribution of the score to the trees, shape (rows,).
        typical: feature -> median or most frequent level of the training rows.
    """
    is_known = has_parts(rows)
    found = part_terms(rows, is_known, typical) if is_known.any() else []
    if not is_known.all():
        found += _two_terms(rows, np.where(is_known, 0.0, distances), typical)
    contributions = np.array([term.contributions for term in found]).reshape(len(found), len(rows))
    left = distances - contributions.sum(axis=0)
    sizes = np.abs(contributions)
    total = sizes.sum(axis=0)
    shares = np.divide(sizes, total, out=np.zeros_like(sizes), where=total > 0)
    told = slope * contributions + shares * of_trees
    return OffsetTerms(
        [replace(term, contributions=one) for term, one in zip(found, told, strict=True)],
        np.where(is_known, 0.0, slope * left) + np.where(total > 0, 0.0, of_trees),
        np.where(is_known, slope * left, 0.0),
    )


def has_parts(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows have all their parts."""
    if not set(_PART_COLUMNS) <= set(rows.columns):
        return np.zeros(len(rows), dtype=np.bool_)
    return np.asarray(rows[_PART_COLUMNS].notna().all(axis=1), dtype=np.bool_)


def part_terms(
    rows: pd.DataFrame, is_known: NDArray[np.bool_], typical: Mapping[str, Value]
) -> list[Term]:
    """A term for each part of the behaviour model's log-odds.

    Args:
        rows: with the columns of `BEHAVIOUR_PARTS`.
        is_known: which rows have their parts; those of others are 0.
        typical: feature -> median or most frequent level of the training rows.
    """

    def contributions(name: str) -> Floats:
        return np.where(is_known, _numbers(rows, f"part_{name}"), 0.0)

    found = [part_term(rows, part, contributions(part.name)) for part in COUNTED_PARTS]
    if LEVEL_FEATURE in rows:
        levels = rows[LEVEL_FEATURE].to_numpy()
        found.append(Term(LEVEL, contributions(LEVEL), levels, typical.get(LEVEL_FEATURE), _LEVEL))
    return found


def part_term(rows: pd.DataFrame, part: Part, contributions: Floats) -> Term:
    """The term of one counted part, with the count beside the typical one."""
    values, usual = (_numbers(rows, f"{kind}_{part.name}") for kind in ("n", "typical"))
    if part is ENDINGS:
        # Few ends of as many pages are long visits.
        n_pages = np.sum([_numbers(rows, f"n_{one.name}") for one in PAGE_PARTS], axis=0)
        values, usual = (n_pages / np.where(n > 0, n, np.nan) - 1 for n in (values, usual))
    return Term(part.name, contributions, values, usual, part, _numbers(rows, "watched_days"))


def _two_terms(rows: pd.DataFrame, distances: Floats, typical: Mapping[str, Value]) -> list[Term]:
    found = []
    left = distances
    for feature in (_VISIT_RATE, _VISIT_OUTCOME):
        if feature.name in rows:
            values, usual = _numbers(rows, feature.name), typical.get(feature.name)
            with np.errstate(divide="ignore", invalid="ignore"):
                ratios = np.log(values / float(usual or 0))
            part = left if feature is _VISIT_OUTCOME else np.nan_to_num(ratios, posinf=0, neginf=0)
            part = np.where(distances != 0, part, 0.0)
            found.append(Term(topic_of(feature), part, values, usual, feature))
            left = left - part
    return found


def _numbers(rows: pd.DataFrame, name: str) -> Floats:
    return rows[name].to_numpy(dtype=np.float64, na_value=np.nan)
