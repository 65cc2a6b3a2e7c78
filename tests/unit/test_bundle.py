"""A model bundle: it refuses other features and comes back from its folder unchanged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from churn_spark.contracts.features.spec import fingerprint, named
from churn_spark.errors import FingerprintError
from churn_spark.models.bundle import ModelBundle, read_bundle, write_bundle
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding
from churn_spark.models.offset import Offset

MATRIX = np.column_stack([np.arange(60.0), np.arange(60) % 3])


@pytest.fixture(scope="module")
def bundle() -> ModelBundle:
    parameters = {"objective": "binary", "num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}
    labels = (MATRIX[:, 0] > 30).astype(float)
    trees = lightgbm.train(parameters, lightgbm.Dataset(MATRIX, labels), num_boost_round=3)
    return ModelBundle(
        native_text=trees.model_to_string(),
        encoding=Encoding(("n", "os"), {"os": ("größer", "b")}, {"n": 2.5, "os": "b"}, "00aa"),
        calibration=Calibration("shift", (-1.25,)),
        base_rate=0.1,
        label={"kind": "horizon", "horizon_days": 14, "gap_days": 1},
        baseline=pd.DataFrame({"n": [1.0, np.nan], "os": ["b", None], "churn_probability": 0.1}),
        offset=None,
        version="3",
    )


def test_bundle_is_equal_when_read_from_its_folder(bundle: ModelBundle, tmp_path: Path) -> None:
    write_bundle(bundle, tmp_path, {"roc_auc": 0.7})
    found = read_bundle(tmp_path, "3")
    pd.testing.assert_frame_equal(found.baseline, bundle.baseline)
    assert replace(found, baseline=bundle.baseline) == replace(bundle, metrics={"roc_auc": 0.7})


def test_trees_predict_the_same_when_read_from_their_folder(
    bundle: ModelBundle, tmp_path: Path
) -> None:
    write_bundle(bundle, tmp_path, {})
    found = read_bundle(tmp_path, "3").booster.predict(MATRIX, num_threads=1)
    assert np.array_equal(found, bundle.booster.predict(MATRIX, num_threads=1))
    assert len(np.unique(found)) > 1


def test_model_is_accepted_when_the_definitions_are_equal(bundle: ModelBundle) -> None:
    features = named(["tenure_days", "os"])
    encoding = Encoding(("tenure_days", "os"), {"os": ("b",)}, {}, fingerprint(features))
    replace(bundle, encoding=encoding).check_fingerprint()


def test_model_is_refused_when_the_definitions_differ(bundle: ModelBundle) -> None:
    with pytest.raises(FingerprintError, match="version 3 was trained on feature definitions 00aa"):
        bundle.check_fingerprint()


def test_margins_are_those_of_the_trees_and_the_offset(bundle: ModelBundle) -> None:
    rows = pd.DataFrame({"n": [0.3, np.nan], "os": ["b", "unseen"]})
    matrix = bundle.encoding.encode(rows)
    plain = bundle.margins(matrix)
    moved = replace(bundle, offset=Offset.at("n", 0.5)).margins(matrix)
    assert moved - plain == pytest.approx([np.log(0.3 / 0.7), 0.0])
    assert bundle.probabilities(rows) == pytest.approx(expit(plain - 1.25))
