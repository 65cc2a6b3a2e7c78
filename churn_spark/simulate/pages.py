"""The pages of the service and the states of a listener: who they are to the site, and where.

A state is a context (auth and level) and a page, packed into one small integer, so that all
listeners can be stepped with array operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from churn_spark.contracts.pages import LEVEL_AFTER, Page

PUT_PAGES: Final = (Page.NEXT_SONG, Page.ADD_TO_PLAYLIST)
REDIRECT_PAGES: Final = (
    Page.THUMBS_UP,
    Page.THUMBS_DOWN,
    Page.ADD_FRIEND,
    Page.LOGIN,
    Page.LOGOUT,
    Page.SUBMIT_UPGRADE,
    Page.SUBMIT_DOWNGRADE,
    Page.SUBMIT_REGISTRATION,
    Page.SAVE_SETTINGS,
    Page.CANCEL,
)
VIEW_PAGES: Final = (
    Page.HOME,
    Page.ROLL_ADVERT,
    Page.DOWNGRADE,
    Page.UPGRADE,
    Page.HELP,
    Page.SETTINGS,
    Page.ABOUT,
    Page.REGISTER,
    Page.CANCELLATION_CONFIRMATION,
    Page.ERROR,
)
PAGES: Final = PUT_PAGES + REDIRECT_PAGES + VIEW_PAGES

CONTEXTS: Final = (
    ("Logged In", "free"),
    ("Logged In", "paid"),
    ("Logged Out", "free"),
    ("Logged Out", "paid"),
    ("Guest", "free"),
    ("Cancelled", "free"),
    ("Cancelled", "paid"),
)
N_STATES: Final = len(CONTEXTS) * len(PAGES)

# Visiting one of these pages changes auth from the next event on.
_AUTH_AFTER: Final[Mapping[str, str]] = {
    Page.LOGOUT: "Logged Out",
    Page.LOGIN: "Logged In",
    Page.SUBMIT_REGISTRATION: "Logged In",
    Page.CANCEL: "Cancelled",
}


def method_and_status(page: str) -> tuple[str, int]:
    """Give the HTTP method and status that the log shows for a page.

    Raises:
        KeyError: if the service has no such page.
    """
    if page in REDIRECT_PAGES:
        return "PUT", 307
    if page in PUT_PAGES:
        return "PUT", 200
    if page == Page.ERROR:
        return "GET", 404
    if page in VIEW_PAGES:
        return "GET", 200
    raise KeyError(page)


def state_of(auth: str, level: str, page: str) -> int:
    """Pack auth, level and page into a state number.

    Raises:
        ValueError: if there is no such context or page.
    """
    return CONTEXTS.index((auth, level)) * len(PAGES) + PAGES.index(page)


def unpack_state(state: int) -> tuple[str, str, str]:
    """Give auth, level and page of a state number.

    Raises:
        IndexError: if the number isn't below `N_STATES`.
    """
    context, page = divmod(state, len(PAGES))
    return *CONTEXTS[context], PAGES[page]


def context_after(auth: str, level: str, page: str) -> tuple[str, str]:
    """Give auth and level of the event that follows a visit of `page`."""
    return _AUTH_AFTER.get(page, auth), LEVEL_AFTER.get(page, level)
