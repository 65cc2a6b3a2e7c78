"""Where a date lies that events are dated, by the names of the table `log_dates`."""

from __future__ import annotations

from typing import Final

IN_LOG: Final = "in the log"
"""From the first to the last usual day: what the log covers."""
AT_EDGE: Final = "at its edge"
"""Before the first usual day or after the last one: a day that has only begun, a clock that is
days ahead. Its events count for their user when their day has come, and for nobody else."""
OUT_OF_PLACE: Final = "out of place"
"""Far from all usual days, and with few events: of clocks that are wrong. They are set aside."""
