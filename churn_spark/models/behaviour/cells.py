"""The cells that page transitions are counted in: level, page, next page."""

from __future__ import annotations

from typing import Final

START: Final = "START"
END: Final = "END"
OTHER: Final = "Other"
CANCEL: Final = "Cancel"
CANCELLED: Final = "Cancellation Confirmation"
LEVELS: Final = ("free", "paid")
PAGES: Final = (
    "NextSong",
    "Thumbs Up",
    "Thumbs Down",
    "Add Friend",
    "Add to Playlist",
    "Roll Advert",
    "Home",
    "Settings",
    "Save Settings",
    "Help",
    "About",
    "Error",
    "Upgrade",
    "Submit Upgrade",
    "Downgrade",
    "Submit Downgrade",
    "Logout",
    CANCEL,
    OTHER,
)
SOURCES: Final = (START, *PAGES)
TARGETS: Final = (*PAGES, CANCELLED, END)
N_CELLS: Final = len(LEVELS) * len(SOURCES) * len(TARGETS)
SHAPE: Final = (len(LEVELS), len(SOURCES), len(TARGETS))
# Visiting one of these pages changes the level from the next page on.
LEVEL_AFTER: Final = {"Submit Upgrade": "paid", "Submit Downgrade": "free"}


def cell_of(level: str, page: str, next_page: str) -> int:
    """Give the number of a cell; pages that aren't listed count as `OTHER`.

    Raises:
        ValueError: if there is no such level.
    """
    source = SOURCES.index(page if page in SOURCES else OTHER)
    target = TARGETS.index(next_page if next_page in TARGETS else OTHER)
    return (LEVELS.index(level) * len(SOURCES) + source) * len(TARGETS) + target
