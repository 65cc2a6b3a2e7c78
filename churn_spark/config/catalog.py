"""Section of the names under which other programs find the tables."""

from __future__ import annotations

from pydantic import Field

from churn_spark.config.section import Section


class CatalogConfig(Section):
    """Where `register_tables` puts the tables."""

    database: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
