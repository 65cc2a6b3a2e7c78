"""Which part of the behaviour model's log-odds, changed, lowers a user's risk most.

A count is made typical in the behaviour model and, where trees look at features of the same topic,
so are these: the model is asked of the same user with as few adverts as are typical, wherever it
looks at adverts. The subscription is made the other one. As in `what_if` this describes the model,
not the world.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from churn_spark.contracts.features.parts import COUNTED_PARTS, LEVEL, LEVEL_FEATURE, PARTS
from churn_spark.contracts.features.spec import Feature
from churn_spark.contracts.features.topics import SCORE_FEATURE, topic_of
from churn_spark.contracts.pages import FREE, PAID
from churn_spark.models.offset_terms import has_parts, part_term
from churn_spark.models.terms import Term
from churn_spark.models.what_if import Candidates, Change, Predict, best_changes
from churn_spark.models.words import Value

_OTHER_LEVEL = {FREE: PAID, PAID: FREE}


def about_no_part(candidates: Candidates) -> Candidates:
    """The candidates of features that are about none of the parts: others change with theirs."""
    return {
        feature: values for feature, values in candidates.items() if topic_of(feature) not in PARTS
    }


def single_changes(
    rows: pd.DataFrame, predict: Predict, candidates: Candidates, min_drop: float
) -> list[list[Change]]:
    """Of each row, the single features that would lower its risk: with parts, beside these.

    Args:
        rows: features as people know them, with the columns of `BEHAVIOUR_PARTS` where known.
        predict: rows -> probabilities, shape (rows,).
        candidates: feature -> values to try.
        min_drop: share of the risk that a change must take away to be named, in [0, 1).
    """
    found: list[list[Change]] = [[] for _ in range(len(rows))]
    known = has_parts(rows)
    for is_chosen, tried in ((known, about_no_part(candidates)), (~known, candidates)):
        places = np.flatnonzero(is_chosen)
        if len(places):
            changes = best_changes(rows.iloc[places], predict, tried, min_drop)
            for place, several in zip(places, changes, strict=True):
                found[place] = several
    return found


def part_changes(
    rows: pd.DataFrame,
    predict: Predict,
    features: Sequence[Feature],
    typical: Mapping[str, Value],
    min_difference: float,
    min_drop: float,
) -> list[list[Change]]:
    """Of each row, the parts that something can be done about and that would lower its risk.

    None of rows without parts.

    Args:
        rows: features as people know them, with the columns of `BEHAVIOUR_PARTS`.
        predict: rows -> probabilities, shape (rows,).
        features: of the model.
        typical: feature -> median or most frequent level of the training rows.
        min_difference: between a count and the typical one, of the larger of the two.
        min_drop: share of the risk that a change must take away to be named, in [0, 1).
    """
    found: list[list[Change]] = [[] for _ in range(len(rows))]
    known = has_parts(rows)
    if not known.any():
        return found
    before = predict(rows)
    counts = _other_counts(rows, features, typical, min_difference)
    for trial in (*counts, *_other_level(rows, features)):
        term, after = trial.term, predict(rows.assign(**trial.changed))
        is_lower = (after < before) & (after <= (1 - min_drop) * before)
        for row in np.flatnonzero(known & trial.is_help & is_lower):
            found[row].append(
                Change(
                    term.feature_of(row),
                    term.value_of(row),
                    term.typical_of(row),
                    float(before[row]),
                    float(after[row]),
                )
            )
    return found


@dataclass(frozen=True)
class _Trial:
    """One part, changed in all rows.

    Attributes:
        term: the values as they are, and what they are changed to.
        is_help: in which rows that is something to aim at, shape (rows,).
        changed: the columns that say so.
    """

    term: Term
    is_help: NDArray[np.bool_]
    changed: dict[str, Any]


def _other_counts(
    rows: pd.DataFrame,
    features: Sequence[Feature],
    typical: Mapping[str, Value],
    min_difference: float,
) -> Iterator[_Trial]:
    """Each count as it is typical, where something can be done about it."""
    for part in COUNTED_PARTS:
        if not part.helps:
            continue
        term = part_term(rows, part, np.zeros(len(rows)))
        is_more = term.values > term.typical
        is_help = term.are_apart(min_difference) & (is_more == (part.helps == "fewer"))
        of_topic = [one.name for one in features if topic_of(one) == part.name]
        changed = _with_score(rows, features, f"without_{part.name}")
        yield _Trial(term, is_help, changed | {name: typical[name] for name in of_topic})


def _other_level(rows: pd.DataFrame, features: Sequence[Feature]) -> Iterator[_Trial]:
    """The subscription that the users don't have."""
    for feature in features:
        if feature.name == LEVEL_FEATURE:
            levels, others = rows[LEVEL_FEATURE], rows[LEVEL_FEATURE].map(_OTHER_LEVEL)
            term = Term(LEVEL, np.zeros(len(rows)), levels.to_numpy(), others.to_numpy(), feature)
            changed = _with_score(rows, features, "with_other_level")
            yield _Trial(term, others.notna().to_numpy(), {**changed, LEVEL_FEATURE: others})


def _with_score(rows: pd.DataFrame, features: Sequence[Feature], log_odds: str) -> dict[str, Any]:
    """What the behaviour model says after a change, where the model looks at it.

    The model of fading looks at pauses alone, which no change here is of.
    """
    if SCORE_FEATURE not in {feature.name for feature in features}:
        return {}
    return {SCORE_FEATURE: expit(rows[log_odds].to_numpy(dtype=np.float64, na_value=np.nan))}
