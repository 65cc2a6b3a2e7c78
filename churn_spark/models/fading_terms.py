"""The forecast of fading in an offset, as terms that people understand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from churn_spark.arrays import Floats
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.terms import Term

FADING_SCORE: Final = "fading_probability"
_STATE, _BILLING = "fading_now", "billing_day"


def tell_fading(
    terms: Sequence[Term], distances: Floats, slope: float, model: FadingModel | None
) -> list[Term]:
    """The terms with what the forecast of fading adds to the offset shared out among them.

    A small chance to cancel is one by the user's state times a factor of the billing cycle, so its
    log-odds are nearly a sum. What the state explains goes to the chance that interest is fading,
    the rest to the day of the billing cycle, also where that day isn't known. Where the chance that
    interest is fading isn't known, all stays with the forecast itself.

    Args:
        terms: of features, the forecast's among them.
        distances: the forecast's log-odds of each row less those of the typical row, shape (rows,).
        slope: what the offset multiplies them by.
        model: whose forecast it is; none: nothing is told apart.
    """
    places = {term.feature_of(0).name: place for place, term in enumerate(terms)}
    told = {places[FADING_SCORE]: slope * distances}
    if model is not None and {_STATE, _BILLING} <= places.keys():
        state = terms[places[_STATE]]
        chances, typical = (
            model.parameters.cancel_chance(np.asarray(fading, dtype=np.float64))
            for fading in (state.values, state.typical)
        )
        by_state = slope * np.nan_to_num(np.log(chances / typical))
        rest = slope * distances - by_state
        is_known = np.isfinite(chances)
        told = {
            places[_STATE]: by_state,
            places[_BILLING]: np.where(is_known, rest, 0.0),
            places[FADING_SCORE]: np.where(is_known, 0.0, rest),
        }
    return [
        replace(term, contributions=term.contributions + told.get(place, 0.0))
        for place, term in enumerate(terms)
    ]
