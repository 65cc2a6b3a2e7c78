"""Files through Hadoop's file system, and the champion that is published with them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from champion_builders import published_version
from pyspark.sql import SparkSession
from serving_builders import AS_OF, make_bundle

from churn_spark.lakehouse.files import Files
from churn_spark.pipeline.context import JobContext
from churn_spark.serving.published import PublishedChampion
from churn_spark.stores.champion import publish_champion


def test_file_is_written_read_exchanged_listed_and_deleted(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = Files(spark, str(tmp_path))
    assert files.read("a/b.json") is None
    assert files.names("a") == []
    every_byte = bytes(range(256)) + b"\r\n\\n"
    files.write("a/b.json", every_byte)
    assert files.read("a/b.json") == every_byte
    for content in (b"two", b"three"):
        files.exchange("a/b.json", content)
        assert (tmp_path / "a" / "b.json").read_bytes() == content
    files.exchange("a/c.json", b"first of its name")
    assert files.names("a") == ["b.json", "c.json"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["b.json", "c.json"]
    files.delete("a")
    files.delete("a")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("mark", ["", "./"])
def test_files_of_a_relative_folder_are_named_by_their_path_in_it(
    mark: str, spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "lake" / "a").mkdir(parents=True)
    (tmp_path / "lake" / "a" / "b").write_text("1")
    (tmp_path / "lake" / "c").write_text("2")
    files = Files(spark, mark + os.path.relpath(tmp_path / "lake"))
    assert sorted(files.walk()) == ["a/b", "c"]
    assert [*files.walk("a")] == ["a/b"]
    files.delete("a/b")
    assert [*files.walk()] == ["c"]


def test_page_is_the_old_one_whole_when_its_writer_is_killed(
    context: JobContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Path(context.lakehouse.write_report("the old page", "night.html"))
    write = Files.write

    def write_half(files: Files, path: str, content: bytes) -> None:
        write(files, path, content[: len(content) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Files, "write", write_half)
    with pytest.raises(KeyboardInterrupt):
        context.lakehouse.write_report("the new page", "night.html")
    assert page.read_text() == "the old page"
    assert [path.name for path in page.parent.iterdir()] == ["night.html"]


def test_service_reads_what_a_job_publishes(context: JobContext) -> None:
    lakehouse = context.lakehouse
    assert published_version(lakehouse) is None
    for version in ("1", "2", "3"):
        bundle = replace(make_bundle(seed=int(version), rounds=5), version=version)
        publish_champion(lakehouse, bundle, {"as_of": str(AS_OF)})
        assert published_version(lakehouse) == version
        source = PublishedChampion(lakehouse.root)
        published = source.newest()
        assert published.trained_on == {"as_of": str(AS_OF)}
        assert source.load(published).native_text == bundle.native_text
    assert len(lakehouse.files.names("champion")) == 3


def test_file_is_made_once_whole(spark: SparkSession, tmp_path: Path) -> None:
    files = Files(spark, str(tmp_path))
    assert files.create("a/b.json", b"first")
    assert not files.create("a/b.json", b"second")
    assert files.read("a/b.json") == b"first"
    assert files.names("a") == ["b.json"]
