"""Input files are found by the path that Hadoop lists, on local disks and object stores."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyarrow import fs

from churn_spark.lakehouse.native_sources import is_reachable, locate, open_source


def test_local_file_is_read_in_parts_and_in_order(tmp_path: Path) -> None:
    path = tmp_path / "ö [1] %20.json"
    path.write_bytes(b"0123456789")
    with open_source(f"file:{path}") as source:
        assert source.read_at(3, 4) == b"456"
    with open_source(f"file://{path}") as source:
        assert source.read(4) == b"0123"


def test_compressed_file_comes_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(b"\x1f\x8bpacked")
    with open_source(f"file:{path}") as source:
        assert source.read() == b"\x1f\x8bpacked"


@pytest.mark.parametrize("path", ["file:/nothing/there.json", "file:/nothing.json.gz"])
def test_missing_file_is_said_to_be_missing(path: str) -> None:
    with pytest.raises(FileNotFoundError):
        open_source(path)


@pytest.mark.parametrize(
    ("path", "system", "name"),
    [
        ("s3a://logs/2018/a b.json", fs.S3FileSystem, "logs/2018/a b.json"),
        ("s3://logs/a.json.gz", fs.S3FileSystem, "logs/a.json.gz"),
        ("gs://logs/2018/a.json", fs.GcsFileSystem, "logs/2018/a.json"),
    ],
)
def test_object_store_is_known_by_its_scheme(
    path: str, system: type, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9")
    found, key = locate(path)
    assert isinstance(found, system)
    assert key == name


@pytest.mark.parametrize("path", ["hdfs://127.0.0.1:1/a.json", "wasb://c@a.net/a.json", "/a.json"])
def test_other_storage_is_left_to_spark(path: str) -> None:
    assert not is_reachable(path)
    assert is_reachable("abfss://c@a.dfs.core.windows.net/a.json")
