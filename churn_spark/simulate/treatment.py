"""What contacts do to users, day by day.

A contact acts from the day after it on, for the days of its offer; of several that act on a day
the newest counts. Of a user who can be saved every chance to cancel is multiplied by what the
offer leaves of it. A sleeping dog has on every day another chance, to come and cancel, from a
stream of the user's own: so nobody else's life changes, and a user's own only from there on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from churn_spark.arrays import Floats, Ints
from churn_spark.simulate.degrading import NEVER
from churn_spark.simulate.draws import uniforms, user_keys
from churn_spark.simulate.offers import DOG, SAVED
from churn_spark.simulate.settings import DAY_S, SimulationSettings

NONE: Final = -1
_WAKE_STREAM: Final = 10
_DRAWS_A_DAY: Final = 2


@dataclass(frozen=True, order=True)
class Treated:
    """A contact that reached a user.

    Attributes:
        ts: when, epoch seconds.
        number: user number.
        offer: index into the world's offers.
    """

    ts: int
    number: int
    offer: int

    @property
    def day(self) -> int:
        """Days since the epoch."""
        return self.ts // DAY_S


@dataclass(frozen=True)
class Treatment:
    """What acts on users on each of some days.

    Attributes:
        settings: the world.
        number: user numbers, shape (users,).
        kind: index into `offers.KINDS`, shape (users,).
        first: first day, days since the epoch.
        offer: index into the world's offers of what acts, `NONE` where nothing does, shape
            (days, users).
    """

    settings: SimulationSettings
    number: Ints
    kind: Ints
    first: int
    offer: Ints

    def saving(self, days: Ints, rows: Ints) -> Ints:
        """Give which offer keeps users from cancelling, `NONE` where none does.

        Args:
            days: days since the epoch.
            rows: positions of users; both broadcast.
        """
        saving: Ints = np.where(self.kind[rows] == SAVED, self._acting(days, rows), NONE)
        return saving

    def saving_by_day(self, days: range) -> Ints:
        """Give which offer keeps each user from cancelling on each day, shape (days, users)."""
        return self.saving(*self._all(days))

    def keeps(self, days: range) -> Floats:
        """Give what each chance to cancel is multiplied by, shape (days, users)."""
        left = np.array([*(1.0 - offer.saves for offer in self.settings.offers), 1.0])
        kept: Floats = left[self.saving_by_day(days)]
        return kept

    def wakes(self, days: range) -> Floats:
        """Give each user's chance to be woken and cancel, shape (days, users)."""
        chances = np.array([*(offer.wakes_a_day for offer in self.settings.offers), 0.0])
        woken: Floats = chances[np.where(self.kind == DOG, self._acting(*self._all(days)), NONE)]
        return woken

    def _all(self, days: range) -> tuple[Ints, Ints]:
        return np.array(days)[:, None], np.arange(len(self.number))[None, :]

    def _acting(self, days: Ints, rows: Ints) -> Ints:
        """What acts on users; nothing does before the first known day, or after the last."""
        place = days - self.first
        is_known = (place >= 0) & (place < len(self.offer))
        acting: Ints = np.where(
            is_known, self.offer[np.clip(place, 0, len(self.offer) - 1), rows], NONE
        )
        return acting

    def woken_at(self, days: range) -> Ints:
        """Draw when sleeping dogs go and cancel, epoch seconds, `NEVER` for the others."""
        keys = user_keys(self.settings.seed, _WAKE_STREAM, self.number)
        woken = np.full(len(self.number), NEVER, dtype=np.int64)
        for day, chance in zip(days, self.wakes(days), strict=True):
            draws = uniforms(keys, day * _DRAWS_A_DAY, _DRAWS_A_DAY)
            # In time to be gone before the day ends.
            moment = day * DAY_S + (28_800 + draws[1] * 50_000).astype(np.int64)
            woken = np.where((draws[0] < chance) & (woken == NEVER), moment, woken)
        return woken

    def with_woken(self, by_day: Floats, days: range) -> Floats:
        """Add to chances to have cancelled by the end of days those of being woken by then."""
        asleep = np.cumprod(1.0 - self.wakes(days), axis=0)
        either: Floats = 1.0 - (1.0 - by_day) * asleep
        return either


def build_treatment(
    settings: SimulationSettings,
    contacts: Iterable[Treated],
    number: Ints,
    kind: Ints,
    last: int,
) -> Treatment | None:
    """Lay out what acts on users up to a last day; None where nobody among them was contacted.

    Args:
        settings: the world.
        contacts: of any users.
        number: user numbers, shape (users,).
        kind: index into `offers.KINDS`, shape (users,).
        last: last day, days since the epoch.
    """
    row = {user: place for place, user in enumerate(number.tolist())}
    theirs = sorted(one for one in contacts if one.number in row and one.day < last)
    if not theirs:
        return None
    first = min(one.day for one in theirs) + 1
    offer = np.full((last - first + 1, len(number)), NONE, dtype=np.int64)
    for one in theirs:
        begin = one.day + 1 - first
        offer[begin : begin + settings.offers[one.offer].days, row[one.number]] = one.offer
    return Treatment(settings, number, kind, first, offer)


def treat_all(
    settings: SimulationSettings, number: Ints, kind: Ints, contacted: int, offer: int
) -> Treatment:
    """Lay out what acts if all users were contacted with one offer on one day, and never else."""
    days = settings.offers[offer].days
    return Treatment(
        settings, number, kind, contacted + 1, np.full((days, len(number)), offer, dtype=np.int64)
    )
