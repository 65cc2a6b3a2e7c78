"""Section of what keeps the lakehouse from growing by mere age."""

from __future__ import annotations

from pydantic import Field

from churn_spark.config.section import CENTURY, Section


class MaintenanceConfig(Section):
    """When the tables are maintained, and what of the past is kept."""

    every_days: int = Field(ge=0)
    min_small_files: int = Field(ge=2)
    small_file_bytes: int = Field(ge=1 << 20)
    keep_days: int = Field(ge=7)
    keep_named_days: int = Field(ge=0, le=CENTURY)
    keep_rows_days: int = Field(ge=365, le=CENTURY)
    keep_models_days: int = Field(ge=30, le=CENTURY)
