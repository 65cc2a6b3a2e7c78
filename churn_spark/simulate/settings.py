"""What a simulated log is determined by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from churn_spark.errors import InputError

REGIMES: Final = ("memoryless",)
_ANNOUNCED_REGIMES: Final = ("degrading",)
_EPOCH: Final = date(1970, 1, 1)
_MAX_SEED: Final = 2**63 - 1
_DAY_S: Final = 86_400


@dataclass(frozen=True)
class SimulationSettings:
    """What determines a simulated log, to the byte.

    Attributes:
        users: how many users there are, those who join within the log included.
        start: first day, UTC.
        days: number of days.
        seed: 0 to 2**63-1.
        regime: `memoryless`: cancelling is a fixed chance per visit of certain pages, the
            same before and after; so past behaviour says little about it.

    Raises:
        InputError: if any is out of range; all problems are named at once.
    """

    users: int = 226
    start: date = date(2018, 10, 1)
    days: int = 61
    seed: int = 42
    regime: str = "memoryless"

    def __post_init__(self) -> None:
        """Refuse settings that no log can be made from."""
        problems = []
        if self.users < 1:
            problems.append(f"found users {self.users}, expected at least 1")
        if self.days < 1:
            problems.append(f"found days {self.days}, expected at least 1")
        elif self.start < _EPOCH or self.days > (date.max - self.start).days:
            problems.append(
                f"found {self.days} days from {self.start}, expected days from 1970 to 9999"
            )
        if not 0 <= self.seed <= _MAX_SEED:
            problems.append(f"found seed {self.seed}, expected 0 to {_MAX_SEED}")
        if self.regime in _ANNOUNCED_REGIMES:
            problems.append(f"found regime {self.regime}, which isn't available yet")
        elif self.regime not in REGIMES:
            problems.append(f"found regime {self.regime!r}, expected {' or '.join(REGIMES)}")
        if problems:
            raise InputError(f"{'; '.join(problems)}: correct the arguments of the simulation")

    @property
    def start_ts(self) -> int:
        """Begin of the log, epoch seconds."""
        return (self.start - _EPOCH).days * _DAY_S

    @property
    def end_ts(self) -> int:
        """End of the log, epoch seconds, exclusive."""
        return self.start_ts + self.days * _DAY_S
