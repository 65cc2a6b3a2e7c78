"""A page as HTML text: style and pictures inside, no script, nothing loaded."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from churn_spark.churn_words import page_in_words
from churn_spark.reports.canvas import as_address
from churn_spark.reports.page import Page


def draw_page(page: Page) -> str:
    """A page as HTML text."""
    environment = Environment(
        loader=PackageLoader("churn_spark", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_keep_units,
    )
    environment.filters["as_address"] = as_address
    return page_in_words(environment.get_template("page.html.j2").render(page=page))


def _keep_units(value: object) -> object:
    """Texts whose lines never break between a number and its per cent sign."""
    return value.replace(" %", "\u202f%") if isinstance(value, str) else value
