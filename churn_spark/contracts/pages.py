"""The pages of the service and what the log says beside them: status of the visitor, level."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Page(StrEnum):
    """One page; equal to its name in the log."""

    NEXT_SONG = "NextSong"
    THUMBS_UP = "Thumbs Up"
    THUMBS_DOWN = "Thumbs Down"
    ADD_FRIEND = "Add Friend"
    ADD_TO_PLAYLIST = "Add to Playlist"
    ROLL_ADVERT = "Roll Advert"
    HOME = "Home"
    SETTINGS = "Settings"
    SAVE_SETTINGS = "Save Settings"
    HELP = "Help"
    ABOUT = "About"
    ERROR = "Error"
    UPGRADE = "Upgrade"
    SUBMIT_UPGRADE = "Submit Upgrade"
    DOWNGRADE = "Downgrade"
    SUBMIT_DOWNGRADE = "Submit Downgrade"
    LOGIN = "Login"
    LOGOUT = "Logout"
    REGISTER = "Register"
    SUBMIT_REGISTRATION = "Submit Registration"
    CANCEL = "Cancel"
    CANCELLATION_CONFIRMATION = "Cancellation Confirmation"


COUNTED_PAGES: Final = (
    Page.NEXT_SONG,
    Page.THUMBS_UP,
    Page.THUMBS_DOWN,
    Page.ADD_FRIEND,
    Page.ADD_TO_PLAYLIST,
    Page.ROLL_ADVERT,
    Page.HOME,
    Page.SETTINGS,
    Page.SAVE_SETTINGS,
    Page.HELP,
    Page.ABOUT,
    Page.ERROR,
    Page.UPGRADE,
    Page.SUBMIT_UPGRADE,
    Page.DOWNGRADE,
    Page.SUBMIT_DOWNGRADE,
    Page.LOGOUT,
)
"""Pages that logged-in users visit without cancelling, in the order of the tables' columns."""

_OWN_ROLES: Final[Mapping[Page, str]] = {
    Page.NEXT_SONG: "song",
    Page.ROLL_ADVERT: "advert",
    Page.CANCEL: "cancel_page",
    Page.CANCELLATION_CONFIRMATION: "cancel",
}
ROLES: Final[Mapping[str, Page]] = {_OWN_ROLES.get(page, page.name.lower()): page for page in Page}
"""What a page is for -> its name here; a mapping of another log names its pages by these.

`cancel` is the cancel that is predicted, `cancel_page` the page on which it is asked for.
"""

HAZARD_PAGES: Final = (Page.DOWNGRADE, Page.SETTINGS, Page.ROLL_ADVERT, Page.THUMBS_DOWN)
"""Pages that precede cancellations."""

LOGGED_IN: Final = "Logged In"
"""`auth` of the events that count as something that the user did."""

FREE, PAID = "free", "paid"
LEVELS: Final = (FREE, PAID)

LEVEL_AFTER: Final[Mapping[str, str]] = {Page.SUBMIT_UPGRADE: PAID, Page.SUBMIT_DOWNGRADE: FREE}
"""Page whose visit changes the level from the next event on -> the new level."""

VISIT_AUTHS: Final = (LOGGED_IN, "Cancelled")
"""`auth` of the events that belong to a user's visit; a confirmation always does."""

SILENCE_MILLIS: Final = 3_600_000
"""A visit ends when its session has no event for this long."""

VISIT_START, VISIT_END = "START", "END"
"""What stands for a page before the first one of a visit, and after the last."""
