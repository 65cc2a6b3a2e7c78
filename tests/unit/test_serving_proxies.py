"""Behind a proxy and beside other services: paths, ids of requests, traces, methods."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving_builders import KEY, answering, make_bundle, make_config

from churn_spark.serving.requests import path_here, request_id, trace_id

BUNDLE = replace(make_bundle(), version="7")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def log() -> StringIO:
    return StringIO()


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, log: StringIO) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("proxy")
    config = make_config(folder / "lakehouse", root_path="/tools/churn", rows_per_page=10)
    with answering(config, BUNDLE, 25, log) as connected:
        yield connected


def last_line(log: StringIO) -> dict[str, object]:
    found: dict[str, object] = json.loads(log.getvalue().splitlines()[-1])
    return found


def test_service_answers_whether_or_not_the_proxy_cuts_its_path_off(client: httpx.Client) -> None:
    for path in ("/health", "/tools/churn/health", "/tools/churn/health/", "/health/"):
        assert client.get(path).json() == {"status": "alive"}
    assert client.get("/tools/churnhealth").status_code == 404
    # The open paths alone are open, however they are written.
    with httpx.Client(base_url=client.base_url) as stranger:
        assert stranger.get("/tools/churn/ready/").status_code in (200, 503)
        for path in ("/tools/churn/model", "/model/", "/tools/churn/tools/churn/health"):
            assert stranger.get(path).status_code == 401


@pytest.mark.parametrize("path", ["/", "/?source=scores", "/page/model", "/page/users/1001"])
def test_all_links_of_the_pages_lead_through_the_proxy(client: httpx.Client, path: str) -> None:
    page = client.get(path).text
    links = re.findall(r'(?:href|action)="(/[^"]*)"', page)
    assert links
    assert all(link.startswith("/tools/churn/") for link in links), links


def test_next_pages_and_sign_in_lead_through_the_proxy(client: httpx.Client) -> None:
    following = client.get("/list?source=scores").json()["next"]
    assert following.startswith("/tools/churn/list?")
    assert client.get(following).status_code == 200
    assert client.get("/openapi.json").json()["servers"] == [{"url": "/tools/churn"}]
    with httpx.Client(base_url=client.base_url) as stranger:
        refused = stranger.get("/", headers={"accept": "text/html"})
        assert 'action="/tools/churn/sign-in"' in refused.text
        signed_in = stranger.post("/tools/churn/sign-in", data={"key": KEY})
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/tools/churn/")
        assert "Sign out" in stranger.get("/tools/churn/").text


def test_ids_and_traces_are_taken_over(client: httpx.Client, log: StringIO) -> None:
    headers = {"x-request-id": "a-1/b", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    answer = client.get("/model", headers=headers)
    assert answer.headers["x-request-id"] == "a-1/b"
    line = last_line(log)
    assert (line["request_id"], line["trace_id"]) == ("a-1/b", TRACE)


def test_without_an_id_a_request_gets_one(client: httpx.Client, log: StringIO) -> None:
    found = {client.get("/model").headers["x-request-id"] for _ in range(3)}
    assert len(found) == 3
    refused = httpx.get(str(client.base_url.join("/model")))
    assert refused.status_code == 401
    assert last_line(log)["request_id"] == refused.headers["x-request-id"]
    assert last_line(log)["trace_id"] == ""


@pytest.mark.parametrize("path", ["/health", "/list", "/v2/models/churn", "/page/model", "/"])
def test_head_is_get_without_a_body(client: httpx.Client, path: str) -> None:
    full, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (full.status_code, b"")
    assert head.headers["content-type"] == full.headers["content-type"]
    assert head.headers["content-length"] == full.headers["content-length"]


def test_coded_slash_belongs_to_the_id() -> None:
    scope = {"path": "/users/a/", "raw_path": b"/users/a%2F"}
    assert path_here(scope, "") == "/users/a/"
    assert path_here({"path": "/users/a/", "raw_path": b"/users/a/"}, "") == "/users/a"
    assert path_here({"path": "//", "raw_path": b"//"}, "/x") == "/"
    assert path_here({"path": "/x", "raw_path": b"/x"}, "/x") == "/"


@given(st.binary(max_size=200))
def test_no_id_breaks_a_line_of_the_log(given_id: bytes) -> None:
    found = request_id({b"x-request-id": given_id})
    assert re.fullmatch(r"[A-Za-z0-9._:/+=-]{1,128}", found)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"00-" + TRACE.encode() + b"-00f067aa0ba902b7",
        b"ff-" + TRACE.encode() + b"-00f067aa0ba902b7-01",
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-" + TRACE.encode() + b"-" + b"0" * 16 + b"-01",
        b"00-" + TRACE.upper().encode() + b"-00f067aa0ba902b7-01",
    ],
)
def test_what_is_no_trace_is_none(header: bytes) -> None:
    assert trace_id({b"traceparent": header}) == ""
