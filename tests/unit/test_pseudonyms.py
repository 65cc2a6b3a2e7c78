"""Ids as a lakehouse keeps them: pseudonyms, who was erased, and who is found by a clear id."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from builders import N_BUCKETS, record
from serving_builders import (
    FakeSource,
    build_service,
    client_of,
    make_bundle,
    make_config,
    make_scores,
    running,
    write_scores,
)

from churn_spark.config import load_config
from churn_spark.config.privacy import pseudonym_of
from churn_spark.events.block import read_block
from churn_spark.events.user_ids import UserIds
from churn_spark.hashing import keyed_hash
from churn_spark.stores.user_files import without_users

KEY = b"k" * 40
CONFIG = load_config().ingest


def read(*user_ids: object, users: UserIds) -> pl.DataFrame:
    lines = [pl.Series([record(userId=one)]).struct.json_encode()[0] for one in user_ids]
    return read_block("\n".join(lines).encode(), CONFIG, N_BUCKETS, users=users).events


def test_one_user_has_one_pseudonym_however_the_id_is_written() -> None:
    events = read("17", " 17 ", "7", users=UserIds(KEY))
    assert events["user_id"].to_list() == [pseudonym_of(one, KEY) for one in ("17", "17", "7")]
    assert events["user_id"][0] != pseudonym_of("17", KEY[1:])
    assert {len(one) for one in events["user_id"]} == {32}


def test_hash_of_an_event_tells_nothing_of_the_clear_id() -> None:
    clear, hidden = read("17", users=UserIds()), read("17", users=UserIds(KEY))
    assert clear["event_hash"].to_list() != hidden["event_hash"].to_list()
    same = read(pseudonym_of("17", KEY), users=UserIds())
    assert same["event_hash"].to_list() == hidden["event_hash"].to_list()


def test_lines_of_erased_users_are_counted_and_leave_nothing() -> None:
    salted = UserIds(KEY, "ab" * 16)
    users = UserIds(KEY, salted.salt, frozenset({salted.erased_hash("17")}))
    lines = b'{"userId": "17", "page": "Home"}\n{"userId": "7", "page": "Home"}\n{"userId": ""'
    block = read_block(lines, CONFIG, N_BUCKETS, users=users)
    counts = {what: n for what, n in block.counts.items() if n}
    assert counts == {"read": 3, "erased": 1, "missing ts": 1, "broken JSON": 1}
    assert block.rejected.height == 2


def test_hashes_of_one_id_for_two_purposes_are_not_the_same() -> None:
    assert keyed_hash(KEY, "user", "17") != keyed_hash(KEY, "erased", "17")
    assert keyed_hash(KEY, "a", "b\0c") == keyed_hash(KEY, "a\0b", "c")
    assert "k" * 40 not in repr(UserIds(KEY))


KEPT_AS_THEY_ARE = {
    "a.json": b'{"userId": "170"}\n\n{"n": 17}\n',
    "a.json.gz": b"no gzip",
    "a.csv": b"rank,user\n1,17\n",
    "b.csv": "\ufeffuser_id,n\r\n170,17\r\n".encode(),
    "c.csv": b"\xff\xfe",
    "a.parquet": b"no Parquet",
    "reports/monitoring.html": b"<td>17</td>",
    "a.txt": b"17",
}


@pytest.mark.parametrize("path", KEPT_AS_THEY_ARE)
def test_file_without_rows_of_the_user_stays_byte_for_byte(path: str) -> None:
    content = KEPT_AS_THEY_ARE[path]
    assert without_users(path, content, ["17"]) == content


def test_rows_of_the_user_go_in_every_notation() -> None:
    log = (
        b'{"userId": 17.0}\r\n{"userId": "\\u0031\\u0037"}\n{"user_id": " 17"}\n{"userId":"17",\n{}'
    )
    assert without_users("a.jsonl", log, ["17"]) == b"{}"
    table = '\ufeffrank,user_id\r\n1,"\'=17"\r\n2,"18\n19"\r\n'.encode()
    assert without_users("a.csv", table, ["=17"]) == b'rank,user_id\r\n2,"18\n19"\r\n'
    assert without_users("b.csv", b"userId,n\n17.0,1\n18.0,2\n", ["17"]) == b"userId,n\n18.0,2\n"
    assert without_users("reports/notebooks/2.html", b"<td>&lt;b</td>", ["<b"]) is None
    written = io.BytesIO()
    pd.DataFrame({"user_id": [17, 18], "n": [1, 2]}).to_parquet(written, index=False)
    cleaned = without_users("a.parquet", written.getvalue(), ["17"])
    assert cleaned is not None
    assert pd.read_parquet(io.BytesIO(cleaned)).to_dict("records") == [{"user_id": 18, "n": 2}]
    of_bytes = io.BytesIO()
    pd.DataFrame({"user_id": [b"17", b"\xff\x07"]}).to_parquet(of_bytes, index=False)
    for user, other in (("17", b"\xff\x07"), ("ff07", b"17")):
        cleaned = without_users("a.parquet", of_bytes.getvalue(), [user])
        assert cleaned is not None
        assert pd.read_parquet(io.BytesIO(cleaned)).to_dict("records") == [{"user_id": other}]


@pytest.fixture
def lakehouse(tmp_path: Path) -> Iterator[Path]:
    """Scores under pseudonyms of some users, one of them under an id that is none."""
    config = make_config(tmp_path)
    scores = make_scores(make_bundle(), config, n=5)
    scores["user_id"] = scores["user_id"].map(lambda one: pseudonym_of(one, KEY))
    write_scores(scores, config)
    return tmp_path


@pytest.mark.parametrize("has_key", [True, False])
def test_service_finds_a_user_by_the_clear_id_where_it_has_the_key(
    lakehouse: Path, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    monkeypatch.setenv("CHURN_PRIVACY_KEY", KEY.decode() if has_key else "")
    config = load_config(
        overrides=[
            f"lakehouse={lakehouse}",
            "privacy.pseudonymise=true",
            "serving.port=0",
            "serving.poll_seconds=0.1",
            "serving.require_key=false",
        ]
    )
    service = build_service(config, FakeSource(make_bundle()))
    service.scores.look()
    with running(service) as address, client_of(address) as client:
        by_pseudonym = client.get(f"/users/{pseudonym_of('1003', KEY)}")
        by_clear_id = client.get("/users/1003")
        page = client.get("/page/users/1003")
        nobody = client.get("/users/9999")
    assert by_pseudonym.json()["user_id"] == pseudonym_of("1003", KEY)
    assert (by_clear_id.status_code, page.status_code) == ((200, 200) if has_key else (404, 404))
    if has_key:
        assert by_clear_id.json() == by_pseudonym.json()
    assert nobody.status_code == 404
