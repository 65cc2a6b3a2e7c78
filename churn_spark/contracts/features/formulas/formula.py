"""What all formulas have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import ClassVar

from churn_spark.contracts.features.past import Past, Q, Trailing


@dataclass(frozen=True)
class Formula(ABC):
    """How the value follows from what a user has done before a date D.

    Attributes:
        kind: its name in the definitions that fingerprints are taken of.
        is_signed: whether the value may be below 0.
        tells_instant: whether its fraction is the time of day at which the user did something.
        follows_one_date: whether it follows from a single past date, such as that of the
            registration: time alone changes it.
    """

    kind: ClassVar[str]
    is_signed: ClassVar[bool] = False
    tells_instant: ClassVar[bool] = False
    follows_one_date: ClassVar[bool] = False

    @abstractmethod
    def value(self, past: Past[Q]) -> Q:
        """The value, in whatever the past answers in."""

    @property
    def follows_calendar(self) -> bool:
        """Whether its distribution differs from night to night though nobody acts otherwise.

        What is measured over less than a week or since the last event depends on the weekday, a
        phase of the month on the date, and a pause is no longer than the log.
        """
        return False

    @property
    def n_phases(self) -> int:
        """So many whole numbers the value can be whose size is no amount; 0 where it is one."""
        return 0

    @property
    def window(self) -> int:
        """How many days before the date it looks back on; 0: on all there are."""
        return 0

    @property
    def definition(self) -> Mapping[str, str | float]:
        """All that the value depends on, under the names that fingerprints have always used."""
        return {"aggregate": self.kind, **asdict(self)}


def total(values: Iterable[Q]) -> Q:
    """Their sum, from the first to the last."""
    return reduce(add, values)


def weekly_sums(past: Past[Q], source: str, n: int) -> list[Q]:
    """Sums of the last weeks, the newest first."""
    return [past.sum_in(source, Trailing.week(number)) for number in range(1, n + 1)]
