"""The real service over HTTP: what it answers, whom it refuses, and what it keeps to itself."""

from __future__ import annotations

import csv
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
import yaml
from itsdangerous.encoding import base64_decode, base64_encode
from serving_builders import (
    AS_OF,
    KEY,
    ODD_USER,
    FakeSource,
    build_service,
    client_of,
    fill_tables,
    make_bundle,
    make_config,
    make_rows,
    make_scores,
    running,
    wait_until_ready,
)

from churn_spark.config import Config
from churn_spark.models.bundle import ModelBundle
from churn_spark.scoring.bands import BandLimits
from churn_spark.serving.keys import ENVIRONMENT, new_key
from churn_spark.serving.service import Service

N_USERS = 120


@dataclass(frozen=True)
class World:
    """A running service and what it must know."""

    address: str
    config: Config
    bundle: ModelBundle
    log: StringIO
    reader_key: str
    predictor_key: str

    def client(self, key: str = KEY) -> httpx.Client:
        return client_of(self.address, key)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("service")
    reader_key, reader = new_key("reader", ["read"])
    predictor_key, predictor = new_key("predictor", ["predict"])
    (folder / "keys.yaml").write_text(reader + predictor)
    config = make_config(
        folder / "lakehouse",
        keys_file=folder / "keys.yaml",
        max_body_bytes=200_000,
        max_rows=300,
        rows_per_page=50,
    )
    Path(config.lakehouse).mkdir()
    metrics = {"roc_auc": 0.71, "f1": float("nan")}
    bundle = replace(make_bundle(), version="7", metrics=metrics)
    fill_tables(config, bundle, N_USERS)
    log = StringIO()
    os.environ[ENVIRONMENT] = KEY
    try:
        with running(build_service(config, FakeSource(bundle)), log) as address:
            wait_until_ready(address)
            yield World(address, config, bundle, log, reader_key, predictor_key)
    finally:
        del os.environ[ENVIRONMENT]


@pytest.fixture
def client(world: World) -> Iterator[httpx.Client]:
    with world.client() as client:
        yield client


@contextmanager
def sign_in(world: World, key: str = KEY) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=world.address) as browser:
        answer = browser.post("/sign-in", data={"key": key})
        assert answer.status_code == 303, answer.text
        yield browser


def row(**values: Any) -> dict[str, Any]:
    return {"num_downgrades": 40, "tenure_days": 3.5, "os": "Mac", **values}


def test_prediction_is_that_of_the_bundle(world: World, client: httpx.Client) -> None:
    rows = make_rows(1, seed=9).assign(**row())
    values = rows.iloc[0].dropna().to_dict()
    body = json.dumps(values, default=float)
    answer = client.post("/predict?explain=true", content=body).json()
    probability = float(world.bundle.probabilities(rows)[0])
    assert answer.pop("churn_probability") == pytest.approx(probability, abs=1e-12)
    assert answer == {
        "risk_band": BandLimits.of(world.bundle.base_rate, world.config.scoring).band(probability),
        "model_version": world.bundle.version,
        "feature_fingerprint": world.bundle.encoding.fingerprint,
        "reasons": [one.sentence for one in world.bundle.reasons(rows, world.config.scoring)[0]],
    }


def test_reasons_come_only_when_asked_for(client: httpx.Client) -> None:
    assert "reasons" not in client.post("/predict", json=row()).json()
    assert client.post("/predict?explain=perhaps", json=row()).status_code == 422


def test_row_that_does_not_fit_is_answered_with_its_problems(client: httpx.Client) -> None:
    answer = client.post("/predict", json=row(num_sessions=-1, nonsense=2))
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["problems"]] == ["num_sessions", "nonsense"]


def test_batch_tells_unfit_rows_apart(client: httpx.Client) -> None:
    answer = client.post("/predict/batch", json={"rows": [row(), row(num_sessions=-1), {}]})
    assert answer.status_code == 200
    assert [("churn_probability" in one) for one in answer.json()["rows"]] == [True, False, False]


def test_list_is_ordered_paged_and_filtered(world: World, client: httpx.Client) -> None:
    expected = make_scores(world.bundle, world.config, N_USERS).sort_values("risk_rank")
    found, url, pages = [], "/list", 0
    while url:
        answer = client.get(url).json()
        found += answer["rows"]
        url, pages = answer["next"], pages + 1
    assert pages == 3
    assert [one["user_id"] for one in found] == expected["user_id"].tolist()
    assert (answer["as_of"], answer["n_users"]) == (str(AS_OF), N_USERS)
    high = client.get("/list?band=high&limit=1000").json()["rows"]
    assert [one["user_id"] for one in high] == expected[expected.risk_band == "high"][
        "user_id"
    ].tolist()
    least = float(np.quantile(expected["churn_probability"], 0.7))
    chosen = client.get("/list", params={"min_probability": least}).json()
    assert chosen["n_matching"] == (expected["churn_probability"] >= least).sum()


def test_csv_has_the_whole_list(client: httpx.Client) -> None:
    answer = client.get("/list?format=csv")
    rows = list(csv.DictReader(StringIO(answer.text)))
    listed = client.get("/list?limit=1000").json()["rows"]
    assert [one["user_id"] for one in rows] == [one["user_id"] for one in listed]
    assert rows[0]["reasons"] == "; ".join(listed[0]["reasons"])


def test_user_has_newest_score_and_history(world: World, client: httpx.Client) -> None:
    answer = client.get("/users/1005").json()
    listed = {one["user_id"]: one for one in client.get("/list?limit=1000").json()["rows"]}
    assert answer["reasons"] == listed["1005"]["reasons"]
    assert "reason_fields" not in answer
    days = [str(AS_OF - timedelta(days=days)) for days in (3, 2, 1, 0)]
    assert [one["as_of"] for one in answer["history"]] == days
    assert answer["history"][-1]["churn_probability"] == answer["churn_probability"]
    assert client.get("/users/nobody").status_code == 404


@pytest.mark.parametrize("query", ["band=x", "limit=0", "limit=1001", "offset=-1", "format=xml"])
def test_list_refuses_a_query_by_name(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/list?{query}")
    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == query.partition("=")[0]


def test_model_card_has_what_its_training_says(world: World, client: httpx.Client) -> None:
    card = client.get("/model").json()
    assert card["model_version"] == world.bundle.version
    assert card["metrics"] == {"roc_auc": 0.71, "f1": None}
    assert card["trained_on"] == {"as_of": str(AS_OF), "of_version": "7"}


def test_interface_is_described_by_the_feature_declarations(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()
    content = described["paths"]["/predict"]["post"]["requestBody"]["content"]
    about = content["application/json"]["schema"]["properties"]["num_sessions"]
    assert about["description"] == "sessions (sessions)"
    assert "/sign-in" not in described["paths"]


GUARDED = (
    ("POST", "/predict"),
    ("POST", "/predict/batch"),
    ("GET", "/list"),
    ("GET", "/users/1005"),
    ("GET", "/model"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/"),
    ("GET", "/page/model"),
    ("GET", "/page/users/1005"),
    ("GET", "/no-such-page"),
    ("OPTIONS", "/predict"),
)


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_without_a_key_there_is_no_answer(world: World, method: str, path: str) -> None:
    with httpx.Client(base_url=world.address) as nobody:
        assert nobody.request(method, path).status_code == 401
        wrong = {"authorization": "Bearer wrong"}
        assert nobody.request(method, path, headers=wrong).status_code == 401


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_health_needs_no_key(world: World, path: str) -> None:
    assert httpx.get(world.address + path).status_code == 200


def test_key_opens_its_scope_only(world: World) -> None:
    with world.client(world.reader_key) as reader, world.client(world.predictor_key) as predictor:
        assert reader.get("/list").status_code == 200
        assert reader.post("/predict", json=row()).status_code == 403
        assert predictor.post("/predict", json=row()).status_code == 200
        assert predictor.post("/predict/batch", json={"rows": []}).status_code == 200
        for path in ("/list", "/users/1005", "/model", "/metrics", "/"):
            assert predictor.get(path).status_code == 403


def test_key_may_come_in_its_own_header(world: World) -> None:
    assert httpx.get(f"{world.address}/model", headers={"x-api-key": KEY}).status_code == 200


@pytest.mark.parametrize("is_declared", [True, False])
def test_body_is_refused_when_it_is_too_large(client: httpx.Client, is_declared: bool) -> None:
    large = b"x" * 200_001
    body = large if is_declared else iter([large[:100_000], large[100_000:]])
    assert client.post("/predict", content=body).status_code == 413
    assert client.post("/predict", json=row()).status_code == 200


def test_headers_forbid_what_is_not_needed(client: httpx.Client) -> None:
    for path in ("/", "/list", "/no-such-page"):
        headers = client.get(path, headers={"origin": "https://elsewhere.example"}).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers


def test_page_shows_list_user_and_health(world: World) -> None:
    with sign_in(world) as browser:
        page = browser.get("/").text
        first = browser.get("/?offset=50").text
        assert str(AS_OF) in page
        assert page.count('href="/page/users/') == 50
        assert "51 to 100 of 120" in first
        assert not [text for text in ("<script", "http://", "https://") if text in page]
        user = browser.get("/page/users/1005").text
        assert "<polyline" in user
        assert "risk rank of 120 users" in user
        health = browser.get("/page/model").text
        assert "1 of 2 features has drifted (50.0 % of feature importance)" in health
        assert "No open alerts." in health
        assert "with ROC AUC 0.512 (95 % interval 0.497 to 0.527)" in health
        assert "mostly by songs_7d, os" in health
        assert "time-dependent, not judged" in health
        assert "keys: an API key is required; 3 API keys known" in health
        assert "0.200 → 0.250" in health
        # Red is what the policy acts on.
        assert 'class="band high">drifted' not in health
        assert 'class="band low">drifted' in health
        unknown = browser.get("/page/users/nobody")
        assert (unknown.status_code, unknown.headers["content-type"]) == (
            404,
            "text/html; charset=utf-8",
        )
        assert "No score: the id is unknown" in unknown.text


def test_odd_user_id_is_escaped_and_found(world: World) -> None:
    with sign_in(world) as browser:
        pages = "".join(browser.get(f"/?offset={offset}").text for offset in (0, 50, 100))
        assert "<b>7/8" not in pages
        address = pages.partition("/page/users/%3Cb")[2].partition('"')[0]
        page = browser.get(f"/page/users/%3Cb{address}").text
        assert "User &lt;b&gt;7/8&lt;/b&gt;&amp;&#34;?#</h1>" in page
        assert "<polyline" in page
        found = browser.get(f"/users/{quote(ODD_USER, safe='')}").json()
        assert found["user_id"] == ODD_USER


def test_filter_of_the_page_is_that_of_the_list(world: World) -> None:
    with sign_in(world) as browser:
        listed = browser.get("/list?band=medium&min_probability=0.5").json()
        page = browser.get("/?band=medium&from_percent=50").text
        assert page.count("/page/users/") == min(50, listed["n_matching"]) > 0
        assert "/list?format=csv&amp;band=medium&amp;min_probability=0.5" in page
        assert browser.get("/?from_percent=200").status_code == 422
        assert browser.get("/?from_percent=&band=").status_code == 200


def test_sign_in_needs_a_key_that_may_read(world: World) -> None:
    wrong = httpx.post(f"{world.address}/sign-in", data={"key": "wrong"})
    assert (wrong.status_code, "set-cookie" in wrong.headers) == (401, False)
    narrow = httpx.post(f"{world.address}/sign-in", data={"key": world.predictor_key})
    assert (narrow.status_code, "set-cookie" in narrow.headers) == (403, False)
    right = httpx.post(f"{world.address}/sign-in", data={"key": world.reader_key})
    assert "HttpOnly; SameSite=Strict" in right.headers["set-cookie"]
    assert world.reader_key not in right.headers["set-cookie"]


def test_cookie_reads_and_does_nothing_else(world: World) -> None:
    with sign_in(world) as browser:
        assert browser.get("/list").status_code == 200
        assert browser.post("/predict", json=row()).status_code == 401


@pytest.mark.parametrize("spoil", ["name", "until", "signature"])
def test_forged_cookie_opens_nothing(world: World, spoil: str) -> None:
    with sign_in(world, world.reader_key) as browser:
        payload, signature = browser.cookies["churn_session"].split(".")
    name, until, *rest = base64_decode(payload).decode().strip("[]").split(",")
    chance = ",".join(rest)
    forged = {
        "name": f'["environment",{until},{chance}]',
        "until": f"[{name},9{until},{chance}]",
        "signature": f"[{name},{until},{chance}]",
    }[spoil]
    signature = signature[::-1] if spoil == "signature" else signature
    cookie = f"churn_session={base64_encode(forged).decode()}.{signature}"
    answer = httpx.get(f"{world.address}/list", headers={"cookie": cookie})
    assert answer.status_code == 401


def test_other_sites_pages_can_not_use_the_cookie(world: World) -> None:
    elsewhere = {"origin": "https://elsewhere.example"}
    with sign_in(world) as browser:
        assert browser.get("/list", headers=elsewhere).status_code == 403
        assert browser.post("/sign-out", headers=elsewhere).status_code == 403
        assert browser.get("/list", headers={"origin": world.address}).status_code == 200
    refused = httpx.post(f"{world.address}/sign-in", headers=elsewhere)
    assert refused.status_code == 403
    host = world.address.partition("://")[2]
    assert f"found the origin 'https://elsewhere.example', expected one of the host '{host}'" in (
        unescape(refused.text)
    )


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "elsewhere"])
def test_an_origin_that_is_no_address_is_refused(world: World, origin: str) -> None:
    headers = {"origin": origin, "cookie": "churn_session=x"}
    assert httpx.post(f"{world.address}/sign-in", headers=headers).status_code == 403
    assert httpx.get(world.address, headers=headers).status_code == 403


def test_signing_out_ends_this_session_for_good(world: World) -> None:
    with sign_in(world) as browser, sign_in(world) as other:
        stolen = browser.cookies["churn_session"]
        assert browser.post("/sign-out", data={"token": "guessed"}).status_code == 403
        token = browser.get("/").text.partition('name="token" value="')[2].partition('"')[0]
        assert browser.post("/sign-out", data={"token": token}).status_code == 303
        assert browser.get("/list").status_code == 401
        answer = httpx.get(world.address + "/list", headers={"cookie": f"churn_session={stolen}"})
        assert answer.status_code == 401
        assert other.get("/list").status_code == 200


def test_log_and_metrics_hold_nothing_of_users_or_keys(world: World, client: httpx.Client) -> None:
    # Texts that no duration, byte count or port holds by chance, as digits alone may be.
    assert client.get(f"/users/{quote(ODD_USER, safe='')}?secret=in-the-query").status_code == 200
    client.post("/predict", json=row(user_id="in-the-body"))
    metrics = client.get("/metrics").text
    lines = [json.loads(line) for line in world.log.getvalue().splitlines()]
    kept = world.log.getvalue() + metrics
    user = ODD_USER[:10]  # up to the quote, which JSON escapes
    secrets = (user, quote(user, safe=""), "in-the-query", "in-the-body", KEY, world.reader_key)
    assert not [text for text in secrets if text in kept]
    assert {
        "method": "GET",
        "route": "/users/{user_id:path}",
        "status": 200,
        "key": "environment",
    }.items() <= lines[-3].items()
    assert 'churn_requests_total{route="/users/{user_id:path}",status="200"}' in metrics
    assert f'churn_champion{{version="{world.bundle.version}"}} 1.0' in metrics


def test_one_caller_is_slowed_down_and_others_are_not(world: World, tmp_path: Path) -> None:
    keys = world.config.serving.keys_file
    config = make_config(tmp_path, keys_file=keys, requests_per_second=0.01, burst=3)
    with (
        running(Service(config.service)) as address,
        client_of(address, world.reader_key) as reader,
    ):
        statuses = [reader.get("/openapi.json").status_code for _ in range(5)]
        assert statuses == [200, 200, 200, 429, 429]
        assert 0 < int(reader.get("/openapi.json").headers["retry-after"]) <= 100
        with client_of(address, KEY) as other:
            assert other.get("/openapi.json").status_code == 200


def test_slow_body_is_not_waited_for(world: World, tmp_path: Path) -> None:
    config = make_config(tmp_path, keys_file=world.config.serving.keys_file, max_seconds=0.3)
    with running(Service(config.service)) as address:
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            lines = ("POST /predict HTTP/1.1", "host: x", f"x-api-key: {KEY}", "content-length: 9")
            connection.sendall("\r\n".join((*lines, "", "{")).encode())
            # Up to the end of the connection: it would hold one of the few for nothing.
            with connection.makefile("rb") as answer:
                assert answer.read().startswith(b"HTTP/1.1 503")


def test_service_without_lakehouse_lives_and_is_not_ready(tmp_path: Path) -> None:
    config = make_config(tmp_path / "none", require_key=False)
    with running(Service(config.service)) as address:
        assert httpx.get(f"{address}/health").status_code == 200
        answer = httpx.get(f"{address}/ready")
        assert answer.status_code == 503
        assert httpx.post(f"{address}/predict", json=row()).status_code == 503
        assert httpx.get(f"{address}/list").status_code == 503
        for _ in range(100):
            checks = httpx.get(f"{address}/ready").json()["checks"]
            if "no champion is published" in checks["model"]["detail"]:
                break
        assert "no champion is published" in checks["model"]["detail"]
    assert not (tmp_path / "none").exists()


def test_service_without_any_key_answers_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    with running(Service(make_config(tmp_path).service)) as address:
        for headers in ({}, {"authorization": "Bearer"}, {"x-api-key": ""}):
            assert httpx.get(f"{address}/model", headers=headers).status_code == 401


def test_keys_file_holds_no_key(world: World) -> None:
    text = Path(world.config.serving.keys_file).read_text()
    assert world.reader_key not in text
    assert [one["scopes"] for one in yaml.safe_load(text)] == [["read"], ["predict"]]
