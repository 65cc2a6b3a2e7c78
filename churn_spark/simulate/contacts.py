"""The contacts that a world knows: which are taken, and where they are kept beside its state."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from churn_spark.errors import InputError
from churn_spark.simulate.population import number_of
from churn_spark.simulate.settings import Period, SimulationSettings
from churn_spark.simulate.treatment import Treated
from churn_spark.simulate.truth import read_truth
from churn_spark.wording import name_some

_NAMED: Final = 3


@dataclass(frozen=True)
class Reached:
    """A contact that reached somebody, as the team tells it.

    Attributes:
        user_id: as in the log.
        time: in UTC.
        offer: name of the offer, empty for none.
    """

    user_id: str
    time: datetime
    offer: str


def contacts_file(folder: Path) -> Path:
    """Give the file of the contacts up to a state of the world."""
    return folder / "contacts.json"


def read_contacts(folder: Path) -> tuple[Treated, ...]:
    """Read the contacts up to a state of the world; none where there have been none."""
    path = contacts_file(folder)
    if not path.is_file():
        return ()
    return tuple(Treated(*row) for row in json.loads(path.read_text(encoding="utf-8")))


def save_contacts(folder: Path, contacts: Iterable[Treated]) -> None:
    """Keep the contacts beside a state of the world; nothing is written where there are none.

    Raises:
        OSError: if the file can't be written.
    """
    if rows := [astuple(one) for one in sorted(contacts)]:
        contacts_file(folder).write_text(json.dumps(rows), encoding="utf-8")


def take_contacts(
    settings: SimulationSettings,
    out: Path,
    period: Period,
    known: Sequence[Treated],
    given: Sequence[Reached],
) -> tuple[Treated, ...]:
    """Add contacts to those that the world knows; one that comes again counts once.

    Args:
        settings: the world.
        out: its folder.
        period: the days that are to be simulated.
        known: the contacts that the days before were simulated with.
        given: those that are told now.

    Raises:
        InputError: if an offer or a user doesn't exist; if a contact is later than the period,
            or should have acted on a day that has been simulated without it.
    """
    offers = {offer.name: place for place, offer in enumerate(settings.offers)}
    users = set(read_truth(out, "users")["user_id"].to_pylist()) if given else set()
    _refuse([f"{one.offer!r}" for one in given if one.offer not in offers],
            "offers", f"those of the world: {', '.join(map(repr, offers))}")  # fmt: skip
    _refuse([one.user_id for one in given if one.user_id not in users],
            "users", "ids of users who are in the log, as it spells them")  # fmt: skip
    told = {_treated(one, offers[one.offer]) for one in given}
    new = sorted(told.difference(known))
    first, last = period.first - timedelta(days=1), period.dates[-1]
    days = [_date_of(one) for one in new]
    _refuse([f"{day}" for day in days if day > last],
            "contacts on", f"none after {last}, the last day to be simulated")  # fmt: skip
    _refuse([f"{day}" for day in days if day < first],
            "contacts on",
            f"{first} at the earliest: a contact acts from the next day on, and the days before "
            f"{period.first} were simulated without it")  # fmt: skip
    return tuple(sorted({*known, *new}))


def _treated(one: Reached, offer: int) -> Treated:
    return Treated(int(one.time.timestamp()), number_of(one.user_id), offer)


def _date_of(one: Treated) -> date:
    return datetime.fromtimestamp(one.ts, UTC).date()


def _refuse(found: list[str], what: str, expected: str) -> None:
    if found:
        raise InputError(
            f"the contacts name the {what} {name_some(sorted({*found}), _NAMED, ', ')}; expected "
            f"{expected}"
        )
