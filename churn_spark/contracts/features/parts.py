"""The parts that the behaviour model's log-odds are taken apart into, as people name them.

A part is how often a user comes, what the subscription is, or how often some pages were visited:
each against what is typical. Their features are counts over the days in which the user was
watched, so their names have these: `visits_of_adverts_42d`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from churn_spark.contracts.features.feature import Feature
from churn_spark.contracts.features.spec import named
from churn_spark.contracts.pages import COUNTED_PAGES, VISIT_END, Page


@dataclass(frozen=True)
class Part:
    """What is counted of a user.

    Attributes:
        name: of the part, and of the topic of features that say the same.
        what: is counted: `visits to Downgrade`.
        phrase: how a reason names it: `visited Downgrade {value} times`.
        pages: that are counted; none: the visits themselves.
        helps: whether fewer or more of it is something that can be aimed at: fewer adverts, an
            answer to what leads to Downgrade, more songs to like; empty: neither. That who comes
            less often is at less risk is no help to anybody.
    """

    name: str
    what: str
    phrase: str
    pages: tuple[str, ...] = ()
    helps: Literal["", "fewer", "more"] = ""

    @property
    def stem(self) -> str:
        """What the names of its features begin with."""
        return f"visits_of_{self.name}" if self.pages else self.name

    @property
    def counted_against(self) -> str:
        """What the typical count is typical of."""
        return "as long a way through the pages" if self.pages else "as many days"

    def feature(self, days: int) -> Feature:
        """The count over so many days."""
        return Feature(
            name=f"{self.stem}_{days}d",
            data_type="double",
            meaning=f"{self.what} in the {days} days observed",
            unit="visits",
            phrase=f"{self.phrase} in {days} days (expected: {{typical}})",
        )


VISITS: Final = Part("visits", "visits", "visited {value} times")
ENDINGS: Final = Part(
    "endings", "visits that ended", "stayed for {value} pages a visit", (VISIT_END,)
)
"""Counted are the ends; how many pages a visit has follows from them."""
LEVEL, LEVEL_FEATURE = "subscription", "last_subscription_level"
"""Name of the part that is no count, and the feature that it is due to."""

_NAMED: Final = (
    Part(
        "downgrade",
        "visits to Downgrade",
        "visited Downgrade {value} times",
        (Page.DOWNGRADE, Page.SUBMIT_DOWNGRADE),
        helps="fewer",
    ),
    Part(
        "settings",
        "visits to Settings",
        "visited Settings {value} times",
        (Page.SETTINGS, Page.SAVE_SETTINGS),
        helps="fewer",
    ),
    Part("adverts", "adverts", "saw {value} adverts", (Page.ROLL_ADVERT,), helps="fewer"),
    Part(
        "thumbs_down",
        "thumbs down",
        "gave {value} thumbs down",
        (Page.THUMBS_DOWN,),
        helps="fewer",
    ),
    Part(
        "liking",
        "thumbs up, songs put on playlists and friends added",
        "gave thumbs up and added songs and friends {value} times",
        (Page.THUMBS_UP, Page.ADD_TO_PLAYLIST, Page.ADD_FRIEND),
        helps="more",
    ),
    Part(
        "help",
        "visits to Help, About and Error",
        "visited Help, About and Error {value} times",
        (Page.HELP, Page.ABOUT, Page.ERROR),
        helps="fewer",
    ),
    Part(
        "upgrade",
        "visits to Upgrade",
        "visited Upgrade {value} times",
        (Page.UPGRADE, Page.SUBMIT_UPGRADE),
    ),
)
_OTHER_PAGES: Final = tuple(
    page for page in COUNTED_PAGES if not any(page in part.pages for part in _NAMED)
)
PAGE_PARTS: Final = (
    *_NAMED,
    Part(
        "browsing",
        "songs, visits to Home, logouts and all other pages",
        "played songs, visited Home and logged out {value} times",
        (*_OTHER_PAGES, "Other"),
    ),
    ENDINGS,
)
"""Every page that is not about cancelling is in one of them."""

COUNTED_PARTS: Final = (*PAGE_PARTS, VISITS)
PARTS: Final = (*(part.name for part in COUNTED_PARTS), LEVEL)
"""Names of all parts."""

_COUNTED: Final = {part.stem: part for part in COUNTED_PARTS}
_WINDOWED: Final = re.compile(r"(\w+?)_(\d+)d")


def find_feature(name: str) -> Feature | None:
    """The declaration of a feature or of a part's count; none where there is no such name."""
    if declared := named([name]):
        return declared[0]
    windowed = _WINDOWED.fullmatch(name)
    part = _COUNTED.get(windowed[1]) if windowed else None
    return part.feature(int(windowed[2])) if windowed and part else None
