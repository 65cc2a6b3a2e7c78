"""One row and many rows: the same answer as in scoring, whatever way they come."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import basic
from serving_builders import make_bundle, make_config, make_rows

from churn_spark.contracts.features.spec import FEATURES
from churn_spark.errors import ChampionError, FingerprintError, RequestError
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.offset import Offset
from churn_spark.scoring.bands import BandLimits
from churn_spark.serving import batches, contract
from churn_spark.serving.batches import BatchLimits
from churn_spark.serving.predictor import Predictor, build_predictor
from churn_spark.serving.trees import SingleRowTrees, has_fast_walk

BUNDLE = replace(make_bundle(), version="7")
CONFIG = make_config(Path("nowhere"))
PREDICTOR = build_predictor(BUNDLE, CONFIG.scoring, {})
ROWS = make_rows(400, seed=5)
NUMBERS = [feature for feature in FEATURES if feature.is_numeric]


def records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows as JSON would hold them: what is missing is null or left out by turns."""
    found = []
    for position, row in enumerate(rows.to_dict("records")):
        clean = {str(name): None if pd.isna(value) else value for name, value in row.items()}
        if position % 2:
            clean = {name: value for name, value in clean.items() if value is not None}
        found.append(clean)
    return found


def refused(body: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        contract.parse_user(body)
    return caught.value


def arrow_body(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_single_row_is_bulk_to_1e_12() -> None:
    one_by_one = [PREDICTOR.predict_one(row) for row in records(ROWS)]
    np.testing.assert_allclose(one_by_one, BUNDLE.probabilities(ROWS), rtol=0, atol=1e-12)
    assert len(set(one_by_one)) > 100


@settings(deadline=None, max_examples=60)
@given(
    row=st.fixed_dictionaries(
        {},
        optional={
            f.name: (
                st.one_of(st.none(), st.floats(0, f.bounds[1] or 1e12), st.integers(0, 1))
                if f.is_numeric
                else st.one_of(st.none(), st.text(max_size=4), st.sampled_from(["paid", "CA"]))
            )
            for f in FEATURES
        },
    )
)
def test_single_row_is_bulk_for_any_row(row: dict[str, Any]) -> None:
    frame = pd.DataFrame({f.name: pd.Series([row.get(f.name)], dtype=object) for f in FEATURES})
    assert PREDICTOR.predict_one(row) == pytest.approx(BUNDLE.probabilities(frame)[0], abs=1e-12)


def test_public_way_through_the_trees_is_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = SingleRowTrees(BUNDLE.booster, BUNDLE.encoding)
    expected = [fast.margin(row) for row in records(ROWS)]
    monkeypatch.setattr(lightgbm, "__version__", "9.0.0")
    plain = SingleRowTrees(BUNDLE.booster, BUNDLE.encoding)
    assert (fast.is_fast, plain.is_fast) == (True, False)
    assert [plain.margin(row) for row in records(ROWS)] == expected


@pytest.mark.parametrize("private", ["_LIB", "_safe_call"])
def test_without_a_private_part_the_public_way_is_taken(
    monkeypatch: pytest.MonkeyPatch, private: str
) -> None:
    assert has_fast_walk(BUNDLE.booster, lightgbm.__version__)
    with monkeypatch.context() as changed:
        changed.delattr(basic, private)
        assert not has_fast_walk(BUNDLE.booster, lightgbm.__version__)


@pytest.mark.parametrize(
    ("version", "is_tested"), [("4.7.0", True), ("4.6.9", False), ("4.8.0", False), ("5.0", False)]
)
def test_fast_way_is_for_the_tested_versions(version: str, is_tested: bool) -> None:
    assert has_fast_walk(BUNDLE.booster, version) == is_tested


def test_single_row_is_bulk_with_an_offset() -> None:
    offset = Offset.at("behaviour_probability", 0.07)
    bundle = replace(BUNDLE, offset=offset)
    expected = bundle.probabilities(ROWS)
    baseline = BUNDLE.baseline.copy()
    margins = bundle.margins(baseline[list(bundle.encoding.features)].to_numpy())
    baseline["churn_probability"] = bundle.calibration.probabilities(margins)
    predictor = build(replace(bundle, baseline=baseline))
    found = [predictor.predict_one(row) for row in records(ROWS)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert np.abs(expected - BUNDLE.probabilities(ROWS)).max() > 0.01
    with pytest.raises(ChampionError, match="off by"):
        build(bundle)


def sentences() -> list[list[str]]:
    return [[one.sentence for one in several] for several in BUNDLE.reasons(ROWS, CONFIG.scoring)]


def test_reasons_of_one_row_are_those_of_scoring() -> None:
    expected = sentences()
    assert [PREDICTOR.explain_one(row) for row in records(ROWS.head(20))] == expected[:20]


@pytest.mark.parametrize(
    ("values", "field", "problem"),
    [
        ({"num_sessions": -1}, "num_sessions", "greater than or equal to 0"),
        ({"num_sessions": 2.5}, "num_sessions", "whole number"),
        ({"num_sessions": "2"}, "num_sessions", "valid number"),
        ({"num_sessions": True}, "num_sessions", "valid number"),
        ({"num_sessions": 2**60}, "num_sessions", "less than or equal"),
        ({"behaviour_probability": 1.5}, "behaviour_probability", "less than or equal to 1"),
        ({"tenure_days": float("nan")}, "tenure_days", "finite"),
        ({"os": 3}, "os", "valid string"),
        ({"os": "x" * 300}, "os", "at most 200"),
        ({"sessions": 3}, "sessions", "no feature of this name"),
        ({"num_sessions": 2**53 + 1}, "num_sessions", "less than or equal"),
        ({"as_of": "yesterday", "os": "Mac"}, "as_of", "valid date"),
        ({"as_of": 0, "os": "Mac"}, "as_of", "a date like 2018-11-30"),
    ],
)
def test_value_is_refused_by_name(values: dict[str, Any], field: str, problem: str) -> None:
    (found,) = refused(json.dumps(values).encode()).problems
    assert found["field"] == field
    assert problem in str(found["problem"])


def test_every_problem_of_a_row_is_named() -> None:
    error = refused(b'{"num_sessions": -1, "os": 3, "nonsense": 1, "tenure_days": "x"}')
    assert {one["field"] for one in error.problems} == {
        "num_sessions",
        "os",
        "nonsense",
        "tenure_days",
    }


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"3", b'"x"', b"\xff", b"{}", b'{"os":null}'])
def test_body_is_refused_when_it_is_no_row(body: bytes) -> None:
    assert refused(body).status == 422


def test_whole_number_may_be_written_as_a_float() -> None:
    assert contract.parse_user(b'{"num_sessions": 4.0}')["num_sessions"] == 4


@settings(deadline=None)
@given(
    values=st.lists(st.floats(width=64), min_size=1, max_size=20), feature=st.sampled_from(NUMBERS)
)
def test_column_bounds_are_those_of_the_row(values: list[float], feature: Any) -> None:
    by_column = contract.possible(np.array(values), feature)
    for value, is_possible in zip(values, by_column, strict=True):
        if np.isnan(value):
            assert is_possible
            continue
        try:
            contract.UserFeatures.model_validate({feature.name: value})
            assert is_possible
        except ValueError:
            assert not is_possible


@pytest.mark.parametrize("kind", ["json", "arrow", "parquet"])
def test_batch_is_scoring_in_every_format(kind: str) -> None:
    if kind == "json":
        body, content = json.dumps({"rows": records(ROWS)}).encode(), "application/json"
    else:
        table = pa.Table.from_pandas(ROWS, preserve_index=False)
        sink = io.BytesIO()
        pq.write_table(table, sink)
        body = arrow_body(table) if kind == "arrow" else sink.getvalue()
        content = batches.ARROW if kind == "arrow" else batches.PARQUET
    answers = batches.answer_batch(
        batches.read_batch(body, content, BatchLimits(1000)), PREDICTOR, explain=True
    )
    np.testing.assert_allclose(
        answers.columns["churn_probability"], BUNDLE.probabilities(ROWS), rtol=0, atol=1e-12
    )
    assert answers.columns["reasons"] == sentences()
    assert answers.n_failed == 0


def test_unfit_rows_are_told_apart_in_json() -> None:
    rows = [{"num_sessions": 3, "user_id": "a"}, {"num_sessions": -3}, 7, {}, {"os": "Mac"}]
    batch = batches.read_batch(json.dumps(rows).encode(), "application/json", BatchLimits(10))
    answers = batches.answer_batch(batch, PREDICTOR, explain=False)
    assert sorted(batch.problems) == [1, 2, 3]
    assert [one is None for one in answers.columns["churn_probability"]] == [
        *(False, True, True, True, False)
    ]
    assert answers.columns["churn_probability"][4] == PREDICTOR.predict_one({"os": "Mac"})
    written = json.loads(batches.write_json(answers, PREDICTOR))
    assert (written["n_rows"], written["n_failed"]) == (5, 3)
    assert written["rows"][0].keys() == {"row", "user_id", "churn_probability", "risk_band"}
    assert written["rows"][1].keys() == {"row", "problems"}


def test_unfit_rows_are_told_apart_in_arrow() -> None:
    table = pa.table(
        {"num_sessions": [3.0, -3.0, 2.5, None], "user_id": ["a", "b", "c", "d"], "os": [None] * 4}
    )
    batch = batches.read_batch(arrow_body(table), batches.ARROW, BatchLimits(10))
    answers = batches.answer_batch(batch, PREDICTOR, explain=False)
    written = pa.ipc.open_stream(batches.write_arrow(answers, PREDICTOR)).read_all().to_pydict()
    assert [one is None for one in written["churn_probability"]] == [False, True, True, True]
    assert written["churn_probability"][0] == PREDICTOR.predict_one({"num_sessions": 3})
    assert written["user_id"] == ["a", "b", "c", "d"]
    assert written["problems"] == [
        None,
        ["num_sessions: expected a whole number that isn't negative (found -3.0)"],
        ["num_sessions: expected a whole number that isn't negative (found 2.5)"],
        [": no feature has a value, expected one at least (found {})"],
    ]


def test_columns_are_refused_by_name_before_their_rows_are_read() -> None:
    table = pa.table({"num_sessions": ["3"], "os": [3], "nonsense": [1], "tenure_days": [True]})
    with pytest.raises(RequestError) as caught:
        batches.read_batch(arrow_body(table), batches.ARROW, BatchLimits(10))
    assert [one["field"] for one in caught.value.problems] == table.column_names


@pytest.mark.parametrize("kind", [batches.ARROW, batches.PARQUET, "application/json"])
def test_batch_is_refused_when_it_has_too_many_rows(kind: str) -> None:
    table = pa.table({"num_sessions": [1.0] * 11})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    body = {
        batches.ARROW: arrow_body(table),
        batches.PARQUET: sink.getvalue(),
        "application/json": json.dumps(table.to_pylist()).encode(),
    }[kind]
    with pytest.raises(RequestError, match="more than 10 rows") as caught:
        batches.read_batch(body, kind, BatchLimits(10))
    assert caught.value.status == 413
    assert len(batches.read_batch(body, kind, BatchLimits(11)).rows) == 11


@pytest.mark.parametrize("kind", [batches.ARROW, batches.PARQUET, "application/json"])
def test_batch_is_refused_when_it_is_unreadable(kind: str) -> None:
    with pytest.raises(RequestError) as caught:
        batches.read_batch(b"nonsense", kind, BatchLimits(10))
    assert caught.value.status == 422


def test_batch_may_be_empty() -> None:
    batch = batches.read_batch(b'{"rows": []}', "application/json", BatchLimits(10))
    assert batches.answer_batch(batch, PREDICTOR, explain=True).columns["churn_probability"] == []


def test_band_begins_at_its_limit() -> None:
    limits = BandLimits.of(0.125, CONFIG.scoring)
    assert [limits.band(one) for one in (0.0, 0.187, 0.1875, 0.374, 0.375)] == [
        *("low", "low", "medium", "medium", "high")
    ]


def build(bundle: ModelBundle) -> Predictor:
    return build_predictor(bundle, CONFIG.scoring, {})


def test_model_is_refused_when_it_answers_otherwise_than_in_training() -> None:
    moved = Calibration("shift", (BUNDLE.calibration.parameters[0] + 1e-6,))
    with pytest.raises(ChampionError, match="off by"):
        build(replace(BUNDLE, calibration=moved))


def test_model_is_refused_when_its_levels_are_permuted() -> None:
    levels = {**BUNDLE.encoding.levels, "os": BUNDLE.encoding.levels["os"][:-2]}
    with pytest.raises((ChampionError, IndexError)):
        build(replace(BUNDLE, encoding=replace(BUNDLE.encoding, levels=levels)))


def test_model_is_refused_when_it_remembers_no_rows_or_nan() -> None:
    with pytest.raises(ChampionError, match="no baseline"):
        build(replace(BUNDLE, baseline=BUNDLE.baseline.iloc[:0]))
    with pytest.raises(ChampionError, match="off by nan"):
        build(replace(BUNDLE, baseline=BUNDLE.baseline.assign(churn_probability=np.nan)))


def test_model_is_refused_when_its_features_are_defined_otherwise() -> None:
    with pytest.raises(FingerprintError):
        build(replace(BUNDLE, encoding=replace(BUNDLE.encoding, fingerprint="00")))
