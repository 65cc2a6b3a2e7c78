"""The registry's champion -> files in the lakehouse, which the service reads."""

from __future__ import annotations

from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.stores.champion import publish_champion


def publish(lakehouse: Lakehouse, registry: ModelRegistry) -> None:
    """Publish the registry's champion; nothing happens without one, or if it is published."""
    version = registry.champion_version()
    if version is not None:
        publish_champion(lakehouse, registry.load(version), registry.trained_on(version))
