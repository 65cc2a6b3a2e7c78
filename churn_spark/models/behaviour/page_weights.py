"""What each cell tells of the visits of some pages: how many, how many are typical, of whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from churn_spark.arrays import Floats
from churn_spark.contracts.features.parts import PAGE_PARTS
from churn_spark.models.behaviour.cells import CANCEL, CANCELLED, N_CELLS, SHAPE, TARGETS
from churn_spark.models.behaviour.mixture import Mixture


@dataclass(frozen=True)
class PageWeights:
    """Weights of the cells; summed over a user's transitions they give what is known of a part.

    The last axis has length `N_CELLS`, the one before, of a part, that of `PAGE_PARTS`.

    Attributes:
        counts: of visits.
        typical: of as many steps from the same pages, by the chances of the average listener.
        excess: log-likelihood of the visits beyond the typical ones, given a class, against that
            of the average listener; shape (classes, parts, cells). With as many visits as are
            typical it is 0. Over all parts it adds up to the log-likelihood of the transitions,
            less that of typical ones.
    """

    counts: Floats
    typical: Floats
    excess: Floats


def page_weights(mixture: Mixture) -> PageWeights:
    """The weights by a mixture's classes; the average listener has their chances by their shares.

    Transitions to and from Cancel are none of it: they are the outcome that is to be foreseen.
    """
    chances = np.exp(mixture.log_chances).reshape(-1, *SHAPE)
    average = np.tensordot(mixture.shares, chances, axes=1)
    told = np.where(_IS_TOLD, average, 0.0)
    told /= told.sum(axis=-1, keepdims=True)
    ratios = mixture.log_chances.reshape(-1, *SHAPE) - np.log(average)
    typical = np.stack([(told * part).sum(axis=-1, keepdims=True) for part in _IN_PART])
    usual = np.stack([(told * ratios * part).sum(axis=-1, keepdims=True) for part in _IN_PART], 1)
    excess = ratios[:, None] * _IN_PART[:, None, None] - usual
    full = np.ones(SHAPE)
    return PageWeights(
        counts=(_IN_PART[:, None, None] * full).reshape(-1, N_CELLS),
        typical=(typical * full).reshape(-1, N_CELLS),
        excess=(excess * full).reshape(len(chances), -1, N_CELLS),
    )


_IS_TOLD: Final[NDArray[np.bool_]] = np.array([page not in (CANCEL, CANCELLED) for page in TARGETS])
"""Pages that a step may lead to, shape (targets,)."""
_IN_PART: Final[NDArray[np.bool_]] = np.array(
    [[page in part.pages for page in TARGETS] for part in PAGE_PARTS]
)
"""Whether a step to a page is a visit of a part, shape (parts, targets)."""
