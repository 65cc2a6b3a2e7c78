"""The champion as files in the lakehouse: what the service answers with, whatever MLflow is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from churn_spark.contracts.champion import (
    CHECK_ROWS,
    FOLDER,
    POINTER,
    Published,
    describe_champion,
    digest,
)
from churn_spark.lakehouse.files import Files
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle, bundle_files, bundle_of


def publish_champion(
    lakehouse: Lakehouse, bundle: ModelBundle, trained_on: Mapping[str, str]
) -> None:
    """Make the bundle the published champion; nothing happens if it is that already.

    The files come first and the pointer last, in one operation: killed anywhere, this leaves the
    old champion or the new one. The folder of the one before stays, for whoever is reading it.

    Args:
        lakehouse: where it is published.
        bundle: with its version and metrics.
        trained_on: what the version's training says of itself.
    """
    small = replace(bundle, baseline=bundle.baseline.head(CHECK_ROWS))
    contents = bundle_files(small, bundle.metrics)
    new = describe_champion(bundle.version, bundle.encoding.fingerprint, contents, trained_on)
    files, old = lakehouse.files, read_published(lakehouse)
    if old == new:
        return
    for name, content in contents.items():
        files.write(new.path(name), content)
    files.exchange(POINTER, new.to_json().encode())
    kept = {new.folder, POINTER.removeprefix(f"{FOLDER}/")} | ({old.folder} if old else set())
    _delete_others(files, kept)


def read_published(lakehouse: Lakehouse) -> Published | None:
    """The pointer; none where there is none, or one that can't be read and is to be replaced."""
    content = lakehouse.files.read(POINTER)
    try:
        return None if content is None else Published.from_json(content)
    except ValueError:
        return None


def load_published(lakehouse: Lakehouse, published: Published) -> ModelBundle | None:
    """The bundle of what is published; none where a file is missing or isn't the published one."""
    contents = {}
    for name, expected in published.files.items():
        content = lakehouse.files.read(published.path(name))
        if content is None or digest(content) != expected:
            return None
        contents[name] = content
    return bundle_of(contents, published.version)


def _delete_others(files: Files, kept: set[str]) -> None:
    for name in files.names(FOLDER):
        if name not in kept:
            files.delete(f"{FOLDER}/{name}")
