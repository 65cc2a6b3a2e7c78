"""The published champion where the registry is to be left alone: no MLflow store, no server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date

from churn_spark.contracts.registry_state import RegistryState
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.stores.champion import load_published, read_published


@dataclass(frozen=True)
class PublishedModels:
    """A registry as far as the lakehouse knows it: the champion, without who waits for it.

    Attributes:
        bundle: of the champion.
        trained: the date that it was trained as of.
    """

    bundle: ModelBundle
    trained: Date

    def state(self) -> RegistryState:
        """Who is champion, and since when."""
        return RegistryState(self.bundle.version, trained=self.trained)

    def knows(self, version: str | None) -> bool:
        """Whether it can be asked for a version."""
        return version == self.bundle.version

    def trained_as_of(self, _: str) -> Date:
        """The date that the champion was trained as of."""
        return self.trained

    def load(self, _: str) -> ModelBundle:
        """The champion."""
        return self.bundle


def read_published_models(lakehouse: Lakehouse) -> PublishedModels | None:
    """The champion of the lakehouse; none where none is published whole, or it has no date."""
    published = read_published(lakehouse)
    as_of = published.trained_on.get("as_of") if published else None
    if published is None or as_of is None:
        return None
    bundle = load_published(lakehouse, published)
    return PublishedModels(bundle, Date.fromisoformat(as_of)) if bundle else None
