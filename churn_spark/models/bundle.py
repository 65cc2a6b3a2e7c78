"""A model with all that belongs to it: trees, encoding, calibration, reference sample."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd

from churn_spark.arrays import Floats
from churn_spark.config import ScoringConfig
from churn_spark.contracts.features.parts import LEVEL_FEATURE
from churn_spark.contracts.features.spec import Feature, fingerprint, named
from churn_spark.contracts.features.topics import SCORE_FEATURE
from churn_spark.errors import FingerprintError
from churn_spark.models import explain
from churn_spark.models.behaviour.model import BehaviourModel
from churn_spark.models.calibration import Calibration
from churn_spark.models.encoding import Encoding
from churn_spark.models.fading.model import FadingModel
from churn_spark.models.fading_terms import FADING_SCORE, tell_fading
from churn_spark.models.offset import Offset
from churn_spark.models.offset_terms import offset_terms
from churn_spark.models.reason_choice import choose_reasons
from churn_spark.models.reasons import Reason
from churn_spark.models.survival.checked import CheckedCurves
from churn_spark.models.survival.curves import Curves
from churn_spark.models.survival.shapes import shape_of
from churn_spark.models.terms import Term, feature_terms
from churn_spark.timeline import Horizon

_TREES, _ENCODING, _CALIBRATION = "trees.txt", "encoding.json", "calibration.json"
_ABOUT, _BASELINE = "about.json", "baseline.parquet"
_FILES = (_TREES, _ENCODING, _CALIBRATION, _ABOUT, _BASELINE)
_BEHAVIOUR, _FADING = "behaviour.json", "fading.json"
POSITIVE_USERS = "n_positive_users"
"""The metric that says how many users of the validation have cancelled."""


@dataclass(frozen=True)
class ModelBundle:
    """All that scoring and monitoring need of a model; a folder of the registry.

    Attributes:
        native_text: LightGBM's text of the trees.
        encoding: from snapshot rows to the matrix.
        calibration: from margins to probabilities.
        base_rate: share of cancellations among the training rows.
        label: what is predicted: kind, horizon_days, gap_days.
        offset: what the trees add to; none: they hold everything.
        behaviour: model of the features of the set `behaviour`; none: they aren't used.
        fading: model of the features of the set `fading`; none: they aren't used.
        checked: its curves of how long users stay, held against what happened after earlier dates;
            none: of an older release, or where no cancellation is forecast.
        held_out: how its validation users were chosen: seed and validation_share; empty where an
            older release has trained it.
        baseline: sample of the training rows' features, `churn_probability` and segments, how much
            log there was before each, and `fold`, which marks one row of each user, for drift; of
            an older release without these.
        version: in the registry; empty before registration.
        metrics: of the validation, as they were registered; empty before registration.
        is_coarse: whether the baseline has coarse numbers, see `evaluation.coarse`.
    """

    native_text: str
    encoding: Encoding
    calibration: Calibration
    base_rate: float
    label: Mapping[str, Any]
    baseline: pd.DataFrame
    offset: Offset | None = None
    behaviour: BehaviourModel | None = None
    fading: FadingModel | None = None
    checked: CheckedCurves | None = None
    held_out: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    is_coarse: bool = False

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The trees in LightGBM's own library: the same predictions as in Spark, no JVM."""
        return lightgbm.Booster(model_str=self.native_text)

    @property
    def features(self) -> tuple[Feature, ...]:
        """The declarations of its inputs, in the order of the matrix."""
        return named(self.encoding.features)

    @property
    def horizon(self) -> Horizon:
        """Window and gap of what is predicted."""
        return Horizon(
            self.label["horizon_days"], self.label["gap_days"], self.label.get("grace_days", 0)
        )

    @property
    def typical_level(self) -> str | None:
        """The subscription that most of its training rows had; none where it didn't look."""
        level = self.encoding.typical.get(LEVEL_FEATURE)
        return level if isinstance(level, str) else None

    @property
    def n_checked(self) -> float:
        """Cancels that the level of its probabilities was validated on; 0 where unknown.

        Users who cancelled; of an older release their rows, of which each has several.
        """
        return self.metrics.get(POSITIVE_USERS, self.metrics.get("n_positive", 0.0))

    def without_baseline(self) -> ModelBundle:
        """The same model for scoring alone: small enough to be sent to every task."""
        return replace(self, baseline=self.baseline.iloc[:0])

    def margins(self, matrix: Floats) -> Floats:
        """Log-odds before calibration of an encoded matrix, shape (rows,)."""
        trees = np.asarray(self.booster.predict(matrix, raw_score=True, num_threads=1))
        return trees if self.offset is None else trees + self.offsets(matrix)

    def offsets(self, matrix: Floats) -> Floats:
        """What the trees add to, in log-odds, shape (rows,); zeros where there is no offset."""
        if self.offset is None:
            return np.zeros(len(matrix))
        return self.offset.values(matrix, self.encoding.features)

    def probabilities(self, rows: pd.DataFrame) -> Floats:
        """Calibrated chance to cancel of snapshot rows, shape (rows,): wherever it is asked."""
        return self.calibration.probabilities(self.margins(self.encoding.encode(rows)))

    @property
    def forecasts_cancels(self) -> bool:
        """Whether its probabilities are those of a cancellation that may still come."""
        is_past = self.label.get("kind") == "lifetime"
        return not is_past and self.label.get("churn", "cancel") == "cancel"

    def curves(self, rows: pd.DataFrame, probabilities: Floats) -> Curves:
        """How long each row's user stays, by its probability.

        Args:
            rows: with what the models of behaviour and of fading say, where it has these.
            probabilities: as served, shape (rows,).
        """
        days = self.horizon.days
        return shape_of(rows, self.offset, days).led_through(probabilities, days)

    def contributions(self, rows: pd.DataFrame) -> explain.Contributions:
        """What each feature adds to the margin of each row; it is checked that it adds up.

        The offset is measured from the typical row's, as the reasons name the typical value.

        Raises:
            ExplanationError: if a row's contributions don't add up to its margin.
        """
        return self.contributions_of(self.encoding.encode(rows))

    def contributions_of(self, matrix: Floats) -> explain.Contributions:
        """The same for an encoded matrix, shape (rows, features).

        Raises:
            ExplanationError: if a row's contributions don't add up to its margin.
        """
        found = explain.contributions(self.booster, matrix)
        if self.offset is not None:
            names, references = self.encoding.features, self.offset.parts_of(self.encoding.typical)
            found = found.with_offset(np.zeros(len(matrix)), None, self.offset.intercept)
            for name, part in self.offset.parts(matrix, names).items():
                found = found.with_offset(part, names.index(name), references[name])
        explain.check_sums(found, self.margins(matrix))
        return found

    def terms(self, rows: pd.DataFrame) -> list[Term]:
        """What the margin of each row is made of, beside a constant; it is checked that it adds up.

        Args:
            rows: the features; with the columns of `BEHAVIOUR_PARTS` where these are known.

        Raises:
            ExplanationError: if the terms and the constant don't add up to a row's margin.
        """
        matrix, typical = self.encoding.encode(rows), self.encoding.typical
        trees = explain.contributions(self.booster, matrix)
        terms = feature_terms(rows, matrix, trees.values, self.features, typical)
        constant = np.full(len(rows), trees.expected)
        if self.offset is not None:
            constant += self.offset.value_of(typical)
        if FADING_SCORE in self.encoding.features:
            terms = tell_fading(terms, *self._distances(FADING_SCORE, matrix), self.fading)
        if SCORE_FEATURE in self.encoding.features:
            column = self.encoding.features.index(SCORE_FEATURE)
            found = offset_terms(
                rows, *self._distances(SCORE_FEATURE, matrix), trees.values[:, column], typical
            )
            terms[column] = replace(terms[column], contributions=found.untold)
            terms += found.terms
            constant += found.constant
        values = np.column_stack([term.contributions for term in terms])
        explain.check_sums(explain.Contributions(values, constant), self.margins(matrix))
        return terms

    def _distances(self, score: str, matrix: Floats) -> tuple[Floats, float]:
        """Log-odds of another model's score from the typical row's, and the offset's slope."""
        start = Offset.at(score, self.offset.fallback if self.offset else self.base_rate)
        distances = start.values(matrix, self.encoding.features)
        slope = self.offset.slopes.get(score, 0.0) if self.offset else 0.0
        return distances - start.value_of(self.encoding.typical), slope

    def reasons(self, rows: pd.DataFrame, config: ScoringConfig) -> list[list[Reason]]:
        """Why the risk of each row is what it is, see `choose_reasons`.

        Raises:
            ExplanationError: if what moves a margin doesn't add up to it.
        """
        return choose_reasons(self.terms(rows), config)

    @property
    def knows_definitions(self) -> bool:
        """Whether its features are defined as they were in its training."""
        return self.encoding.fingerprint == fingerprint(self.features)

    def check_fingerprint(self) -> None:
        """Refuse to score features that are defined otherwise than in training.

        Raises:
            FingerprintError: if the definitions differ.
        """
        if not self.knows_definitions:
            raise FingerprintError(
                f"model version {self.version} was trained on feature definitions "
                f"{self.encoding.fingerprint}, expected {fingerprint(self.features)}: run "
                "`nightly`, which trains a new model and puts it in charge, or use the code that "
                "the model was trained with"
            )


def write_bundle(bundle: ModelBundle, folder: Path, metrics: Mapping[str, float]) -> None:
    """Write the bundle's files into an existing folder, with the metrics beside them."""
    for name, content in bundle_files(bundle, metrics).items():
        (folder / name).write_bytes(content)


def read_bundle(folder: Path, version: str) -> ModelBundle:
    """The bundle of a folder written by `write_bundle`; other files in it are not read."""
    found = {name: folder / name for name in (*_FILES, _BEHAVIOUR, _FADING)}
    return bundle_of(
        {name: path.read_bytes() for name, path in found.items() if path.exists()}, version
    )


def bundle_files(bundle: ModelBundle, metrics: Mapping[str, float]) -> dict[str, bytes]:
    """Name -> content of the files that hold a bundle, with the metrics among them."""
    about = {
        "base_rate": bundle.base_rate,
        "label": dict(bundle.label),
        "offset": None if bundle.offset is None else bundle.offset.to_dict(),
        "checked_curves": None if bundle.checked is None else bundle.checked.to_dict(),
        "held_out": dict(bundle.held_out),
        "metrics": dict(metrics),
        "is_coarse": bundle.is_coarse,
    }
    files = {
        _TREES: bundle.native_text.encode(),
        _ENCODING: bundle.encoding.to_json().encode(),
        _CALIBRATION: bundle.calibration.to_json().encode(),
        _ABOUT: json.dumps(about, indent=1).encode(),
        _BASELINE: bundle.baseline.to_parquet(index=False),
    }
    if bundle.behaviour is not None:
        files[_BEHAVIOUR] = bundle.behaviour.to_json().encode()
    if bundle.fading is not None:
        files[_FADING] = bundle.fading.to_json().encode()
    return files


def bundle_of(files: Mapping[str, bytes], version: str) -> ModelBundle:
    """The bundle that `bundle_files` has made files of.

    Raises:
        FileNotFoundError: if a file is missing.
    """
    if missing := sorted({*_FILES} - files.keys()):
        raise FileNotFoundError(f"no file {', '.join(missing)} in the model's folder")
    about = json.loads(files[_ABOUT])
    behaviour, fading = files.get(_BEHAVIOUR), files.get(_FADING)
    checked = about.get("checked_curves")
    return ModelBundle(
        native_text=files[_TREES].decode(),
        encoding=Encoding.from_json(files[_ENCODING].decode()),
        calibration=Calibration.from_json(files[_CALIBRATION].decode()),
        base_rate=about["base_rate"],
        label=about["label"],
        baseline=pd.read_parquet(io.BytesIO(files[_BASELINE])),
        offset=None if about["offset"] is None else Offset.from_dict(about["offset"]),
        behaviour=None if behaviour is None else BehaviourModel.from_json(behaviour.decode()),
        fading=None if fading is None else FadingModel.from_json(fading.decode()),
        checked=None if checked is None else CheckedCurves.from_dict(checked),
        held_out=about.get("held_out", {}),
        version=version,
        metrics=about["metrics"],
        # Older models have the exact numbers.
        is_coarse=about.get("is_coarse", False),
    )
