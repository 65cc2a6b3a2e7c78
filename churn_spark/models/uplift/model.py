"""What being listed is expected to save, user by user: learnt from users who were drawn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from churn_spark.arrays import Floats, Ints
from churn_spark.contracts.features.spec import SNAPSHOT_FEATURES, fingerprint, named
from churn_spark.evaluation.qini import Drawn
from churn_spark.models.encoding import Encoding
from churn_spark.models.offset import log_odds
from churn_spark.models.uplift.response import Response, deal, fit_response

RISK: Final = "churn_probability"
_SUPPORT: Final = 0.01
"""Of those it was learnt from, so many are at less risk than anybody it is asked about."""


@dataclass(frozen=True)
class UpliftModel:
    """The two sides of a draw, and for whom they speak.

    Attributes:
        as_of: night that has fitted it.
        campaign: whose lists it has learnt from.
        control_share: of that campaign.
        encoding: of the features.
        listed: how the listed answer.
        control: how the withheld do.
        min_risk: users at less risk were not on the lists, and nothing is known of them.
        leaves_alone: whether users of a negative expected saving are surely better left alone.
    """

    as_of: date
    campaign: str
    control_share: float
    encoding: Encoding
    listed: Response
    control: Response
    min_risk: float
    leaves_alone: bool = False

    def saves(self, rows: pd.DataFrame) -> Floats:
        """Cancels that listing each user is expected to prevent, in [-1, 1], shape (n,).

        Args:
            rows: the features and `churn_probability`.
        """
        matrix, served = _inputs(rows, self.encoding)
        withheld = self.control.probabilities(matrix, served)
        return withheld - self.listed.probabilities(matrix, served)

    @property
    def knows_definitions(self) -> bool:
        """Whether its features are defined as they were when it was fitted."""
        return self.encoding.fingerprint == fingerprint(named(self.encoding.features))

    def to_json(self) -> str:
        """The model as JSON text: trees and shares, no row of any user."""
        fields = asdict(self) | {
            "as_of": str(self.as_of),
            "encoding": json.loads(self.encoding.to_json()),
        }
        return json.dumps(fields, indent=1, sort_keys=True)

    @staticmethod
    def from_json(text: str) -> UpliftModel:
        """The model of a JSON text written by `to_json`."""
        fields: Mapping[str, Any] = json.loads(text)
        return UpliftModel(
            date.fromisoformat(fields["as_of"]),
            fields["campaign"],
            fields["control_share"],
            Encoding.from_json(json.dumps(fields["encoding"])),
            Response(**fields["listed"]),
            Response(**fields["control"]),
            fields["min_risk"],
            fields["leaves_alone"],
        )


@dataclass(frozen=True)
class Campaign:
    """The draw that is learnt from: as the fields of `UpliftModel`."""

    as_of: date
    name: str
    control_share: float


def uplift_encoding(champion: Encoding) -> Encoding:
    """That of the champion's features which a snapshot has; its forecasts are in the risk."""
    known = {feature.name for feature in SNAPSHOT_FEATURES}
    kept = champion.only(known)
    return replace(kept, fingerprint=fingerprint(named(kept.features)))


def fit_uplift(
    rows: pd.DataFrame, drawn: Drawn, encoding: Encoding, campaign: Campaign, seed: int
) -> UpliftModel:
    """The model of users who were drawn.

    Args:
        rows: features and `churn_probability` as of each user's first list, one row a user.
        drawn: the same users, in the same order; of either side some cancel and some don't.
        encoding: of the features.
        campaign: that they were drawn for.
        seed: of every random choice.
    """
    matrix, served = _inputs(rows, encoding)
    columns = [encoding.features.index(name) for name in encoding.categorical]

    def respond(side: Any) -> Response:
        return fit_response(matrix[side], served[side], drawn.cancels[side], columns, seed)

    return UpliftModel(
        campaign.as_of,
        campaign.name,
        campaign.control_share,
        encoding,
        respond(~drawn.is_control),
        respond(drawn.is_control),
        float(np.quantile(drawn.risk, _SUPPORT)),
    )


def held_out_saves(
    rows: pd.DataFrame,
    drawn: Drawn,
    encoding: Encoding,
    campaign: Campaign,
    n_folds: int,
    seed: int,
) -> tuple[Floats, Ints]:
    """What each user is expected to be saved by a model of the other users, and the user's fold.

    The arguments are those of `fit_uplift`. Folds are dealt within either side and outcome, so
    that each has its part of the few withheld who cancel.
    """
    folds, found = np.empty(len(drawn), np.int64), np.empty(len(drawn))
    strata = 2 * drawn.is_control + drawn.cancels
    for stratum in np.unique(strata):
        chosen = strata == stratum
        folds[chosen] = deal(int(chosen.sum()), n_folds, seed)
    for fold in range(n_folds):
        held = folds == fold
        model = fit_uplift(rows[~held], drawn.of(~held), encoding, campaign, seed)
        found[held] = model.saves(rows[held])
    return found, folds


def _inputs(rows: pd.DataFrame, encoding: Encoding) -> tuple[Floats, Floats]:
    """The matrix, with the served log-odds as its last column, and these."""
    served = log_odds(rows[RISK].to_numpy(dtype=np.float64))
    return np.column_stack([encoding.encode(rows), served]), served
