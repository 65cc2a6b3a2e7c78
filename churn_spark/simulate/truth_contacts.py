"""What is known of contacted users and stands in no log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from churn_spark.simulate.kinds import kinds_of
from churn_spark.simulate.offers import KINDS
from churn_spark.simulate.population import Population, user_ids
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.states import STAYED
from churn_spark.simulate.treatment import Treated
from churn_spark.simulate.truth import truth_file, write_truth
from churn_spark.simulate.twins import Twins

CONTACTED: Final = "contacted"
_UTC_SECONDS: Final = pa.timestamp("s", tz="UTC")


def write_contacted(
    settings: SimulationSettings,
    out: Path,
    block: int,
    people: Population,
    contacts: Sequence[Treated],
    twins: Twins | None,
) -> None:
    """Write `truth/contacted`: who was treated, and what they would have done else.

    Grain: contact that reached a user. It acts on the dates from `acts_from` to `acts_until`,
    unless a newer one does; `untreated_cancel_ts` is when the user would have cancelled, up to
    the end of the log, had nobody ever been contacted; null for one who would have stayed.

    Raises:
        OSError: if the file can't be written.
    """
    if twins is None:
        truth_file(out, CONTACTED, block).unlink(missing_ok=True)
        return
    ordered = sorted(contacts)
    number = np.array([one.number for one in ordered])
    row = np.searchsorted(people.number[twins.lives.row], number)
    kind = kinds_of(settings, people.number, people.persona, people.session_gap)
    kind = kind[twins.lives.row][row]
    cancelled = twins.cancelled[row]
    day = np.array([one.day for one in ordered])
    offers = [settings.offers[one.offer] for one in ordered]
    table = pa.table(
        {
            "user_id": user_ids(number),
            "contact_ts": pa.array([one.ts for one in ordered], _UTC_SECONDS),
            "offer": [offer.name for offer in offers],
            "kind": [KINDS[one] for one in kind.tolist()],
            "acts_from": pa.array(day + 1, pa.int32()).cast(pa.date32()),
            "acts_until": pa.array(day + [one.days for one in offers], pa.int32()).cast(
                pa.date32()
            ),
            "untreated_cancel_ts": pa.array(cancelled, _UTC_SECONDS, mask=cancelled == STAYED),
        }
    )
    write_truth(table, out, CONTACTED, block)
