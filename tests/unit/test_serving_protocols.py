"""The protocols of others over HTTP: the probabilities of our own routes, and clear refusals."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from serving_builders import answering, make_bundle, make_config, make_rows

from churn_spark.contracts.features.spec import FEATURES

BUNDLE = replace(make_bundle(), version="7")
ROWS = make_rows(40, seed=8)
EXPECTED = BUNDLE.probabilities(ROWS)
NAMES = [feature.name for feature in FEATURES]
INFER = "/v2/models/churn/infer"
REASONS = [{"name": "reasons"}]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    config = make_config(tmp_path_factory.mktemp("protocols") / "lakehouse", max_rows=50)
    with answering(config, BUNDLE, 20) as connected:
        yield connected


def values_of(name: str) -> list[Any]:
    return [None if pd.isna(value) else value for value in ROWS[name]]


def tensors(**changed: Any) -> list[dict[str, Any]]:
    """The rows as inputs; numbers by turns as a list and as a matrix of one column."""
    found = []
    for position, feature in enumerate(FEATURES):
        data = values_of(feature.name)
        kind = "FP64" if feature.is_numeric else "BYTES"
        shape = [len(data), 1][: 1 + position % 2]
        if position % 4 == 1:
            data = [[value] for value in data]
        found.append({"name": feature.name, "shape": shape, "datatype": kind, "data": data})
    found[0] |= changed
    return found


def probabilities_of(answer: httpx.Response) -> list[float]:
    assert answer.status_code == 200, answer.text
    [found] = [one for one in answer.json()["outputs"] if one["name"] == "churn_probability"]
    assert (found["datatype"], found["shape"]) == ("FP64", [len(ROWS)])
    return list(found["data"])


@pytest.mark.parametrize("path", [INFER, "/v2/models/churn/versions/7/infer", INFER + "/"])
def test_inference_is_the_bundle_s_own(client: httpx.Client, path: str) -> None:
    answer = client.post(path, json={"id": "a1", "inputs": tensors()})
    np.testing.assert_allclose(probabilities_of(answer), EXPECTED, rtol=0, atol=1e-12)
    assert (answer.json()["id"], answer.json()["model_version"]) == ("a1", "7")


def test_outputs_are_those_asked_for_and_reasons_are_those_of_the_batch(
    client: httpx.Client,
) -> None:
    body = {"inputs": tensors(), "outputs": REASONS}
    [found] = client.post(INFER, json=body).json()["outputs"]
    records = json.loads(ROWS.to_json(orient="records"))
    own = client.post("/predict/batch?explain=true", json={"rows": records}).json()["rows"]
    assert [json.loads(text) for text in found["data"]] == [row["reasons"] for row in own]
    assert found["datatype"] == "BYTES"


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ({"inputs": tensors(name="num_song")}, "num_song", "no feature of this name"),
        ({"inputs": tensors(shape=[3])}, NAMES[0], "expected the shape [40] or [40, 1]"),
        ({"inputs": tensors(datatype="FLOAT")}, NAMES[0], "expected a datatype of"),
        ({"inputs": tensors(name=NAMES[1])}, NAMES[1], "expected one input of each name"),
        ({"inputs": tensors(data=["x"] * 40)}, NAMES[0], "expected a column of numbers"),
        ({"inputs": tensors(data=["x"] + [1] * 39)}, NAMES[0], "expected values of one kind"),
        ({"inputs": tensors(data=[-1] * 40)}, f"row 0: {NAMES[0]}", "expected a"),
        ({"inputs": tensors(), "outputs": [{"name": "risk"}]}, "outputs: risk", "expected churn_"),
        ({"inputs": tensors(), "outputs": REASONS * 2}, "outputs: reasons", "expected one output"),
        ({"inputs": tensors(), "outputs": REASONS * 4}, "outputs", "at most 3 items"),
        ({"input": []}, "inputs", "Field required"),
        ({"inputs": []}, "inputs", "at least 1 item"),
    ],
)
def test_request_that_does_not_fit_is_told_its_problem(
    client: httpx.Client, body: Any, field: str, problem: str
) -> None:
    answer = client.post(INFER, json=body)
    assert answer.status_code == 422
    found = answer.json()
    assert found["error"] == found["detail"]
    assert any(
        one["field"] == field and problem in one["problem"] for one in found["problems"]
    ), found


def test_unequal_columns_too_many_rows_and_other_models_are_refused(client: httpx.Client) -> None:
    short = client.post(INFER, json={"inputs": tensors(shape=[2], data=[1, 2])})
    assert (short.status_code, "different lengths" in short.text) == (422, True)
    many = [{"name": NAMES[0], "shape": [51], "datatype": "INT64", "data": [1] * 51}]
    assert client.post(INFER, json={"inputs": many}).status_code == 413
    for path in ("/v2/models/other/infer", "/v2/models/churn/versions/6/infer"):
        answer = client.post(path, json={"inputs": tensors()})
        assert answer.status_code == 404
        assert "the only one" in answer.json()["error"]


def test_more_values_than_a_batch_has_are_refused_before_they_are_read(
    client: httpx.Client,
) -> None:
    for path in (INFER, "/invocations"):
        answer = client.post(path, content=b"[" + b"0," * 200_000 + b"0]")
        assert (answer.status_code, "values" in answer.text) == (413, True)
    table = client.post(
        "/invocations", content=b"," * 200_000, headers={"content-type": "text/csv"}
    )
    assert table.status_code == 413
    assert client.post(INFER, content=b"[" * 5_000).status_code == 422
    assert client.post(INFER, content=b'{"inputs": NaN}').status_code == 422
    empty = b'{"instances": [' + b"{}, " * 50 + b"{}]}"
    assert client.post("/invocations", content=empty).status_code == 413


def test_model_says_what_it_takes_and_takes_it(client: httpx.Client) -> None:
    assert client.get("/v2").json()["name"] == "churn_spark"
    about = client.get("/v2/models/churn").json()
    assert about["versions"] == ["7"]
    assert {one["name"]: one["datatype"] for one in about["inputs"]} == {
        feature.name: "FP64" if feature.is_numeric else "BYTES" for feature in FEATURES
    }
    inputs = [
        {**one, "shape": [1], "data": [1.0 if one["datatype"] == "FP64" else "F"]}
        for one in about["inputs"]
    ]
    answer = client.post(INFER, json={"inputs": inputs, "outputs": about["outputs"]})
    assert answer.status_code == 422, "fields of metadata are no fields of a request"
    named = [{"name": one["name"]} for one in about["outputs"]]
    answer = client.post(INFER, json={"inputs": inputs, "outputs": named})
    assert [one["name"] for one in answer.json()["outputs"]] == [
        one["name"] for one in about["outputs"]
    ]
    assert client.get("/v2/models/churn/ready").json() == {"name": "churn", "ready": True}
    assert client.get("/v2/models/churn/versions/7/ready").status_code == 200


def test_health_needs_no_key_and_the_model_does(client: httpx.Client) -> None:
    with httpx.Client(base_url=client.base_url) as stranger:
        ready = stranger.get("/ready").status_code
        assert stranger.get("/v2/health/live").json() == {"live": True}
        assert stranger.get("/v2/health/ready").status_code == ready
        assert stranger.get("/ping").status_code == ready
        for path in ("/v2", "/v2/models/churn"):
            answer = stranger.get(path)
            assert (answer.status_code, "error" in answer.json()) == (401, True)
        answer = stranger.post("/invocations", json={})
        assert answer.json()["error_code"] == "BAD_REQUEST"


def as_mlflow(form: str) -> dict[str, Any]:
    """The rows as MLflow's own clients send them."""
    if form == "dataframe_split":
        split = json.loads(ROWS.to_json(orient="split"))
        return {form: split}
    if form == "inputs":
        return {form: {name: values_of(name) for name in ROWS}}
    return {form: json.loads(ROWS.to_json(orient="records"))}


@pytest.mark.parametrize("form", ["dataframe_split", "dataframe_records", "instances", "inputs"])
def test_invocation_is_the_bundle_s_own(client: httpx.Client, form: str) -> None:
    answer = client.post("/invocations", json=as_mlflow(form))
    assert answer.status_code == 200, answer.text
    found = [one["churn_probability"] for one in answer.json()["predictions"]]
    # pandas writes ten digits of JSON, the others all.
    atol = 1e-12 if form == "inputs" else 1e-6
    np.testing.assert_allclose(found, EXPECTED, rtol=0, atol=atol)


def test_invocation_by_csv_is_the_bundle_s_own(client: httpx.Client) -> None:
    sink = io.StringIO()
    ROWS.to_csv(sink, index=False)
    answer = client.post(
        "/invocations", content=sink.getvalue(), headers={"content-type": "text/csv; charset=utf-8"}
    )
    assert answer.status_code == 200, answer.text
    found = [one["churn_probability"] for one in answer.json()["predictions"]]
    np.testing.assert_allclose(found, EXPECTED, rtol=0, atol=1e-12)


def test_invocation_gives_reasons_where_params_ask(client: httpx.Client) -> None:
    body = as_mlflow("inputs")
    plain = client.post("/invocations", json=body).json()["predictions"]
    told = client.post("/invocations", json={**body, "params": {"explain": True}}).json()
    assert "reasons" not in plain[0]
    assert any(one["reasons"] for one in told["predictions"])


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[1]", "expected a JSON object with one of dataframe_split"),
        (b'{"rows": []}', "expected a JSON object with one of dataframe_split"),
        (b'{"instances": [1]}', "expected"),
        (b'{"inputs": {"num_sessions": 1}}', "expected"),
        (b'{"dataframe_split": {"columns": ["num_sessions"], "data": [[1, 2]]}}', "2 values"),
        (b'{"dataframe_split": {"columns": ["a", "a"], "data": []}}', "each once"),
        (b'{"instances": [{"num_sessions": -1}]}', "1 of 1 rows don't fit"),
        (b'{"instances": [{}], "params": {"why": true}}', "expected"),
    ],
)
def test_invocation_that_does_not_fit_is_told_so(
    client: httpx.Client, body: bytes, text: str
) -> None:
    answer = client.post("/invocations", content=body)
    assert (answer.status_code, text in answer.json()["message"]) == (422, True), answer.text
