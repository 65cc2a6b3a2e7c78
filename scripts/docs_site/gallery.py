"""The charts of a lakehouse's pages, one of each kind, as the gallery shows them."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Final

from churn_spark.reports.charts import OF_EVALUATION, OF_NIGHT
from scripts.docs_site import DOCS

FOLDER: Final = DOCS / "gallery"
CHARTS: Final = {"evaluation": OF_EVALUATION, "monitoring": OF_NIGHT}
"""Page -> its charts."""
_WHITE: Final = '<rect width="100%" height="100%" fill="white"/>'


def take_charts(lakehouse: Path) -> None:
    """Write the charts of each page that is there; those of others stay as they are.

    Raises:
        ValueError: if there is no page, or one has no chart where one is expected.
    """
    pages = {page: lakehouse / "reports" / f"{page}.html" for page in CHARTS}
    there = {page: path for page, path in pages.items() if path.is_file()}
    if not there:
        raise ValueError(f"found no page in {lakehouse / 'reports'}, expected some: run make demo")
    for page, path in there.items():
        text = path.read_text(encoding="utf-8")
        for name, (section, number) in CHARTS[page].items():
            chart = find_charts(text, section)[number : number + 1]
            if not chart:
                raise ValueError(f"found no chart {number} in {section} of {path}, expected one")
            (FOLDER / f"{name}.svg").write_text(_on_white(chart[0]), encoding="utf-8")


def find_charts(page: str, section: str) -> list[str]:
    """The charts of a section, as SVG."""
    _, _, after = page.partition(f'<section id="{section}"')
    part = after.partition("<section ")[0]
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', part)
    return [base64.b64decode(text).decode("utf-8") for text in found]


def _on_white(svg: str) -> str:
    """The chart on white: on a dark page its black text would be lost."""
    lines = (line.rstrip() for line in svg.splitlines())
    return re.sub(r"(<svg\b[^>]*>)", rf"\1{_WHITE}", "\n".join(lines), count=1) + "\n"
