"""The cells that page transitions are counted in: level, page, next page."""

from __future__ import annotations

from typing import Final

import numpy as np

from churn_spark.contracts import pages

START: Final = pages.VISIT_START
END: Final = pages.VISIT_END
OTHER: Final = "Other"
CANCEL: Final = pages.Page.CANCEL
CANCELLED: Final = pages.Page.CANCELLATION_CONFIRMATION
LEVELS: Final = pages.LEVELS
PAGES: Final = (*pages.COUNTED_PAGES, CANCEL, OTHER)
SOURCES: Final = (START, *PAGES)
TARGETS: Final = (*PAGES, CANCELLED, END)
N_CELLS: Final = len(LEVELS) * len(SOURCES) * len(TARGETS)
SHAPE: Final = (len(LEVELS), len(SOURCES), len(TARGETS))

_NUMBERS: Final = np.arange(N_CELLS).reshape(SHAPE)
START_CELLS: Final[list[int]] = _NUMBERS[:, SOURCES.index(START)].ravel().tolist()
"""Where visits begin."""
CANCELLED_CELLS: Final[list[int]] = _NUMBERS[..., TARGETS.index(CANCELLED)].ravel().tolist()
"""What ends a user."""


def cell_of(level: str, page: str, next_page: str) -> int:
    """Give the number of a cell; pages that aren't listed count as `OTHER`.

    Raises:
        ValueError: if there is no such level.
    """
    source = SOURCES.index(page if page in SOURCES else OTHER)
    target = TARGETS.index(next_page if next_page in TARGETS else OTHER)
    return (LEVELS.index(level) * len(SOURCES) + source) * len(TARGETS) + target
