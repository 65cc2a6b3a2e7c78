"""Input files are found by the path that Hadoop lists, on local disks and object stores."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

import pytest
from pyarrow import fs

from churn_spark.lakehouse import native_sources
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
    with pytest.raises(FileNotFoundError), open_source(path):
        pass


class Store:
    """An object store as Arrow shows it, that refuses to open a file, or to give what it holds."""

    def __init__(self, told: str, *, opens: bool) -> None:
        self.told, self.opens = told, opens

    def open_input_file(self, _: str) -> Any:
        if self.opens:
            return self
        raise OSError(self.told)

    def read_at(self, *_: int) -> bytes:
        raise OSError(self.told)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


@pytest.mark.parametrize("opens", [False, True])
@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("When reading information: AWS Error ACCESS_DENIED during HeadObject", PermissionError),
        ("AWS Error INVALID_OBJECT_STATE during GetObject operation: archived", PermissionError),
        ("AWS Error UNKNOWN (HTTP status 403) during GetObject operation", PermissionError),
        ("AWS Error NETWORK_CONNECTION during HeadObject operation: curlCode: 7", OSError),
    ],
)
def test_file_that_a_store_refuses_may_not_be_read(
    told: str, kind: type[OSError], opens: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_sources, "locate", lambda _: (Store(told, opens=opens), "a.json"))
    with pytest.raises(OSError, match=re.escape(told)) as raised, open_source("s3a://b/a") as file:
        file.read_at(1, 0)
    assert raised.type is kind


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
