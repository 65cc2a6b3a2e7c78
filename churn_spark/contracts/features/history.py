"""How much log a feature needs before its distribution can be compared with another night's.

What users do in 28 days can't be known of a log of 14, and who has been away for five weeks isn't
seen in one of four. What looks back on all of a user's days goes on changing with the length of
the log: as measured for docs/adr/0042.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

LOG_DAYS: Final = "log_days"
"""Column of training rows: how long the log had been when the row was made."""

FILLED_DAYS: Final = "filled_days"
"""Column of training rows: how many of these days, the newest, were without a gap."""


@dataclass(frozen=True)
class History:
    """How much log there is before a date.

    Attributes:
        log_days: since its first date.
        filled_days: since its last gap.
    """

    log_days: int
    filled_days: int


NO_HISTORY: Final = History(0, 0)


@dataclass(frozen=True)
class Need:
    """What must be there of the log, tonight and when the training rows were made.

    Attributes:
        days: without a gap, on both sides.
        share: of tonight's log that training rows must have known.
        words: of both, for people.
    """

    days: int
    share: float
    words: str

    def is_filled(
        self, log_days: ArrayLike, filled_days: ArrayLike, tonight: History
    ) -> NDArray[np.bool_]:
        """Which training rows can be compared on a night, shape (rows,)."""
        is_long = np.asarray(log_days) >= self.share * tonight.log_days
        is_full = np.asarray(filled_days) >= self.days
        return is_long & is_full & (tonight.filled_days >= self.days)


_FULL_DAYS: Final = 35

ALWAYS: Final = Need(0, 0.0, "")
"""Of what is never judged."""

FULL_WINDOWS: Final = Need(_FULL_DAYS, 0.0, f"needs a log of {_FULL_DAYS} days without a gap")
"""Of what looks back on four weeks at most: a week more, for users who come rarely."""

LATE_ROWS: Final = Need(
    _FULL_DAYS, 0.75, f"{FULL_WINDOWS.words}, and training rows of its last quarter"
)
"""Of what looks back on more, or on all days."""

_WINDOW_DAYS: Final = 28


def need_of(window: int) -> Need:
    """What is needed by what looks back on a number of days; 0 stands for all of them."""
    return FULL_WINDOWS if 0 < window <= _WINDOW_DAYS else LATE_ROWS
