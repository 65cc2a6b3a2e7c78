"""What a simulated world and its log are determined by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from churn_spark.errors import InputError
from churn_spark.simulate.offers import OFFERS, Offer
from churn_spark.timeline import EPOCH, day_number

REGIMES: Final = ("memoryless", "degrading")
STYLES: Final = ("mini", "daily")
DRIFTS: Final = ("none", "input", "label")
DAY_S: Final = 86_400
# Long enough that the log opens in the middle of sessions, as a real one does.
WARM_UP_S: Final = 2 * DAY_S
ByPersona = tuple[float, float, float, float]
_MAX_SEED: Final = 2**63 - 1
_MAX_FILES_A_DAY: Final = 24


@dataclass(frozen=True)
class SimulationSettings:
    """What determines a simulated world and its log, to the byte.

    Attributes:
        users: how many users there are at the start.
        start: first day of the world's log, UTC.
        days: number of days that one run writes.
        seed: 0 to 2**63-1.
        regime: `memoryless`: cancelling is a fixed chance per visit of certain pages, so past
            behaviour says little about it; `degrading`: interest fades for weeks before.
        growth: users who join in a year, as a share of `users`.
        persona_mix: weights of the personas Accordion, Tuba, Zither and Xylophone.
        drift: what changes on `drift_date`: `none`; `input`, the chance of Thumbs Up after a
            song; `label`, every chance of cancelling.
        drift_date: first day of the change.
        drift_factor: what the chances are multiplied by.
        style: `mini`: absent keys are left out; `daily`: all 18 keys in alphabetical order,
            nulls written out, `registration` with a fraction, no newline at a file's end.
        files_a_day: the day is cut into as many files of equal time.
        is_compressed: whether files are gzipped.
        dirty_share: share of the events, a third each, that are followed by a broken copy of
            their line, written twice, or delivered a day late.
        offers: what users can be contacted with.
        saved_share: of each persona's users, the share whom an offer can save.
        lost_share: the share who are lost anyway.
        dog_share: the share of sleeping dogs, whom a contact makes cancel; the rest would have
            stayed.

    Raises:
        InputError: if any is out of range; all problems are named at once.
    """

    users: int = 226
    start: date = date(2018, 10, 1)
    days: int = 61
    seed: int = 42
    regime: str = "memoryless"
    growth: float = 0.10
    persona_mix: ByPersona = (150.0, 25.0, 25.0, 25.0)
    drift: str = "none"
    drift_date: date = date(2018, 11, 1)
    drift_factor: float = 2.0
    style: str = "mini"
    files_a_day: int = 4
    is_compressed: bool = False
    dirty_share: float = 0.0
    offers: tuple[Offer, ...] = OFFERS
    saved_share: ByPersona = (0.4, 0.3, 0.3, 0.3)
    lost_share: ByPersona = (0.15, 0.3, 0.25, 0.1)
    dog_share: ByPersona = (0.05, 0.15, 0.1, 0.05)

    def __post_init__(self) -> None:
        """Refuse settings that no log can be made from."""
        problems = [
            f"found {name} {getattr(self, name)!r}, expected {' or '.join(choices)}"
            for name, choices in (("regime", REGIMES), ("style", STYLES), ("drift", DRIFTS))
            if getattr(self, name) not in choices
        ]
        problems += [
            f"found {name} {getattr(self, name)}, expected {low} to {high}"
            for name, low, high in (
                ("seed", 0, _MAX_SEED),
                ("growth", 0, 10),
                ("drift_factor", 0, 10),
                ("files_a_day", 1, _MAX_FILES_A_DAY),
                ("dirty_share", 0, 0.5),
            )
            if not low <= getattr(self, name) <= high
        ]
        problems += [
            f"found {name} {getattr(self, name)}, expected at least 1"
            for name in ("users", "days")
            if getattr(self, name) < 1
        ]
        if len(self.persona_mix) != 4 or min(self.persona_mix) < 0 or sum(self.persona_mix) <= 0:
            problems.append(
                f"found persona_mix {self.persona_mix}, expected four weights of at least 0"
            )
        if self.start < EPOCH or self.days > (date.max - self.start).days:
            problems.append(
                f"found {self.days} days from {self.start}, expected days from 1970 to 9999"
            )
        problems += self._problems_of_offers()
        if problems:
            raise InputError(f"{'; '.join(problems)}: correct the arguments of the simulation")

    def _problems_of_offers(self) -> list[str]:
        names = [offer.name for offer in self.offers]
        problems = []
        if not names or len({*names}) < len(names):
            problems.append(f"found offers {names}, expected at least one, each name once")
        shares = self.saved_share, self.lost_share, self.dog_share
        if any(len(share) != 4 or not 0 <= min(share) <= max(share) <= 1 for share in shares):
            problems.append(
                f"found saved_share, lost_share and dog_share {shares}, expected four shares of 0 "
                "to 1 each"
            )
        elif max(map(sum, zip(*shares, strict=True))) > 1 + 1e-9:
            problems.append(
                f"found saved_share, lost_share and dog_share {shares}, expected shares that add "
                "up to 1 at most in every persona"
            )
        return problems

    @property
    def start_ts(self) -> int:
        """Begin of the log, epoch seconds."""
        return day_number(self.start) * DAY_S

    @property
    def period(self) -> Period:
        """The days of the first run."""
        return Period(self.start, self.days)

    @property
    def drift_ts(self) -> int:
        """When the change comes, epoch seconds; after everything where there is none."""
        return _NEVER if self.drift == "none" else day_number(self.drift_date) * DAY_S


_NEVER: Final = 2**62


@dataclass(frozen=True)
class Period:
    """The days that one run writes: `days` from `first` on."""

    first: date
    days: int

    @property
    def end(self) -> date:
        """The day after the last one."""
        return self.first + timedelta(days=self.days)

    @property
    def dates(self) -> tuple[date, ...]:
        """The days."""
        return tuple(self.first + timedelta(days=day) for day in range(self.days))

    @property
    def first_ts(self) -> int:
        """Begin, epoch seconds."""
        return day_number(self.first) * DAY_S

    @property
    def end_ts(self) -> int:
        """End, epoch seconds, exclusive."""
        return day_number(self.end) * DAY_S
