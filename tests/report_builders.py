"""An evaluation of realistic shape, drawn from a planted truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from churn_spark.config import CostsConfig
from churn_spark.contracts.features.spec import named
from churn_spark.evaluation.bootstrap import METRIC_NAMES
from churn_spark.evaluation.costs import capacity_threshold
from churn_spark.evaluation.examples import EXAMPLE_DAYS, choose_examples
from churn_spark.evaluation.metrics import evaluate
from churn_spark.models.reasons import Reason
from churn_spark.reports.card import ModelCard
from churn_spark.reports.data import EvaluationData

TEST_DATES = (date(2018, 11, 5), date(2018, 11, 12))
_SEGMENTS = {
    "level": ["free", "paid"],
    "tenure_band": ["under 30 days", "30 to 90 days", "over 90 days"],
    "os": ["Windows", "macOS", "iOS", "Linux"],
    "gender": ["F", "M"],
}
# Model -> standard deviation of the noise on the true log-odds; None: everybody alike.
_NOISE = {
    "base_rate": None,
    "rule": None,
    "logistic_regression": 0.9,
    "hazard": 1.1,
    "behaviour": 0.6,
    "lightgbm": 0.5,
    "oracle": 0.0,
    "unweighted": 0.52,
}
_FEATURES = {
    "n_downgrade_14d": ("visits of Downgrade in 14 days", "visits", 0.9),
    "visit_rate": ("expected sessions a day", "sessions/day", 0.8),
    "n_roll_advert_14d": ("adverts in 14 days", "visits", 0.5),
    "thumbs_down_per_song": ("thumbs down per song", "share", 0.4),
    "tenure_days": ("time since registration", "days", 0.1),
    "n_home_30d": ("visits of Home in 30 days", "visits", 0.0),
}


@dataclass(frozen=True)
class World:
    """Rows with their labels, and what each model says of them."""

    rows: pd.DataFrame
    predictions: pd.DataFrame


def build_evaluation(n_users: int = 4000, seed: int = 5, **card: Any) -> EvaluationData:
    """An evaluation of `n_users` test users; keyword arguments change its card."""
    generator = np.random.default_rng(seed)
    world = _build_world(generator, n_users)
    figures = _build_figures(generator, world.predictions)
    rows = world.rows
    primary = world.predictions[
        (world.predictions["cell"] == "both") & (world.predictions["model"] == "lightgbm")
    ].sort_values(["as_of", "user_id"], ignore_index=True)
    threshold = capacity_threshold(primary["churn_probability"].to_numpy(), 0.10)
    chosen = choose_examples(primary, threshold)
    return EvaluationData(
        card=ModelCard.model_validate({**_card(threshold), **card}),
        predictions=world.predictions,
        figures=figures,
        importance=_build_importance(),
        features=rows[["as_of", "user_id", *_FEATURES]],
        timelines=_build_timelines(generator, chosen),
        costs=CostsConfig(missed_cancel=10, wasted_offer=1, offer_success=1),
    )


def _build_world(generator: np.random.Generator, n_users: int) -> World:
    n = n_users * len(TEST_DATES)
    rows = pd.DataFrame(
        {
            "as_of": np.repeat(TEST_DATES, n_users),
            # Recognisable anywhere in a page, unlike a plain number.
            "user_id": [f"uid{7_000_000 + user}x" for user in range(n_users)] * len(TEST_DATES),
        }
    )
    for segment, values in _SEGMENTS.items():
        own = generator.choice(values, n_users)
        rows[segment] = np.tile(own, len(TEST_DATES))
    log_odds = np.full(n, -3.6) + 0.5 * (rows["level"] == "paid")
    for name, (_, _, weight) in _FEATURES.items():
        value = generator.normal(size=n)
        rows[name] = np.round(np.exp(value), 3)
        log_odds += weight * value
    rows["label"] = (generator.random(n) < expit(log_odds)).astype(int)
    rows["is_recent"] = generator.random(n) < 0.3 + 0.3 * expit(log_odds)
    parts = []
    for cell, share in (("both", 1.0), ("future", 0.8), ("new users", 0.7)):
        for model, noise in _NOISE.items():
            part = rows.head(int(share * n)).copy()
            own_odds = log_odds[: len(part)]
            if model == "base_rate":
                probability = np.full(len(part), rows["label"].mean())
            elif model == "rule":
                flagged = (part["level"] == "paid") & part["is_recent"]
                probability = np.where(flagged, 0.1, 0.04)
            else:
                noisy = own_odds + generator.normal(0, noise or 1e-9, len(part))
                probability = expit(noisy - 0.5 * (noise or 0) ** 2 * 0.5)
            part = part.assign(cell=cell, model=model, churn_probability=probability)
            own = _reasons(part) if model == "lightgbm" else [None] * len(part)
            part["reasons"] = [one and [reason.sentence for reason in one] for one in own]
            part["reason_fields"] = [one and [reason.fields() for reason in one] for one in own]
            parts.append(part)
    columns = ["as_of", "user_id", "cell", "model", "label", "churn_probability"]
    columns += ["reasons", "reason_fields"]
    predictions = pd.concat(parts, ignore_index=True)[[*columns, *_SEGMENTS]]
    return World(rows, predictions)


def _reasons(rows: pd.DataFrame) -> list[list[Reason]]:
    downgrade, rate_of_visits, level = named(
        ["num_downgrades", "visit_rate", "last_subscription_level"]
    )
    return [
        [
            (
                Reason(downgrade, 0.5, float(round(downgrades)), 1.0)
                if downgrades > rate
                else Reason(rate_of_visits, -0.4, round(float(rate), 1), 1.0)
            ),
            Reason(level, 0.1, "paid", "paid"),
        ]
        for downgrades, rate in zip(rows["n_downgrade_14d"], rows["visit_rate"], strict=True)
    ]


def _build_figures(generator: np.random.Generator, predictions: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for cell in ("both", "future", "new users"):
        here = predictions[predictions["cell"] == cell]
        values = {}
        for model in _NOISE:
            part = here[here["model"] == model]
            values[model] = _values_of(part)
            rows += _figure_rows(cell, "all", model, "", part, values[model])
        part = here[here["model"] == "lightgbm"]
        for versus in set(_NOISE) - {"lightgbm"}:
            lead = {m: values["lightgbm"][m] - values[versus][m] for m in values[versus]}
            rows += _figure_rows(cell, "all", "lightgbm", versus, part, lead)
        for segment, names in _SEGMENTS.items():
            for name in names:
                inside = part[part[segment] == name]
                found = _values_of(inside)
                rows += _figure_rows(cell, f"{segment}={name}", "lightgbm", "", inside, found)
    return pd.DataFrame(rows)


def _values_of(part: pd.DataFrame) -> dict[str, float]:
    labels, probabilities = part["label"].to_numpy(), part["churn_probability"].to_numpy()
    if not labels.sum():
        return dict.fromkeys(METRIC_NAMES, float("nan"))
    found = evaluate(labels, probabilities, capacity_threshold(probabilities, 0.1))
    return {name: getattr(found, name) for name in METRIC_NAMES}


def _figure_rows(
    cell: str, segment: str, model: str, versus: str, part: pd.DataFrame, values: dict[str, float]
) -> list[dict[str, Any]]:
    n, n_positive = len(part), int(part["label"].sum())
    reach = 0.6 / max(n_positive, 1) ** 0.5
    key = {"cell": cell, "segment": segment, "model": model, "versus": versus}
    return [
        {
            **key,
            "metric": metric,
            "value": value,
            "low": value - reach * (0.3 if versus else 1) * _scale(metric),
            "high": value + reach * (0.3 if versus else 1) * _scale(metric),
            "n": n,
            "n_positive": n_positive,
        }
        for metric, value in values.items()
    ]


def _scale(metric: str) -> float:
    return 0.1 if metric in ("brier", "calibration_error", "log_loss") else 1.0


def _build_importance() -> pd.DataFrame:
    weights = {name: 0.02 + weight for name, (_, _, weight) in _FEATURES.items()}
    total = sum(weights.values())
    ordered = sorted(weights, key=lambda name: -weights[name])
    return pd.DataFrame(
        {
            "feature": ordered,
            "meaning": [_FEATURES[name][0] for name in ordered],
            "unit": [_FEATURES[name][1] for name in ordered],
            "mean_abs_shap": [weights[name] for name in ordered],
            "share": [weights[name] / total for name in ordered],
            "rank_low": [max(1, rank - 1) for rank in range(1, len(ordered) + 1)],
            "rank_high": [rank + (rank > 1) for rank in range(1, len(ordered) + 1)],
            "gain": [weights[name] / total for name in ordered],
        }
    )


def _build_timelines(generator: np.random.Generator, chosen: pd.DataFrame) -> pd.DataFrame:
    rows = [
        (
            *(row["as_of"], row["user_id"], day, int(generator.integers(1, 4))),
            *(int(generator.poisson(40)), int(generator.poisson(1)), int(generator.poisson(0.2))),
        )
        for row in chosen.to_dict("records")
        for day in range(-EXAMPLE_DAYS, 0)
        if generator.random() < 0.4
    ]
    names = ["as_of", "user_id", "day", "n_sessions", "n_songs", "n_adverts", "n_downgrades"]
    return pd.DataFrame(rows, columns=names)


def _card(threshold: float) -> dict[str, Any]:
    return {
        "run_id": "9f2c",
        "model_version": "3",
        "train_dates": tuple(date(2018, 10, day) for day in (1, 8, 15)),
        "test_dates": TEST_DATES,
        "horizon_days": 14,
        "gap_days": 1,
        "population": "users with an event in the last 60 days who have not cancelled",
        "base_rate": 0.046,
        "n_train_users": 16_000,
        "n_test_users": 4_000,
        "feature_sets": ("report", "windows", "behaviour"),
        "fingerprint": "0123456789abcdef",
        "engine": "LightGBM by SynapseML",
        "parameters": {"num_leaves": 7, "learning_rate": 0.03, "rounds": 120},
        "calibration": "a shift of the log-odds, measured on the training rows",
        "threshold": threshold,
        "threshold_reason": "a tenth of the users, chosen on the stopping users",
    }
