"""A publication that is killed anywhere leaves the old champion or the new one to be read."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from champion_builders import LocalFiles, published_version
from serving_builders import make_bundle

from churn_spark.contracts.champion import POINTER
from churn_spark.errors import NoChampionError
from churn_spark.serving.published import PublishedChampion
from churn_spark.stores.champion import publish_champion

OLDEST, OLD, NEW = (replace(make_bundle(seed, 5), version=str(seed)) for seed in (1, 2, 3))
ABOUT = {"as_of": "2018-11-30"}


class KilledError(Exception):
    """What a process that is killed at this moment does no more."""


@dataclass(frozen=True)
class MortalFiles(LocalFiles):
    """Files that a process writes to until it is killed, in the middle of a write."""

    writes_left: list[None] = field(default_factory=list)

    def write(self, path: str, content: bytes) -> None:
        if not self.writes_left:
            super().write(path, content[: len(content) // 2])
            raise KilledError
        self.writes_left.pop()
        super().write(path, content)

    def delete(self, path: str) -> None:
        if not self.writes_left:
            raise KilledError
        self.writes_left.pop()
        super().delete(path)


def lakehouse_of(files: LocalFiles) -> Any:
    return SimpleNamespace(files=files)


def version_read(folder: Path) -> str:
    source = PublishedChampion(str(folder))
    bundle = source.load(source.newest())
    assert (
        bundle.native_text == {b.version: b for b in (OLDEST, OLD, NEW)}[bundle.version].native_text
    )
    return bundle.version


def snapshot(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_publication_killed_anywhere_leaves_a_whole_champion(tmp_path: Path) -> None:
    seen = []
    for n_writes in range(20):
        folder = tmp_path / str(n_writes)
        folder.mkdir()
        whole = lakehouse_of(LocalFiles(folder))
        for bundle in (OLDEST, OLD):
            publish_champion(whole, bundle, ABOUT)
        mortal = MortalFiles(folder, [None] * n_writes)
        try:
            publish_champion(lakehouse_of(mortal), NEW, ABOUT)
            was_killed = False
        except KilledError:
            was_killed = True
        seen.append((version_read(folder), was_killed))
        assert published_version(whole) == seen[-1][0]
        publish_champion(whole, NEW, ABOUT)
        assert version_read(folder) == "3"
    n_killed = sum(was_killed for _, was_killed in seen)
    assert seen == sorted(seen, key=lambda one: (one[0], not one[1]))
    assert n_killed == 7  # five files, the pointer, and the folder of the oldest
    assert {version for version, _ in seen} == {"2", "3"}


def test_first_publication_killed_before_its_pointer_is_none(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        publish_champion(lakehouse_of(MortalFiles(tmp_path, [None] * 5)), NEW, ABOUT)
    with pytest.raises(NoChampionError):
        PublishedChampion(str(tmp_path)).newest()
    assert published_version(lakehouse_of(LocalFiles(tmp_path))) is None


def test_same_champion_is_not_written_again_and_another_content_is(tmp_path: Path) -> None:
    lakehouse = lakehouse_of(LocalFiles(tmp_path))
    publish_champion(lakehouse, NEW, ABOUT)
    before = snapshot(tmp_path)
    publish_champion(lakehouse, NEW, ABOUT)
    assert snapshot(tmp_path) == before
    publish_champion(lakehouse, replace(OLD, version="3"), ABOUT)
    source = PublishedChampion(str(tmp_path))
    assert source.load(source.newest()).native_text == OLD.native_text


def test_folder_of_the_one_before_stays_and_older_ones_go(tmp_path: Path) -> None:
    lakehouse = lakehouse_of(LocalFiles(tmp_path))
    source = PublishedChampion(str(tmp_path))
    for bundle in (OLDEST, OLD, NEW):
        before = source.newest() if published_version(lakehouse) else None
        publish_champion(lakehouse, bundle, ABOUT)
    assert before is not None
    assert source.load(before).version == "2"
    names = sorted(path.name.partition("-")[0] for path in (tmp_path / "champion").iterdir())
    assert names == ["2", "3", "current.json"]


def test_pointer_that_is_broken_is_replaced(tmp_path: Path) -> None:
    lakehouse = lakehouse_of(LocalFiles(tmp_path))
    publish_champion(lakehouse, OLD, ABOUT)
    (tmp_path / POINTER).write_text("{")
    assert published_version(lakehouse) is None
    publish_champion(lakehouse, OLD, ABOUT)
    assert version_read(tmp_path) == "2"
