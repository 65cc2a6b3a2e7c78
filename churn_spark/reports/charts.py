"""The charts of the pages by the names that the gallery gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from churn_spark.reports.page import Gallery, Page, Picture, Section

Places = Mapping[str, tuple[str, int]]

OF_EVALUATION: Final[Places] = {
    "ladder": ("ladder", 0),
    "gains": ("ranking", 0),
    "roc": ("ranking", 1),
    "calibration": ("calibration", 0),
    "segments": ("segments", 0),
    "example": ("mistakes", 2),
    "costs": ("costs", 0),
    "importance": ("importance", 0),
}
OF_NIGHT: Final[Places] = {
    "distribution": ("shapes", 0),
    "drift": ("history", 0),
    "performance": ("performance", 0),
    "happened": ("timeline", 0),
}
"""Name of a chart -> the section of the page, and which of the section's charts it is."""


def find_charts(page: Page, places: Places) -> dict[str, Picture]:
    """The charts that a page has, by name; where a section has too few, its first for any."""
    by_section = {section.anchor: _pictures_of(section) for section in page.sections}
    found = {}
    for name, (anchor, number) in places.items():
        if pictures := by_section.get(anchor):
            found[name] = pictures[number if number < len(pictures) else 0]
    return found


def _pictures_of(section: Section) -> list[Picture]:
    pictures: list[Picture] = []
    for block in section.blocks:
        if isinstance(block, Picture):
            pictures.append(block)
        elif isinstance(block, Gallery):
            pictures += block.pictures
    return pictures
