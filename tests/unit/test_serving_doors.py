"""Before any key is known: connections, heads, wrong keys, revoked keys, foreign names."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from serving_builders import (
    AS_OF,
    KEY,
    client_of,
    make_bundle,
    make_config,
    make_scores,
    running,
    write_scores,
)

from churn_spark.errors import ConfigError
from churn_spark.serving.keys import ENVIRONMENT, KeyWatch, new_key
from churn_spark.serving.service import Service, is_ready

HEAD = b"GET /health HTTP/1.1\r\nhost: x\r\n"


@pytest.fixture(autouse=True)
def _with_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT, KEY)


def connect(address: str, text: bytes) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(text)
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as answer:
        try:
            return answer.read()
        except ConnectionResetError:
            return b"reset"


def test_who_waits_longest_gives_way_to_who_asks(tmp_path: Path) -> None:
    config = make_config(tmp_path, max_connections=8, max_peer_connections=6, head_seconds=30)
    with running(Service(config.service)) as address, ExitStack() as stack:
        half_open = [stack.enter_context(connect(address, HEAD)) for _ in range(20)]
        assert httpx.get(f"{address}/health").status_code == 200
        assert read_to_end(half_open[0]) in (b"", b"reset")


def test_head_is_not_waited_for_without_end(tmp_path: Path) -> None:
    config = make_config(tmp_path, head_seconds=0.3)
    with running(Service(config.service)) as address, ExitStack() as stack:
        started = time.monotonic()
        for text in (b"", HEAD, HEAD + b"\r\n" + HEAD):
            connection = stack.enter_context(connect(address, text))
            # The third one is answered once, and begins another request.
            assert read_to_end(connection)[:15] in (b"", b"reset", b"HTTP/1.1 200 OK")
        assert time.monotonic() - started < 5


def test_endless_head_is_refused(tmp_path: Path) -> None:
    with (
        running(Service(make_config(tmp_path).service)) as address,
        connect(address, b"GET / HTTP/1.1\r\nx: " + b"x" * 300_000) as connection,
    ):
        assert connection.recv(20).startswith(b"HTTP/1.1 431")


def test_wrong_keys_are_limited_and_the_right_one_is_not(tmp_path: Path) -> None:
    config = make_config(tmp_path, wrong_keys_per_minute=5)
    with running(Service(config.service)) as address:
        wrong = {"authorization": "Bearer wrong"}
        answers = [httpx.get(f"{address}/list", headers=wrong) for _ in range(8)]
        assert [one.status_code for one in answers] == [401] * 5 + [429] * 3
        assert 0 < int(answers[-1].headers["retry-after"]) <= 12
        assert httpx.post(f"{address}/sign-in", data={"key": "wrong"}).status_code == 429
        with client_of(address) as client:
            assert client.get("/openapi.json").status_code == 200


def test_form_of_many_fields_is_a_wrong_key(tmp_path: Path) -> None:
    config = make_config(tmp_path, wrong_keys_per_minute=2)
    with running(Service(config.service)) as address:
        answers = [httpx.post(f"{address}/sign-in", content=b"&" * 10) for _ in range(3)]
        assert [one.status_code for one in answers] == [401, 401, 429]


@pytest.mark.parametrize("key", ["short", "a" * 31, "ab" * 32])
def test_key_that_can_be_guessed_is_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv(ENVIRONMENT, key)
    with pytest.raises(ConfigError, match="at least 32") as caught:
        Service(make_config(tmp_path).service)
    assert key not in str(caught.value)


def test_revoked_key_and_its_cookie_end_without_a_restart(tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    first, first_lines = new_key("team", ["read"])
    second, second_lines = new_key("team", ["read"])
    keys.write_text(first_lines)
    config = make_config(tmp_path, keys_file=keys, poll_seconds=0.02)
    with (
        running(Service(config.service)) as address,
        httpx.Client(base_url=address) as browser,
        client_of(address, first) as old,
        client_of(address, second) as new,
    ):
        assert browser.post("/sign-in", data={"key": first}).status_code == 303
        statuses = [one.get("/openapi.json").status_code for one in (browser, old, new)]
        assert statuses == [200, 200, 401]
        keys.write_text(second_lines)
        for _ in range(500):
            statuses = [one.get("/openapi.json").status_code for one in (old, new)]
            if statuses == [401, 200] or 429 in statuses:
                break
            time.sleep(0.02)
        assert statuses == [401, 200]
        # The name is still known; the key that the cookie was given for is not.
        assert browser.get("/openapi.json").status_code == 401


def test_broken_keys_file_leaves_the_keys_and_is_told(tmp_path: Path) -> None:
    keys = tmp_path / "keys.yaml"
    key, lines = new_key("team", ["read"])
    keys.write_text(lines)
    watch = KeyWatch(make_config(tmp_path, keys_file=keys).serving)
    keys.write_text("- name: [")
    watch.look()
    assert watch.ring.find(key)
    assert "no YAML" in watch.problem
    keys.write_text("[]")
    watch.look()
    assert (watch.ring.find(key), watch.problem) == (None, "")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:8000", 200),
        ("127.0.0.1", 200),
        ("[::1]:8000", 200),
        ("churn.test", 200),
        ("rebound.example", 403),
        ("localhost.rebound.example", 403),
        ("", 403),
    ],
)
def test_without_keys_only_known_names_are_answered(nameless: str, host: str, status: int) -> None:
    assert httpx.get(f"{nameless}/openapi.json", headers={"host": host}).status_code == status
    assert httpx.get(f"{nameless}/health", headers={"host": host}).status_code == 200


@pytest.fixture(scope="module")
def nameless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("nameless")
    config = make_config(folder, require_key=False, allowed_hosts="[churn.test]")
    with running(Service(config.service)) as address:
        yield address


@pytest.mark.parametrize("path", ["/health", "/ready", "/list", "/model", "/", "/openapi.json"])
def test_head_is_answered_as_get_is_without_its_body(nameless: str, path: str) -> None:
    got, asked = httpx.get(nameless + path), httpx.head(nameless + path)
    assert (asked.status_code, asked.content) == (got.status_code, b"")
    assert asked.headers["content-type"] == got.headers["content-type"]
    assert httpx.head(f"{nameless}/predict").status_code == 405


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/predict/events"])
def test_compressed_body_is_refused_by_that(nameless: str, path: str) -> None:
    body = gzip.compress(json.dumps({"os": "Mac"}).encode())
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    answer = httpx.post(nameless + path, content=body, headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert "'gzip'" in answer.json()["detail"]


def test_one_row_may_be_as_large_as_one_row(nameless: str) -> None:
    answer = httpx.post(f"{nameless}/predict", content=b"{" + b" " * 65_536)
    assert answer.status_code == 413
    assert "larger than 65,536 bytes" in answer.json()["detail"]


def test_bodies_under_way_are_bounded_together(tmp_path: Path) -> None:
    config = make_config(tmp_path, max_bodies_bytes=100_000)
    start = (
        f"POST /predict/batch HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n"
        "content-length: 90000\r\n\r\n"
    ).encode()
    with running(Service(config.service)) as address, client_of(address) as client:
        with connect(address, start + b" " * 80_000):
            # Some time passes until these have arrived.
            for _ in range(500):
                answer = client.post("/predict/batch", content=b" " * 60_000)
                if answer.status_code == 503 and "at once" in answer.text:
                    break
            assert "too many large bodies at once" in answer.text
            assert answer.headers["retry-after"] == "1"
        for _ in range(500):
            if "at once" not in client.post("/predict/batch", content=b" " * 60_000).text:
                return
    raise AssertionError("the bytes of a request that has ended still count")


@contextmanager
def service_at(folder: Path, now: datetime) -> Iterator[Service]:
    config = make_config(folder, max_scores_age_hours=36)
    service = Service(config.service, now=lambda: now)
    service.scores.look()
    yield service


@pytest.mark.parametrize(
    ("hours", "is_fresh", "text"),
    [
        (4, True, "the scores are as of 2018-11-30, written"),
        (36, True, "as of 2018-11-30, written"),
        (37, False, "2018-11-30, 37 hours old; the limit is 36 hours. Run `nightly` for today"),
        (100, False, "2018-11-30, 4 days old; the limit"),
        (20_000, False, "2018-11-30, 2.3 years old; the limit"),
        (-20, True, "as of 2018-11-30, written"),
        (-25, False, "no later date than tomorrow's"),
    ],
)
def test_scores_are_as_old_as_their_date(
    scored: Path, hours: int, is_fresh: bool, text: str
) -> None:
    """Whenever they were written: a cron job that always names one date renews nothing."""
    now = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) + timedelta(hours=hours)
    with service_at(scored, now) as service:
        check = service.checks()["scores"]
        assert (check.is_ok, text in check.detail) == (is_fresh, True), check.detail
        assert not is_ready({"scores": check}) or is_fresh


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scored")
    config = make_config(folder)
    write_scores(make_scores(make_bundle(rounds=3), config, 20), config)
    return folder
