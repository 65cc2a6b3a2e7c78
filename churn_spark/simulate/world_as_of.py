"""A simulated world as of a date: its users where they stand, and their true chances."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from churn_spark.arrays import Floats, Ints
from churn_spark.errors import InputError
from churn_spark.simulate import degrading, renewal
from churn_spark.simulate.kinds import kinds_of
from churn_spark.simulate.pages import state_of
from churn_spark.simulate.personas import PERSONA_NAMES
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.treatment import Treated, Treatment, build_treatment
from churn_spark.simulate.truth import read_truth
from churn_spark.simulate.world import log_end, read_settings
from churn_spark.timeline import day_number

_LONGEST_DAYS: Final = 366  # no offer is in force longer


@dataclass(frozen=True)
class WorldAsOf:
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


def read_world(out: Path, as_of: date, horizon_days: int, gap_days: int) -> WorldAsOf:
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
    return WorldAsOf(settings, end, as_of, rows.sort_by("user_number"))


def _in_window(by_day: Floats, horizon_days: int, gap_days: int) -> Floats:
    """Give the chance to cancel within the horizon of those who don't within the gap."""
    in_gap = by_day[gap_days - 1] if gap_days else np.zeros(by_day.shape[1])
    found: Floats = (by_day[gap_days + horizon_days - 1] - in_gap) / (1.0 - in_gap)
    return found


def seconds_of(instants: pa.ChunkedArray) -> pa.ChunkedArray:
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
        registered=seconds_of(rows["registration_ts"]).to_numpy(),
        fading_days=pc.fill_null(rows["fading_days"], degrading.CONTENT).to_numpy(),
    )
