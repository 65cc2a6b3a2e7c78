"""What the lock asks of an object store, and what becomes of one that doesn't offer it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from churn_spark.errors import LockStoreError
from churn_spark.lakehouse.lock_store import open_lock_store
from tests.object_stores.places import Place
from tests.object_stores.servers import BUCKET, HERE, s3_server

NO_SPARK: Any = None
"""An object store is reached without."""


@pytest.fixture(scope="module")
def careless(log: Path) -> Iterator[Place]:
    """A store that makes a file that is there already."""
    with s3_server([str(HERE / "careless_s3.py")]) as environment:
        variables = {**environment, "CHURN_TRACKING_URI": "http://127.0.0.1:9"}
        yield Place(f"s3a://{BUCKET}", log, variables)


def test_store_without_conditions_is_refused_before_anything_is_written(
    careless: Place, tmp_path: Path
) -> None:
    careless.deliver(date(2018, 10, 3))
    said = careless.run("ingest_events", "--events", f"{careless.root}/events", code=2)
    assert "it has made a file that was there already" in said
    assert "lock.required=false" in said
    assert not careless.copy_to(tmp_path).exists()


def test_one_of_many_at_once_makes_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        store = open_lock_store(NO_SPARK, f"s3a://{BUCKET}/lakehouse")
        for turn in range(10):
            path = f"_lock/{turn:08}.json"
            with ThreadPoolExecutor(6) as pool:
                made = [*pool.map(lambda one, path=path: store.create(path, b"%d" % one), range(6))]
            assert sum(made) == 1
            assert store.read(path) == b"%d" % made.index(True)
        assert store.names("_lock") == [f"{turn:08}.json" for turn in range(10)]


def test_store_without_conditions_is_found_out(
    careless: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in careless.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LockStoreError, match="conditional puts"):
        open_lock_store(NO_SPARK, careless.lakehouse)
