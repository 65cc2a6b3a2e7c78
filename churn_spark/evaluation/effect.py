"""What being listed, or a contact, has saved: control less listed, with intervals for any look.

Everything follows from counts of users, so weeks add up. An interval for one look, fixed
beforehand, is Agresti and Caffo's for two shares (The American Statistician 54, 2000): one cancel
and one other are added to either side. Who looks every week needs more: a confidence sequence,
which holds the truth at all looks together. Ours is the asymptotic one of Waudby-Smith, Arbour,
Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence sequences",
Annals of Statistics 52 (2024), theorem 2.2: the mean of n terms with deviation s is within

    s / sqrt(n) * sqrt((n r + 1) / (n r) * log((n r + 1) / a^2)),    r = rho^2,

Robbins' normal mixture at the estimated variance (Howard, Ramdas, McAuliffe, Sekhon, Annals of
Statistics 49, 2021, section 3.2), with probability 1 - a for all n from an n on that is not small;
before that nothing is said. Per contact made, the instrument is the draw: the values t for which
cancels + t * contacts has the same mean on both sides, by the same boundary (Fieller; Anderson and
Rubin). It is the saving among those who are reached when listed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Final

ALPHA: Final = 0.05
_Z: Final = 1.959963984540054
_TUNED_USERS: Final = 2000
"""The sequence is narrowest, compared with one look, at about so many users."""
_RHO2: Final = (-2 * math.log(ALPHA) + math.log(-2 * math.log(ALPHA) + 1)) / _TUNED_USERS
_MIN_USERS: Final = 20
_MIN_CANCELS: Final = 10
"""With fewer, a side or both, no bound is told for every look: normal laws don't hold yet."""


@dataclass(frozen=True)
class Side:
    """Users of one side of the draw.

    Attributes:
        n: users.
        n_cancels: of them, those who cancel in the window.
        n_contacted: those who were reached.
        n_both: those who were reached and cancel.
    """

    n: int = 0
    n_cancels: int = 0
    n_contacted: int = 0
    n_both: int = 0

    def __add__(self, other: Side) -> Side:
        """The users of both."""
        sums = (getattr(self, one.name) + getattr(other, one.name) for one in fields(Side))
        return Side(*sums)

    @property
    def share(self) -> float:
        """Share that cancels; NaN of nobody."""
        return self.n_cancels / self.n if self.n else math.nan


@dataclass(frozen=True)
class Bounds:
    """An interval; infinite where nothing can be told."""

    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Saved:
    """Cancels saved, as a share of users: of all listed, or of those reached.

    Attributes:
        value: the estimate; NaN where there is none.
        once: 95 % interval for one look, fixed beforehand.
        always: for all looks together.
    """

    value: float
    once: Bounds
    always: Bounds

    @property
    def verdict(self) -> str:
        """`saves`, `harms` or `can't tell`, by the interval for all looks."""
        if self.always.low > 0:
            return "saves"
        return "harms" if self.always.high < 0 else "can't tell"


@dataclass(frozen=True)
class Counts:
    """Both sides of the draw."""

    listed: Side = Side()
    control: Side = Side()

    def __add__(self, other: Counts) -> Counts:
        """The users of both: of two weeks, say."""
        return Counts(self.listed + other.listed, self.control + other.control)

    @property
    def n(self) -> int:
        """Users."""
        return self.listed.n + self.control.n

    @property
    def is_enough(self) -> bool:
        """Whether bounds for all looks are told."""
        n_cancels = self.listed.n_cancels + self.control.n_cancels
        return min(self.listed.n, self.control.n) >= _MIN_USERS and n_cancels >= _MIN_CANCELS


def boundary(n_users: int) -> float:
    """How many standard errors the sequence reaches with so many users: 3.0 at 2,000."""
    scaled = n_users * _RHO2
    return math.sqrt((scaled + 1) / scaled * math.log((scaled + 1) / ALPHA**2))


def saved_by_listing(counts: Counts) -> Saved:
    """Share of the listed who would have cancelled and have not: intention to treat."""
    if not counts.listed.n or not counts.control.n:
        return Saved(math.nan, Bounds(), Bounds())
    listed, control = _moments(counts.listed), _moments(counts.control)
    difference = control.cancels - listed.cancels
    error = math.sqrt(listed.var_cancels + control.var_cancels)

    def within(reach: float) -> Bounds:
        return _limited(difference - reach * error, difference + reach * error)

    value = counts.control.share - counts.listed.share
    return Saved(value, within(_Z), within(boundary(counts.n)) if counts.is_enough else Bounds())


def saved_by_contact(counts: Counts) -> Saved:
    """The same of those who were reached, by the draw: whom the team reaches is its choice."""
    if not counts.listed.n or not counts.control.n:
        return Saved(math.nan, Bounds(), Bounds())
    listed, control = _moments(counts.listed), _moments(counts.control)
    more = listed.contacts - control.contacts
    if not more > 0:
        return Saved(math.nan, Bounds(), Bounds())
    difference = control.cancels - listed.cancels

    def within(reach: float) -> Bounds:
        """The values t with (difference - t more)^2 <= reach^2 Var(cancels + t contacts)."""
        square = reach**2
        a = more**2 - square * (listed.var_contacts + control.var_contacts)
        b = difference * more + square * (listed.covariance + control.covariance)
        c = difference**2 - square * (listed.var_cancels + control.var_cancels)
        root = b**2 - a * c
        if a <= 0 or root < 0:
            return Bounds()
        return _limited((b - math.sqrt(root)) / a, (b + math.sqrt(root)) / a)

    value = (counts.control.share - counts.listed.share) / more
    # A difference by chance over few contacts is any number: beyond 1 it is no share of users.
    told = value if abs(value) <= 1 else math.nan
    return Saved(told, within(_Z), within(boundary(counts.n)) if counts.is_enough else Bounds())


def users_needed(counts: Counts, target: float) -> int | None:
    """With how many users in all a saving of `target` would surely be told from none.

    At the shares found so far, and split between the sides as they are. None where there is
    nothing to go by.
    """
    if not counts.listed.n or not counts.control.n or not target > 0:
        return None
    errors = _moments(counts.listed).var_cancels + _moments(counts.control).var_cancels
    return users_for(errors * counts.n, target)


def users_for(variance: float, target: float) -> int:
    """With how many users a mean of terms of some variance is surely told from 0 at `target`.

    Args:
        variance: of one user's term.
        target: above 0, in the unit of the terms.
    """
    low, high = 1, 2
    while boundary(high) ** 2 * variance > target**2 * high:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        is_short = boundary(middle) ** 2 * variance > target**2 * middle
        low, high = (middle, high) if is_short else (low, middle)
    return high


@dataclass(frozen=True)
class _Moments:
    """Of the means of a side: cancels, contacts, their variances and their covariance."""

    cancels: float
    contacts: float
    var_cancels: float
    var_contacts: float
    covariance: float


def _moments(side: Side) -> _Moments:
    size = side.n + 2
    cancels, contacts = (side.n_cancels + 1) / size, side.n_contacted / side.n
    both = side.n_both / side.n - side.share * contacts
    return _Moments(
        cancels,
        contacts,
        cancels * (1 - cancels) / size,
        contacts * (1 - contacts) / size,
        both / size,
    )


def _limited(low: float, high: float) -> Bounds:
    """No share is beyond 1."""
    return Bounds(max(low, -1.0), min(high, 1.0))
