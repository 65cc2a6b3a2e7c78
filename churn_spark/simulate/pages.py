"""The pages of the service and the states of a listener: who they are to the site, and where.

A state is a context (auth and level) and a page, packed into one small integer, so that all
listeners can be stepped with array operations.
"""

from __future__ import annotations

from typing import Final

PUT_PAGES: Final = ("NextSong", "Add to Playlist")
REDIRECT_PAGES: Final = (
    "Thumbs Up",
    "Thumbs Down",
    "Add Friend",
    "Login",
    "Logout",
    "Submit Upgrade",
    "Submit Downgrade",
    "Submit Registration",
    "Save Settings",
    "Cancel",
)
VIEW_PAGES: Final = (
    "Home",
    "Roll Advert",
    "Downgrade",
    "Upgrade",
    "Help",
    "Settings",
    "About",
    "Register",
    "Cancellation Confirmation",
    "Error",
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

# Visiting one of these pages changes auth or level from the next event on.
_AUTH_AFTER: Final = {
    "Logout": "Logged Out",
    "Login": "Logged In",
    "Submit Registration": "Logged In",
    "Cancel": "Cancelled",
}
_LEVEL_AFTER: Final = {"Submit Upgrade": "paid", "Submit Downgrade": "free"}


def method_and_status(page: str) -> tuple[str, int]:
    """Give the HTTP method and status that the log shows for a page.

    Raises:
        KeyError: if the service has no such page.
    """
    if page in REDIRECT_PAGES:
        return "PUT", 307
    if page in PUT_PAGES:
        return "PUT", 200
    if page == "Error":
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
    return _AUTH_AFTER.get(page, auth), _LEVEL_AFTER.get(page, level)
