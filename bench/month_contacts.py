"""What a team does with its lists, and how it tells of it: by file and by service, and again."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Final

import httpx

from bench.processes import run_watched
from bench.server import serving

COLUMNS: Final = ("user_id", "list_date", "time", "channel", "offer", "cost", "outcome")
OFFER: Final = "month free"
COST: Final = 1.0
_OUTCOMES: Final = {"accepted": 0.6, "declined": 0.1, "not_reached": 0.3}
Row = dict[str, str]


@dataclass
class Team:
    """Calls the users of each list until they are reached.

    Every contact is told four times: twice by one way, and on the next day twice by the other.

    Attributes:
        lakehouse: that it tells of them.
        files: folder of its CSV files.
        lots: who is reached.
        made: date of the list -> its contacts, in the order of the dates.
    """

    lakehouse: Path
    files: Path
    lots: random.Random
    made: dict[date, list[Row]] = field(default_factory=dict)

    @property
    def contacts(self) -> list[Row]:
        """All, each once."""
        return [row for rows in self.made.values() for row in rows]

    def call(self, night: date, listed: Iterable[str]) -> None:
        """Call the users of a list whom no earlier call has reached."""
        reached = {row["user_id"] for row in self.contacts if row["outcome"] != "not_reached"}
        self.made[night] = [self._call(user, night) for user in sorted({*listed} - reached)]

    def _call(self, user: str, night: date) -> Row:
        outcome = self.lots.choices([*_OUTCOMES], [*_OUTCOMES.values()])[0]
        values = (user, str(night), f"{night}T10:00:00Z", "call", OFFER, str(COST), outcome)
        return dict(zip(COLUMNS, values, strict=True))

    def tell(self, night: date) -> str:
        """Tell twice of this day's calls and of the day's before; returns by which way."""
        days = [day for day in self.made if day <= night][-2:]
        rows = [row for day in days for row in self.made[day]]
        by_file = len(self.made) % 2 == 0
        if rows:
            (self._tell_by_file if by_file else self._tell_by_service)(night, rows)
        return "file" if by_file else "service"

    def _tell_by_file(self, night: date, rows: list[Row]) -> None:
        file = self.write(f"contacts-{night}.csv", rows)
        for _ in range(2):
            where = f"lakehouse={self.lakehouse}"
            run_watched("jobs.record_contacts", "--file", str(file), "--set", where)

    def _tell_by_service(self, night: date, rows: list[Row]) -> None:
        body = {"contacts": [row | {"cost": float(row["cost"])} for row in rows]}
        with serving(str(self.lakehouse)) as server:
            headers = {"X-API-Key": server.key, "Idempotency-Key": f"shift of {night}"}
            for _ in range(2):
                sent = httpx.post(f"{server.address}/contacts", json=body, headers=headers)
                sent.raise_for_status()

    def write(self, name: str, rows: Iterable[Row]) -> Path:
        """Write contacts to a CSV; returns its path."""
        file = self.files / name
        with file.open("w", newline="", encoding="utf-8") as sink:
            writer = csv.DictWriter(sink, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
        return file
