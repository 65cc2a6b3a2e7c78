"""What a contact with a user can offer, and what it does to each kind of user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from churn_spark.errors import InputError

KINDS: Final = ("can be saved", "lost anyway", "would have stayed", "sleeping dog")
SAVED, LOST, STAYS, DOG = range(len(KINDS))
_MAX_DAYS: Final = 365


@dataclass(frozen=True)
class Offer:
    """An offer, in force from the day after the contact on.

    Attributes:
        name: as in the contacts; an empty one is a contact that offers nothing.
        saves: of the chances to cancel of a user who can be saved, the share that it takes away.
        wakes: chance that a sleeping dog cancels because of it while it is in force.
        days: how long it is in force.

    Raises:
        InputError: if any is out of range.
    """

    name: str
    saves: float
    wakes: float
    days: int

    def __post_init__(self) -> None:
        """Refuse an offer that no chance can be made from."""
        if not (0 <= self.saves <= 1 and 0 <= self.wakes < 1 and 1 <= self.days <= _MAX_DAYS):
            raise InputError(
                f"found offer {self}, expected a saved share of 0 to 1, a chance to wake below 1 "
                f"and 1 to {_MAX_DAYS} days: correct it"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME=SAVES,WAKES,DAYS`.

        Raises:
            InputError: if it isn't of that form, or a number is out of range.
        """
        name, _, numbers = text.rpartition("=")
        try:
            saves, wakes, days = numbers.split(",")
            return cls(name.strip(), float(saves), float(wakes), int(days))
        except ValueError as error:
            raise InputError(
                f"found offer {text!r}, expected NAME=SAVES,WAKES,DAYS as in 'month free=.6,.2,28'"
            ) from error

    @property
    def wakes_a_day(self) -> float:
        """The chance on each of its days that a sleeping dog cancels because of it."""
        return float(1.0 - (1.0 - self.wakes) ** (1.0 / self.days))

    def __str__(self) -> str:
        """As it is parsed."""
        return f"{self.name}={self.saves:g},{self.wakes:g},{self.days}"


OFFERS: Final = (Offer("", 0.2, 0.2, 14), Offer("month free", 0.6, 0.2, 28))
