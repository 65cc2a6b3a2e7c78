"""Keys, sessions and buckets: who gets in, for how long, and how often."""

from __future__ import annotations

import json
import logging
import sys
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_builders import KEY, make_config

from churn_spark.errors import ConfigError, InputError
from churn_spark.serving.keys import (
    ENVIRONMENT,
    ApiKey,
    KeyRing,
    describe_new_key,
    digest_of,
    new_key,
    read_keys,
)
from churn_spark.serving.limits import TokenBuckets
from churn_spark.serving.logs import JsonLines
from churn_spark.serving.sessions import COOKIE, Sessions


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)


def ring_of(*names: str) -> KeyRing:
    digests = {name: digest_of(f"key {name}") for name in names}
    return KeyRing(
        tuple(ApiKey(name=name, sha256=one, scopes=("read",)) for name, one in digests.items())
    )


def read_file(folder: Path, text: str) -> KeyRing:
    (folder / "keys.yaml").write_text(text)
    return read_keys(make_config(folder, keys_file=folder / "keys.yaml").serving)


def test_key_is_found_by_its_digest_only() -> None:
    ring = ring_of("a", "b")
    found = ring.find("key b")
    assert found is not None
    assert found.name == "b"
    assert ring.find(found.sha256) is None
    assert ring.find("") is None
    assert KeyRing(()).find("") is None


def test_file_and_environment_are_both_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, lines = new_key("board", ["read"])
    monkeypatch.setenv(ENVIRONMENT, KEY)
    ring = read_file(tmp_path, lines)
    assert [(one.name, one.scopes) for one in ring.keys] == [
        ("board", ("read",)),
        ("environment", ("predict", "read", "write")),
    ]
    assert ring.find(key) == ring.keys[0]
    assert ring.find(KEY) == ring.keys[1]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- name: a\n  sha256: short\n  scopes: [read]\n", "0.sha256"),
        (f"- name: a\n  sha256: {'a0' * 32}\n  scopes: [admin]\n", "0.scopes.0"),
        (f"- name: a\n  sha256: {'a0' * 32}\n  scopes: []\n", "0.scopes"),
        (f"- name: a\n  key: {KEY}\n", "0.key"),
        ("name: a\n", "file"),
        ("", "file"),
        ("[", "no YAML"),
        ("- {name: a, expires: 2026-02-30}", "no YAML"),
        ("- name: a\n  scopes: [read]\n  scopes: [predict]\n", "scopes twice, in lines 2 and 3"),
        (2 * f"- name: a\n  sha256: {'a0' * 32}\n  scopes: [read]\n", "several API keys named a"),
    ],
)
def test_file_that_does_not_fit_is_refused_without_quoting_it(
    tmp_path: Path, text: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        read_file(tmp_path, text)
    assert problem in str(caught.value)
    assert KEY not in str(caught.value)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read_keys(make_config(tmp_path, keys_file=tmp_path / "none").serving)


def test_session_ends_at_its_hour_and_with_its_key() -> None:
    clock, ring = Clock(), ring_of("a")
    sessions = Sessions(lambda: ring, 1.0, clock)
    cookie = sessions.issue(ring.keys[0], is_https=True).partition(";")[0]
    assert cookie.startswith(f"{COOKIE}=")
    found = sessions.read(f"other=1; {cookie}")
    assert found is not None
    assert found[0] == ring.keys[0]
    clock.now += 3599
    assert sessions.read(cookie) is not None
    clock.now += 1
    assert sessions.read(cookie) is None
    clock.now = 1000.0
    assert Sessions(lambda: ring, 1.0, clock).read(cookie) is None
    sessions._ring = lambda: ring_of("b")
    assert sessions.read(cookie) is None


def test_cookie_is_sent_over_https_only_where_there_is_https() -> None:
    ring = ring_of("a")
    sessions = Sessions(lambda: ring, 1.0)
    assert sessions.issue(ring.keys[0], is_https=True).endswith("; Secure")
    assert "Secure" not in sessions.issue(ring.keys[0], is_https=False)


@pytest.mark.parametrize(("root_path", "path"), [("", "/"), ("/tools/churn", "/tools/churn")])
def test_cookie_is_sent_to_nothing_beside_the_service(root_path: str, path: str) -> None:
    ring = ring_of("a")
    sessions = Sessions(lambda: ring, 1.0, root_path=root_path)
    for cookie in (
        sessions.issue(ring.keys[0], is_https=True),
        sessions.withdraw("token", is_https=True),
    ):
        assert f"; Path={path};" in cookie


def test_older_cookie_of_another_path_is_in_nobodys_way() -> None:
    ring = ring_of("a")
    sessions = Sessions(lambda: ring, 1.0, root_path="/tools/churn")
    old = Sessions(lambda: ring, 1.0).issue(ring.keys[0], is_https=True).partition(";")[0]
    new = sessions.issue(ring.keys[0], is_https=True).partition(";")[0]
    for cookies in (f"{new}; {old}", f"{old}; {new}"):
        assert sessions.read(cookies) is not None
    assert sessions.read(old) is None


@given(text=st.text())
def test_any_other_cookie_is_no_session(text: str) -> None:
    assert Sessions(lambda: ring_of("a"), 1.0).read(f"{COOKIE}={text}") is None


@given(
    steps=st.lists(st.floats(0, 5), max_size=60),
    per_second=st.floats(0.1, 10),
    burst=st.integers(1, 10),
)
def test_bucket_never_gives_more_than_its_burst_and_its_rate(
    steps: list[float], per_second: float, burst: int
) -> None:
    clock = Clock()
    buckets = TokenBuckets(per_second, burst, clock)
    start, taken = clock.now, 0
    for step in steps:
        clock.now += step
        wait = buckets.take("a")
        taken += wait == 0
        assert taken <= burst + (clock.now - start) * per_second + 1e-6
        if wait:
            # Told to wait, one waits no longer than told.
            clock.now += wait + 1e-9
            assert buckets.take("a") == 0
            taken += 1


def test_buckets_do_not_share_and_do_not_pile_up() -> None:
    buckets = TokenBuckets(1.0, 1, Clock())
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0
    assert buckets.take("b") == 0
    for number in range(10_000):
        buckets.take(str(number))
    assert len(buckets._buckets) == 10_000
    assert buckets.take("a") == 0


def test_log_line_keeps_the_place_of_an_error_and_not_its_text() -> None:
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.Logger("alone")
    logger.addHandler(handler)
    try:
        raise ValueError("user of the request")
    except ValueError:
        logger.exception("a request failed", exc_info=sys.exc_info())
    line = json.loads(stream.getvalue())
    assert {"level": "error", "event": "a request failed"}.items() <= line.items()
    assert line["error"] == "ValueError"
    assert line["places"][-1].endswith(sys._getframe().f_code.co_name)
    assert "user of the request" not in stream.getvalue()


def test_bucket_holds_no_more_than_its_burst_after_a_long_pause() -> None:
    clock = Clock()
    buckets = TokenBuckets(1.0, 2, clock)
    buckets.take("a")
    clock.now += 1000
    assert [buckets.take("a") == 0 for _ in range(3)] == [True, True, False]


def test_form_token_is_no_cookie() -> None:
    ring = ring_of("a")
    sessions = Sessions(lambda: ring, 1.0)
    cookie = sessions.issue(ring.keys[0], is_https=True).partition(";")[0]
    found = sessions.read(cookie)
    assert found is not None
    assert found[1] not in cookie
    assert sessions.read(f"{COOKIE}={found[1]}") is None


@pytest.mark.parametrize("name", ["a b", "", "x" * 41, "a\n"])
def test_name_that_no_key_can_have_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"found the name .* expected up to 40 letters"):
        describe_new_key(name, [])
