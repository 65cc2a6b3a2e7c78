"""A champion published without Spark, as a promotion publishes it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from serving_builders import AS_OF

from churn_spark.config import Config
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.stores.champion import publish_champion, read_published


@dataclass(frozen=True)
class LocalFiles:
    """Stands for `lakehouse.files` without a JVM."""

    root: Path

    def read(self, path: str) -> bytes | None:
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def write(self, path: str, content: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(content)

    def exchange(self, path: str, content: bytes) -> None:
        self.write(f"{path}.part", content)
        (self.root / f"{path}.part").replace(self.root / path)

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self.root / folder).iterdir())

    def delete(self, path: str) -> None:
        shutil.rmtree(self.root / path)


def publish(config: Config, bundle: ModelBundle, version: str) -> ModelBundle:
    """Publish the bundle as this version, as a promotion does; returns it as it is published."""
    metrics = {"roc_auc": 0.71, "f1": float("nan")}
    bundle = replace(bundle, version=version, metrics=metrics)
    lakehouse: Any = SimpleNamespace(files=LocalFiles(Path(config.lakehouse)))
    publish_champion(lakehouse, bundle, {"as_of": str(AS_OF)})
    return bundle


def published_version(lakehouse: Lakehouse) -> str | None:
    """Version of the published champion; none where nothing is published."""
    published = read_published(lakehouse)
    return published.version if published else None
