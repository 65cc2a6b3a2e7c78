"""The champion that the pipeline has published, read as the files that it is: no MLflow, no JVM."""

from __future__ import annotations

from typing import Protocol

from deltalake.exceptions import TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from pyarrow.fs import PyFileSystem

from churn_spark.contracts.champion import POINTER, Published, digest
from churn_spark.errors import ChampionError, NoChampionError
from churn_spark.models.bundle import ModelBundle, bundle_of


class ChampionSource(Protocol):
    """Where the watch gets the champion from."""

    def newest(self) -> Published:
        """Which model is champion."""

    def load(self, published: Published) -> ModelBundle:
        """Its bundle."""


class PublishedChampion:
    """The champion in a lakehouse, on any storage that its tables are read from."""

    def __init__(self, lakehouse: str) -> None:
        """Nothing is read yet."""
        self._lakehouse = lakehouse
        self._files: PyFileSystem | None = None

    def newest(self) -> Published:
        """What is published now.

        Raises:
            NoChampionError: if nothing is.
            ChampionError: if the pointer can't be read.
        """
        try:
            return self._read_pointer()
        except ValueError:
            # Between the questions how long it is and what it holds it may have been exchanged.
            pass
        try:
            return self._read_pointer()
        except ValueError as error:
            raise ChampionError(
                f"found no pointer to a champion in {self._lakehouse}/{POINTER} ({error}), "
                "expected one: `nightly` writes it anew"
            ) from None

    def load(self, published: Published) -> ModelBundle:
        """The bundle of what is published.

        Raises:
            ChampionError: if a file is missing or isn't the one that was published.
        """
        contents = {name: self._read_file(published, name) for name in published.files}
        return bundle_of(contents, published.version)

    def _read_pointer(self) -> Published:
        try:
            return Published.from_json(self._read(POINTER))
        except (FileNotFoundError, TableNotFoundError):
            raise NoChampionError(
                f"no champion is published in {self._lakehouse}, expected {POINTER} there: run "
                "`nightly` or `train_model`, or set LAKEHOUSE"
            ) from None

    def _read_file(self, published: Published, name: str) -> bytes:
        path = published.path(name)
        try:
            content = self._read(path)
        except FileNotFoundError:
            raise ChampionError(
                f"found no file {path} in {self._lakehouse}, expected all that was published of "
                f"version {published.version}: `nightly` publishes it anew"
            ) from None
        if digest(content) != published.files[name]:
            raise ChampionError(
                f"found another content in {path} than was published of version "
                f"{published.version}, expected the same: copy the lakehouse anew, or delete its "
                "folder `champion` and run `nightly`"
            )
        return content

    def _read(self, path: str) -> bytes:
        # What reads the tables' files reads these: the same storages, by the same settings.
        self._files = self._files or PyFileSystem(DeltaStorageHandler(self._lakehouse))
        with self._files.open_input_file(path) as file:
            return bytes(file.read())
