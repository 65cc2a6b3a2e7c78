"""The true probability of every user to cancel, as of any date of a simulated world."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.arrays import Floats, Ints
from churn_spark.errors import InputError
from churn_spark.evaluation.expected import expected_average_precision, expected_roc_auc
from churn_spark.simulate import degrading, renewal
from churn_spark.simulate.contacts import read_contacts
from churn_spark.simulate.kinds import kinds_of
from churn_spark.simulate.offers import KINDS
from churn_spark.simulate.own_files import claim, read_own
from churn_spark.simulate.pages import state_of
from churn_spark.simulate.personas import PERSONA_NAMES
from churn_spark.simulate.places import state_folder
from churn_spark.simulate.settings import DAY_S, SimulationSettings, day_number
from churn_spark.simulate.treatment import Treated, Treatment, build_treatment, treat_all
from churn_spark.simulate.truth import read_truth, truth_file, write_truth
from churn_spark.simulate.world import log_end, read_settings

TABLE: Final = "probabilities"
POTENTIALS: Final = "potentials"
_LONGEST_DAYS: Final = 366  # no offer is in force longer


@dataclass(frozen=True)
class Known:
    """A world as of a date.

    Attributes:
        settings: what determines it.
        end: of its log, the day after the last one.
        as_of: the date.
        rows: of each user who has had an event before it and has not cancelled before it, what
            stands in `truth/states` and `truth/users`.
    """

    settings: SimulationSettings
    end: date
    as_of: date
    rows: pa.Table

    def treat(self, contacts: Iterable[Treated]) -> Treatment | None:
        """Lay out what contacts do to these users."""
        last = day_number(self.end) + _LONGEST_DAYS
        return build_treatment(self.settings, contacts, self.number, self.kind, last)

    @property
    def number(self) -> Ints:
        """User numbers, shape (users,)."""
        found: Ints = self.rows["user_number"].to_numpy()
        return found

    @property
    def kind(self) -> Ints:
        """Index into `offers.KINDS`, shape (users,)."""
        gaps = self.rows["session_gap_s"].to_numpy()
        return kinds_of(self.settings, self.number, _personas(self.rows), gaps)

    def chances(
        self,
        horizon_days: int,
        gap_days: int,
        treatment: Treatment | None,
        offered: bool | None = None,
    ) -> Floats:
        """Give the chance to cancel within the horizon of those who don't within the gap.

        Args:
            horizon_days: days in which a cancellation counts.
            gap_days: days before the horizon begins.
            treatment: what contacts do to the users, None for none.
            offered: of a degrading world, as for `degrading.cancelled_by_day`.
        """
        days = range(day_number(self.as_of), day_number(self.as_of) + gap_days + horizon_days)
        if self.settings.regime == "degrading":
            by_day = degrading.cancelled_by_day(
                self.settings,
                _fading_standing(self.rows),
                days,
                offered,
                None if treatment is None else treatment.keeps(days),
            )
        else:
            saving = None if treatment is None else treatment.saving_by_day(days)
            by_day = renewal.cancelled_by_day(self.settings, _standing(self.rows), days, saving)
        if treatment is not None:
            by_day = treatment.with_woken(by_day, days)
        return _in_window(by_day, horizon_days, gap_days)


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
    known = read_known(out, as_of, horizon_days, gap_days)
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
    known = read_known(out, as_of, horizon_days, gap_days)
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


def read_known(out: Path, as_of: date, horizon_days: int, gap_days: int) -> Known:
    """Read a world as of a date.

    Raises:
        InputError: if there is no world, or nothing is known of it as of that date; if there can
            be no such window.
    """
    settings, end = read_settings(out), log_end(out)
    if horizon_days < 1 or gap_days < 0:
        raise InputError(
            f"found a horizon of {horizon_days} and a gap of {gap_days} days, expected at least "
            "1 and 0: correct the arguments"
        )
    if not settings.start < as_of <= end:
        raise InputError(
            f"found as-of date {as_of}, expected {settings.start + timedelta(days=1)} to {end}: "
            "choose a date of the log, or simulate more days with --from"
        )
    users = read_truth(out, "users")
    rows = read_truth(out, "states", as_of).join(users, "user_id", join_type="inner")
    return Known(settings, end, as_of, rows.sort_by("user_number"))


def _in_window(by_day: Floats, horizon_days: int, gap_days: int) -> Floats:
    """Give the chance to cancel within the horizon of those who don't within the gap."""
    in_gap = by_day[gap_days - 1] if gap_days else np.zeros(by_day.shape[1])
    found: Floats = (by_day[gap_days + horizon_days - 1] - in_gap) / (1.0 - in_gap)
    return found


def _labels(rows: pa.Table, first: int, horizon_days: int, end: date) -> pa.Array:
    """Give who cancels in the horizon that begins at `first`, epoch seconds."""
    last = first + horizon_days * DAY_S
    cancelled = pc.fill_null(_seconds(rows["cancel_ts"]), last).to_numpy()
    is_unknown = (cancelled < first) | (day_number(end) * DAY_S < last)
    return pa.array((cancelled < last).astype(np.int32), mask=is_unknown)


def _seconds(instants: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn instants, which Parquet keeps as milliseconds, into seconds since the epoch."""
    return pc.cast(pc.cast(instants, pa.timestamp("s", tz="UTC")), pa.int64())


def _personas(rows: pa.Table) -> Ints:
    return np.array([PERSONA_NAMES.index(name) for name in rows["persona"].to_pylist()])


def _standing(rows: pa.Table) -> renewal.Standing:
    """Read where users without memory stand."""
    places = zip(*(rows[name].to_pylist() for name in ("auth", "level", "page")), strict=True)
    return renewal.Standing(
        persona=_personas(rows),
        event_gap=rows["event_gap_s"].to_numpy(),
        session_gap=rows["session_gap_s"].to_numpy(),
        state=np.array([state_of(*place) for place in places], dtype=np.int64),
        is_in_session=rows["is_in_session"].to_numpy(),
    )


def _fading_standing(rows: pa.Table) -> degrading.Standing:
    """Read where users stand whose interest can fade."""
    return degrading.Standing(
        number=rows["user_number"].to_numpy(),
        persona=_personas(rows),
        registered=_seconds(rows["registration_ts"]).to_numpy(),
        fading_days=pc.fill_null(rows["fading_days"], degrading.CONTENT).to_numpy(),
    )


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
