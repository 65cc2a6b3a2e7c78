"""The champion as the model registry knows it, and who waits to be judged against it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class RegistryState:
    """What the model registry says of its champion.

    Attributes:
        champion: its version; none before the first training.
        step: note of the decision that made it champion; empty where it was the first training.
        trained: the date that it was trained as of; none where there is no champion, or where its
            run, made by something else than this project, doesn't say.
        challenger: version that waits for the next night to judge it; none where none does.
    """

    champion: str | None = None
    step: str = ""
    trained: date | None = None
    challenger: str | None = None
