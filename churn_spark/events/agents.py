"""User agents reduced to operating system and browser.

The strings themselves are long, nearly unique and personal; the two families are all that the
features use. The order of the rules matters: Chrome also says Safari, Edge also says Chrome.
"""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

_OS_RULES = (
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
_BROWSER_RULES = (
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
OTHER = "other"


def os_of(agent: Column) -> Column:
    """Operating system of a user agent: null where there is none, `other` where unknown."""
    return _first_match(agent, _OS_RULES)


def browser_of(agent: Column) -> Column:
    """Browser of a user agent: null where there is none, `other` where unknown."""
    return _first_match(agent, _BROWSER_RULES)


def _first_match(agent: Column, rules: tuple[tuple[str, str], ...]) -> Column:
    family = F.when(F.trim(F.coalesce(agent, F.lit(""))) == "", F.lit(None).cast("string"))
    for mark, name in rules:
        family = family.when(agent.contains(mark), name)
    return family.otherwise(OTHER)
