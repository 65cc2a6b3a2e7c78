"""The true probability of every user to cancel, as of any date of a simulated world."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.evaluation.expected import expected_average_precision, expected_roc_auc
from churn_spark.simulate.contacts import read_contacts
from churn_spark.simulate.offers import KINDS
from churn_spark.simulate.own_files import claim, read_own
from churn_spark.simulate.places import state_folder
from churn_spark.simulate.settings import DAY_S
from churn_spark.simulate.treatment import treat_all
from churn_spark.simulate.truth import truth_file, write_truth
from churn_spark.simulate.world_as_of import read_world, seconds_of
from churn_spark.timeline import day_number

TABLE: Final = "probabilities"
POTENTIALS: Final = "potentials"


def build_probabilities(out: Path, as_of: date, horizon_days: int, gap_days: int) -> pa.Table:
    """Give each user's true chance to cancel in `[as_of + gap, as_of + gap + horizon)`.

    Grain: user who has had an event before `as_of` and has not cancelled before it.
    `cancel_probability` holds for those who don't cancel within the gap, as the labels do, and
    for the contacts that there were up to the end of the log; `if_offered` and `if_not_offered`,
    of a degrading world only, are what it would be were the user given the world's own offer
    throughout, or never. `label` is the outcome: null for users who cancel within the gap, and
    until the log reaches the end of the horizon.

    Exact in the degrading regime. In the memoryless one a session's length is approximated by
    an exponential time, see `renewal`.

    Args:
        out: folder of the world.
        as_of: a date of the log, after its first day.
        horizon_days: days in which a cancellation counts.
        gap_days: days before the horizon begins.

    Raises:
        InputError: if there is no world, or nothing is known of it as of that date.
    """
    known = read_world(out, as_of, horizon_days, gap_days)
    treatment = known.treat(read_contacts(state_folder(out, known.end)))
    whats: dict[str, bool | None] = {"cancel_probability": None}
    if known.settings.regime == "degrading":
        whats |= {"if_offered": True, "if_not_offered": False}
    columns: dict[str, Any] = {"user_id": known.rows["user_id"]} | {
        name: known.chances(horizon_days, gap_days, treatment, offered)
        for name, offered in whats.items()
    }
    first = (day_number(as_of) + gap_days) * DAY_S
    columns["label"] = _labels(known.rows, first, horizon_days, known.end)
    return pa.table(columns)


def build_potentials(out: Path, as_of: date, horizon_days: int, gap_days: int) -> pa.Table:
    """Give both potential chances of each user to cancel, as `build_probabilities` does.

    Grain: user of that table and offer. `if_contacted` is the chance where the user is contacted
    with this offer on `as_of`, `if_not_contacted` where no contact acts; both leave out the
    contacts that there were. `is_contacted` tells who was reached with it on that day.

    Args:
        out: folder of the world.
        as_of: a date of the log, after its first day.
        horizon_days: days in which a cancellation counts.
        gap_days: days before the horizon begins.

    Raises:
        InputError: if there is no world, or nothing is known of it as of that date.
    """
    known = read_world(out, as_of, horizon_days, gap_days)
    alone = known.chances(horizon_days, gap_days, None)
    day, number, kind = day_number(as_of), known.number, known.kind
    reached = {
        (one.number, one.offer)
        for one in read_contacts(state_folder(out, known.end))
        if one.day == day
    }
    parts = []
    for place, offer in enumerate(known.settings.offers):
        treatment = treat_all(known.settings, number, kind, day, place)
        columns = {
            "user_id": known.rows["user_id"],
            "offer": [offer.name] * len(number),
            "kind": [KINDS[one] for one in kind.tolist()],
            "if_not_contacted": alone,
            "if_contacted": known.chances(horizon_days, gap_days, treatment),
            "is_contacted": [(one, place) in reached for one in number.tolist()],
        }
        parts.append(pa.table(columns))
    return pa.concat_tables(parts)


def _labels(rows: pa.Table, first: int, horizon_days: int, end: date) -> pa.Array:
    """Give who cancels in the horizon that begins at `first`, epoch seconds."""
    last = first + horizon_days * DAY_S
    cancelled = pc.fill_null(seconds_of(rows["cancel_ts"]), last).to_numpy()
    is_unknown = (cancelled < first) | (day_number(end) * DAY_S < last)
    return pa.array((cancelled < last).astype(np.int32), mask=is_unknown)


def write_probabilities(out: Path, as_of: date, horizon_days: int, gap_days: int) -> pa.Table:
    """Write `probabilities` and `potentials` in `truth/`, in `as_of=…/horizon_days=…/gap_days=…`.

    Returns:
        The rows of `build_probabilities`.

    Raises:
        InputError: as `build_probabilities`; if others' files lie among those of the world.
        OSError: if the file can't be written.
    """
    read_own(out)
    rows = build_probabilities(out, as_of, horizon_days, gap_days)
    tables = {TABLE: rows, POTENTIALS: build_potentials(out, as_of, horizon_days, gap_days)}
    for table, found in tables.items():
        name = f"{table}/as_of={as_of}/horizon_days={horizon_days}/gap_days={gap_days}"
        claim(out, [truth_file(out, name)])
        write_truth(found, out, name)
    return rows


def describe(rows: pa.Table) -> str:
    """Say in one line how far the true probabilities part users who cancel from others.

    Raises:
        KeyError: if these are no rows of `build_probabilities`.
    """
    true = rows["cancel_probability"].to_numpy()
    return (
        f"{len(rows):,} users, {true.sum():,.1f} cancels expected "
        f"({true.mean():.2%}), best reachable ROC AUC "
        f"{expected_roc_auc(true, true):.4f}, AP {expected_average_precision(true, true):.4f}"
    )
