"""Nights on logs that aren't ours, by their mapping alone; and the mappings that the docs show."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from markdown_blocks import blocks
from pyspark.sql import SparkSession

from bench import flow
from bench.killed_night import LIGHT
from churn_spark.config import load_config
from churn_spark.contracts.tables import RETENTION_LISTS
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.context import JobContext

WHOLE = ("as_of", "user_id", "churn_probability", "list_rank", "value_at_risk", "reasons")


def live(
    spark: SparkSession,
    folder: Path,
    logs: Path | str,
    night: date,
    mapping: Mapping[str, Any] | None,
    *overrides: str,
) -> Lakehouse:
    """A first night on the logs; gives its lakehouse."""
    settings = [*LIGHT, *overrides, f"lakehouse={folder}"]
    if mapping is not None:
        file = folder.with_suffix(".yaml")
        file.write_text(yaml.safe_dump(dict(mapping)), encoding="utf-8")
        settings.append(f"ingest.mapping={file}")
    config = load_config(overrides=settings)
    lakehouse = Lakehouse(spark, config.lakehouse)
    flow.nightly(JobContext(config, lakehouse), night, str(logs))
    return lakehouse


def listed(lakehouse: Lakehouse, columns: tuple[str, ...] = WHOLE) -> list[tuple[Any, ...]]:
    """The list."""
    found = lakehouse.read(RETENTION_LISTS).select(*columns).collect()
    return sorted((tuple(row) for row in found), key=repr)


def shown_mapping(text: str) -> dict[str, Any]:
    """The one mapping of the docs that has some text in it."""
    [block] = [one for one in blocks() if one.language == "yaml" and text in one.text]
    shown: dict[str, Any] = yaml.safe_load(block.text)
    return shown
