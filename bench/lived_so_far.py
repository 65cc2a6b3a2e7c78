"""Which nights of a long bench are behind it, and what those that were measured took."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Final, Self

from bench.measured_night import MeasuredNight

_FILE: Final = "lived.json"


@dataclass(frozen=True)
class LivedSoFar:
    """What is noted after each night, so that the bench can be broken off.

    Attributes:
        n_nights: that are done; the number of the next one.
        measured: number of a night -> its steps.
    """

    n_nights: int = 0
    measured: Mapping[int, MeasuredNight] = field(default_factory=dict)

    @classmethod
    def read(cls, work: Path) -> Self:
        """What was noted in the folder of the bench; nothing before the first night."""
        path = work / _FILE
        if not path.exists():
            return cls()
        noted = json.loads(path.read_text(encoding="utf-8"))
        nights = noted["measured"].items()
        measured = {int(n): MeasuredNight.from_json(json.dumps(one)) for n, one in nights}
        return cls(noted["n_nights"], measured)

    def and_one(self, night: MeasuredNight | None = None) -> LivedSoFar:
        """The same after one more night, which was measured or not."""
        measured = {**self.measured, self.n_nights: night} if night else self.measured
        return replace(self, n_nights=self.n_nights + 1, measured=measured)

    def write(self, work: Path) -> None:
        """Note it; killed meanwhile, what was noted before is still there."""
        part = work / f".{_FILE}"
        part.write_text(json.dumps(asdict(self)), encoding="utf-8")
        part.replace(work / _FILE)
