"""Of which kind each user is: whom an offer moves, and how.

No contact, no difference: a kind changes nothing but what a contact does. A persona's shares of
those who can be saved and of sleeping dogs are drawn by lot. The others aren't moved by any
offer; those of them with the highest own chance to cancel, as many as are said to be, are lost
anyway, the others would have stayed.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.special import ndtr

from churn_spark.arrays import Floats, Ints
from churn_spark.simulate.degrading import ONSET_SIGMA, own_onset
from churn_spark.simulate.draws import uniforms, user_keys
from churn_spark.simulate.offers import DOG, LOST, SAVED, STAYS
from churn_spark.simulate.personas import SESSION_GAP_S, SESSION_GAP_SIGMA
from churn_spark.simulate.settings import SimulationSettings

_KIND_STREAM: Final = 9


def kinds_of(
    settings: SimulationSettings, number: Ints, persona: Ints, session_gap: Floats
) -> Ints:
    """Give each user's kind, as an index into `offers.KINDS`.

    Args:
        settings: the world.
        number: user numbers, shape (users,).
        persona: index into `personas.PERSONA_NAMES`, shape (users,).
        session_gap: each user's own mean pause, seconds, shape (users,).
    """
    saved, lost, dogs = (
        np.array(shares)[persona]
        for shares in (settings.saved_share, settings.lost_share, settings.dog_share)
    )
    lot = uniforms(user_keys(settings.seed, _KIND_STREAM, number), 0, 1)[0]
    unmoved = np.maximum(1.0 - saved - dogs, 1e-12)
    is_lost = _risk_rank(settings, number, session_gap) >= 1.0 - lost / unmoved
    return np.select(
        [lot < saved, lot < saved + dogs, is_lost], [SAVED, DOG, LOST], default=STAYS
    ).astype(np.int64)


def _risk_rank(settings: SimulationSettings, number: Ints, session_gap: Floats) -> Floats:
    """Which share of users has a lower own chance to cancel: who fades late, or comes rarely."""
    if settings.regime == "degrading":
        factor, sigma = own_onset(settings, number), ONSET_SIGMA
    else:
        sigma = SESSION_GAP_SIGMA
        # One over a lognormal factor of mean 1 has this mean.
        factor = SESSION_GAP_S / session_gap / np.exp(sigma**2)
    rank: Floats = ndtr((np.log(factor) + sigma**2 / 2.0) / sigma)
    return rank
