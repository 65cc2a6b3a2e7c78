"""What a record is and what makes it an event: names, limits and reasons, wherever it is read.

The ingest reads blocks of lines, the service one user's records; both go by these.
"""

from __future__ import annotations

import math
from typing import Final

HASHED_NUMBERS: Final = (*("ts", "sessionId", "itemInSession", "status", "registration", "length"),)
"""Numbers that tell events apart. Tables hold the hashes: they stay these."""
NUMBERS: Final = (*HASHED_NUMBERS, "subscribedUntil")
TEXTS: Final = (
    "userId",
    "page",
    "auth",
    "method",
    "level",
    "location",
    "userAgent",
    "lastName",
    "firstName",
    "gender",
    "artist",
    "song",
)
STRICT_TEXTS: Final = ("page", "userId", "level", "auth", "gender", "location", "userAgent")
"""Texts in whose place a nested value or a boolean makes a record one of a wrong type."""

NO_NUMBER, NO_TEXT = math.nan, 0
"""What a null is hashed as: a number that no record has, and in place of a text's own hash."""
HASH_SEED: Final = 42

WHITE_SPACE: Final = " \t\r\n\f\u000b"
BYTE_ORDER_MARK: Final = "\ufeff"
"""In front of a line it is none of its text: files that begin with one were joined."""
MAX_DIGITS: Final = 1000
"""Of a number; one that is longer, in whatever field, is none."""
MAX_DEPTH: Final = 100
"""Of lists and objects within each other; a field that is nested deeper has a wrong type."""
MAX_SONG_SECONDS: Final = 86_400
MAX_COUNT: Final = 2**53
MAX_END_MILLIS: Final = 253_402_300_799_999
"""The last millisecond of 9999: subscriptions without an end are written so."""
ANONYMOUS_IDS: Final = ("", '""')
"""Ids, without white space around them, that stand for nobody; the configuration adds others."""

BROKEN_JSON: Final = "broken JSON"
BROKEN_ROW: Final = "broken row"
"""Of a file of cells: another number of them than of columns, or a quote without an end."""
INVALID_UTF8: Final = "invalid UTF-8"
LINE_TOO_LONG: Final = "line too long"
WRONG_TYPE: Final = "wrong type"
MISSING_TS: Final = "missing ts"
MISSING_PAGE: Final = "missing page"
MISSING_SESSION: Final = "missing sessionId"
TS_IN_SECONDS: Final = "ts in seconds"
TS_OUT_OF_RANGE: Final = "ts out of range"
NUMBER_OUT_OF_RANGE: Final = "number out of range"
MISSPELT_KEY: Final = "misspelt key"

NEEDED: Final = ("ts", "page", "userId", "sessionId")
"""Fields without which a record is no event of a known user."""

REASONS: Final = (
    LINE_TOO_LONG,
    INVALID_UTF8,
    BROKEN_JSON,
    BROKEN_ROW,
    WRONG_TYPE,
    MISSING_TS,
    MISSING_PAGE,
    TS_IN_SECONDS,
    TS_OUT_OF_RANGE,
    NUMBER_OUT_OF_RANGE,
    MISSING_SESSION,
    MISSPELT_KEY,
)
"""Why a line may be quarantined, in the order in which the rules are tried.

The last takes the place of a missing field, or of nobody's `userId`, where the record has a value
under another spelling of it.
"""

OS_RULES: Final = (
    ("iPad", "iOS"),
    ("iPhone", "iOS"),
    ("iPod", "iOS"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
)
"""Part of a user agent -> operating system; the first that fits decides."""

BROWSER_RULES: Final = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Opera", "Opera"),
    ("MSIE", "Internet Explorer"),
    ("Trident", "Internet Explorer"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("Safari", "Safari"),
    ("AppleWebKit", "Safari"),
)
"""The same for the browser: Chrome also says Safari, Edge also says Chrome."""

OTHER: Final = "other"
"""Operating system or browser of a user agent that no rule fits."""
