"""Nights of monitoring as the policy would have lived them: frames of realistic shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from bench.ks_samples import count_bins
from churn_spark.config import load_config
from churn_spark.contracts.features.spec import FEATURES
from churn_spark.contracts.tables import ALERTS, DRIFT, PERFORMANCE
from churn_spark.monitoring.alerts.alerts import (
    Alert,
    find_in_data,
    find_in_decision,
    update_alerts,
)
from churn_spark.monitoring.alerts.joint import find_joint_drift
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.drift.comparisons import COMPARISONS, TRAINING, code_reference
from churn_spark.monitoring.drift.joint import JOINT
from churn_spark.monitoring.drift.ks import ReferenceSample, build_reference
from churn_spark.monitoring.policy.evidence import (
    ChallengerComparison,
    DriftFact,
    Evidence,
    JointFact,
    MetricChange,
)
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.hysteresis import update_breached
from churn_spark.monitoring.policy.policy import PREDICTION, decide, start_policy
from churn_spark.monitoring.policy.policy_state import Decision, PolicyState
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.overlay import Mix, Overlay, build_mix, build_overlay

CONFIG = load_config(overrides=["policy.self_calibrate=false"])
LAST = date(2018, 12, 1)
N_ROWS = 22_000
NAMES = tuple(feature.name for feature in FEATURES)
SLICES = (
    "level=free", "level=paid", "tenure_band=up to 30 days", "tenure_band=30 to 90 days",
    "tenure_band=over 90 days", "os=Windows", "os=macOS", "os=iOS", "os=Linux",
)  # fmt: skip
_CATEGORIES = {feature.name for feature in FEATURES if not feature.is_numeric}
_TRENDING = {feature.name for feature in FEATURES if feature.is_trending}
_METRICS = {
    "roc_auc": 0.77, "average_precision": 0.19, "f1": 0.24, "log_loss": 0.17, "brier": 0.042,
    "calibration_error": 0.006,
}  # fmt: skip
_PASSED = (
    CheckResult("volume", 1e5, "60,000 to 240,000", True, "100,000 events, as usual"),
    CheckResult("freshness", 0.2, "at most 24 hours", True, "the newest event is 0.2 hours old"),
)
FAILED = CheckResult(
    "nulls:os", 0.31, "at most 5.0% above 0.0%", False,
    "31.0% of os are null, expected at most 5.0% above 0.0%",
)  # fmt: skip


def build_nights(
    n_nights: int = 90,
    *,
    names: Sequence[str] = NAMES,
    moving: Mapping[str, float] | None = None,
    failed_last: bool = False,
    n_rows: int = N_ROWS,
    n_windows: int = 11,
    drop: float = 0.0,
    auc: float = 0.503,
    seed: int = 3,
) -> NightData:
    """Nights up to `LAST` as the policy would have lived them.

    Args:
        n_nights: nights; the first is that of the first training.
        names: features.
        moving: feature -> D that it reaches over the last 30 nights; default: three of them.
        failed_last: the data of the last night failed their checks.
        n_rows: users.
        n_windows: labelled windows so far.
        drop: of every metric on the last windows.
        auc: of all features at once, on the last three nights.
        seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    shifts = (
        moving if moving is not None else dict(zip(names[5:8], (0.21, 0.12, 0.07), strict=True))
    )
    importance = dict(
        zip(names, np.sort(generator.dirichlet(np.full(len(names), 0.4)))[::-1], strict=True)
    )
    for number, name in enumerate(shifts):
        importance[name] = 0.09 / (1 + number)
    nights = [LAST - timedelta(days=n_nights - 1 - n) for n in range(n_nights)]
    state = start_policy("1", nights[0], CONFIG.policy)
    first = Decision(nights[0], "promote", "first", "there was no model before", "1")
    entries = [Entry(0, first, None, None, state, CONFIG.policy)]
    alerts: list[Alert] = []
    alert_rows, history, performance = [], [], []
    drift = pd.DataFrame(columns=[*DRIFT.column_names, "statistic"])
    for number, night in enumerate(nights):
        failed = [FAILED] if (failed_last and night == LAST) else []
        reach = float(np.clip((number - n_nights + 31) / 25, 0, 1))
        sizes = {name: shifts.get(name, 0.0) * reach for name in [*names, PREDICTION]}
        champion = state.champion
        facts = {} if failed else _facts(generator, sizes, importance, n_rows)
        performance += _performance(generator, night, champion, number, n_windows, drop, n_rows)
        for fact in facts.values():
            history.append((night, fact.feature, champion, fact.statistic, fact.lower_bound))
        if facts and night in nights[-2:]:
            joint = joint_fact(auc if number >= n_nights - 3 else 0.503, names)
            drift = _drift(generator, night, champion, facts, n_rows, state.breached, joint)
        evidence = Evidence(
            n_rows,
            tuple(check.name for check in failed),
            tuple(fact for name, fact in facts.items() if name != PREDICTION),
            facts.get(PREDICTION),
            _changes(performance, night),
            joint=None if failed else joint_fact(auc if number >= n_nights - 3 else 0.503, names),
        )
        tonight = _decide(entries, state, evidence, night)
        assert tonight[-1].after is not None
        state = tonight[-1].after
        findings = list(find_in_data(failed))
        for entry in tonight:
            findings += find_in_decision(entry.after, entry.decision, entry.policy, entry.evidence)
            findings += find_joint_drift(entry.after, entry.evidence, entry.policy)
        is_judged = tonight[0].decision.rule not in ("data_checks", "too_few_rows")
        found, notices = update_alerts(alerts, findings, CONFIG.alerts, night, is_judged)
        changes = {notice.alert.key: notice.change for notice in notices}
        alert_rows += [
            {**asdict(alert), "run_date": night, "change": changes.get(alert.key, "kept")}
            for alert in found
        ]
        alerts = [alert for alert in found if alert.resolved is None]
    data = NightData(
        night=LAST,
        entries=tuple(entries),
        checks=(*_PASSED, *((FAILED,) if failed_last else ())),
        alerts=pd.DataFrame(alert_rows, columns=ALERTS.column_names),
        drift=drift,
        history=pd.DataFrame(
            history, columns=["run_date", "feature", "model_version", "statistic", "lower_bound"]
        ),
        performance=pd.DataFrame(performance, columns=PERFORMANCE.column_names),
        shapes=(),
        policy=CONFIG.policy,
        trained=state.last_retrain if state.champion != "1" else nights[0],
    )
    return replace(data, shapes=_shapes(generator, data, shifts))


def build_first_night() -> NightData:
    """The night of the first training: nothing before it, no label since."""
    return build_nights(1, n_windows=0)


def build_before_any_model() -> NightData:
    """A night whose data failed before there was a model."""
    data = build_nights(1, n_windows=0, failed_last=True)
    held = Decision(LAST, "hold", "data_checks", "the data failed their checks: nulls:os")
    return replace(
        data,
        entries=(Entry(0, held, None, None, None, CONFIG.policy),),
        performance=data.performance.head(0),
        shapes=(),
        trained=None,
    )


def sample(name: str, seed: int = 0) -> np.ndarray[Any, Any]:
    """Values of a feature in the training rows; whole numbers for every other feature."""
    values = np.random.default_rng([seed, len(name)]).gamma(1.2, 8.0, 20_000)
    return np.floor(values) if len(name) % 2 else values


def baseline_of(name: str) -> ReferenceSample:
    """The training rows of a feature; four levels of a category."""
    if name in _CATEGORIES:
        return code_reference(np.arange(20_000) % 7 % 4, 4)
    return build_reference(sample(name) / 100 if name == PREDICTION else sample(name))


def _decide(
    entries: list[Entry], state: PolicyState, evidence: Evidence, night: date
) -> list[Entry]:
    """The night's decisions; a challenger is there at once, and wins every other time."""
    tonight: list[Entry] = []
    for challenged in (False, True):
        before = state
        if challenged:
            version = str(1 + sum(entry.decision.kind == "retrain" for entry in entries))
            gain = 0.012 if int(version) % 2 == 0 else 0.001
            rival = ChallengerComparison(
                version, state.champion, gain, gain - 0.008, -0.001 if gain > 0.01 else 0.002, 0.0
            )
            evidence = replace(evidence, challenger=rival)
        state, decision = decide(before, evidence, CONFIG.policy, night)
        number = sum(entry.decision.night == night for entry in entries)
        tonight.append(Entry(number, decision, before, evidence, state, CONFIG.policy))
        entries.append(tonight[-1])
        if decision.kind != "retrain":
            break
    return tonight


def _facts(
    generator: np.random.Generator,
    sizes: Mapping[str, float],
    importance: Mapping[str, float],
    n_rows: int,
) -> dict[str, DriftFact]:
    noise = 0.6 / n_rows**0.5
    facts = {}
    for name, size in sizes.items():
        trend = 0.4 if name in _TRENDING else 0.0
        d = abs(float(generator.normal(max(size, trend), noise))) + 0.5 * noise
        bound = max(0.0, d - 1.358 * (2 / n_rows) ** 0.5)
        facts[name] = DriftFact(
            name, d, bound, 1e-6 if bound > 0.01 else 0.6, float(importance.get(name, 0.0)),
            name in _TRENDING,
        )  # fmt: skip
    return facts


def _drift(
    generator: np.random.Generator,
    night: date,
    version: str,
    facts: Mapping[str, DriftFact],
    n_rows: int,
    before: Sequence[str],
    joint: JointFact,
) -> pd.DataFrame:
    is_judged = n_rows >= CONFIG.policy.min_rows
    moved = update_breached(before, facts.values(), CONFIG.policy) if is_judged else before
    rows: list[dict[str, Any]] = [
        {
            "run_date": night, "model_version": version, "slice": "all", "status": "ok",
            **dict.fromkeys(("comparison", "feature", "kind"), JOINT),
            "n_baseline": 5000, "n_current": 5000, "importance": joint.importance,
            "is_trending": False, "is_breached": False, "auc": joint.auc, "auc_low": joint.low,
            "auc_high": joint.high, "told_by": list(joint.told_by),
        }
    ]  # fmt: skip
    for comparison in COMPARISONS:
        for place in ("all", *SLICES):
            share = 1.0 if place == "all" else float(generator.uniform(0.1, 0.6))
            for name, fact in facts.items():
                scale = 1.0 if comparison == TRAINING else 0.1
                d = scale * fact.statistic * (1 if place == "all" else generator.uniform(0.6, 1.5))
                is_category = name in _CATEGORIES
                rows.append(
                    {
                        "run_date": night,
                        "comparison": comparison,
                        "slice": place,
                        "feature": name,
                        "model_version": version,
                        "kind": "category" if is_category else "number",
                        "status": "ok",
                        "n_baseline": 20_000,
                        "n_current": int(share * n_rows),
                        "missing_rate_baseline": 0.0,
                        "missing_rate_current": 0.0,
                        "zero_rate_baseline": None if is_category else 0.08,
                        "zero_rate_current": None if is_category else 0.08 + d / 3,
                        "ks_statistic": None if is_category else d,
                        "total_variation": d if is_category else None,
                        "lower_bound": scale * fact.lower_bound,
                        "location": 0.06 if name == PREDICTION else 6.0,
                        "direction": "none" if is_category else "higher" if d > 0.1 else "lower",
                        "psi_corrected": d * d * 5,
                        "wasserstein": None if is_category else 12 * d,
                        "unseen_rate_baseline": 0.01 if is_category else None,
                        "unseen_rate_current": 0.02 if is_category else None,
                        "importance": fact.importance,
                        "is_trending": fact.is_trending,
                        "is_breached": name in moved
                        or (
                            fact.is_trending and fact.lower_bound > CONFIG.policy.enter_lower_bound
                        ),
                        "statistic": d,
                        **(
                            _contributions(fact) if (comparison, place) == (TRAINING, "all") else {}
                        ),
                    }
                )
    return pd.DataFrame(rows, columns=[*DRIFT.column_names, "statistic"])


def joint_fact(auc: float, names: Sequence[str]) -> JointFact:
    """What trees make of all features at once, told most by three of them."""
    return JointFact(auc, auc - 0.016, auc + 0.016, tuple(names[10:13]), 0.04)


def _contributions(fact: DriftFact) -> dict[str, float]:
    """A feature that has moved has a larger part in the scores."""
    before = fact.importance * 1.2
    now = before * (1 + fact.statistic)
    return {
        "contribution_baseline": before, "contribution_current": now,
        "contribution_error": 0.03 * before,
    }  # fmt: skip


def _performance(
    generator: np.random.Generator,
    night: date,
    version: str,
    number: int,
    n_windows: int,
    drop: float,
    n_rows: int,
) -> list[dict[str, Any]]:
    about = {"run_date": night, "model_version": version}
    rows: list[dict[str, Any]] = [
        {
            **about, "basis": "expected", "slice": "all", "metric": metric, "n_rows": n_rows,
            "window_start": night, "window_end": night + timedelta(days=7),
            "value": value + float(generator.normal(0, 0.002)),
        }
        for metric, value in
        [("roc_auc", 0.775), ("average_precision", 0.2), ("f1", 0.25), ("base_rate", 0.045)]
    ]  # fmt: skip
    weeks_left = (LAST - night).days // 7
    if number % 7 or weeks_left >= n_windows:
        return rows
    window = night - timedelta(days=16)
    loss = drop if weeks_left < 3 else 0.0
    for place in ("all", *SLICES):
        for metric, usual in _METRICS.items():
            sign = 1 if metric in ("log_loss", "brier", "calibration_error") else -1
            reach = 0.012 if place == "all" else 0.04
            value = usual + sign * loss + float(generator.normal(0, reach / 4))
            rows.append(
                {
                    **about, "basis": "labels", "slice": place, "metric": metric,
                    "window_start": window, "window_end": window + timedelta(days=7),
                    "value": value, "low": value - reach, "high": value + reach,
                    "n_rows": n_rows if place == "all" else n_rows // 3,
                    "n_positive": int(0.045 * n_rows), "n_cancels": int(0.045 * n_rows),
                    "reference": usual,
                    "difference": value - usual, "difference_low": value - usual - 1.2 * reach,
                    "difference_high": value - usual + 1.2 * reach,
                }
            )  # fmt: skip
    return rows


def _changes(performance: Sequence[Mapping[str, Any]], night: date) -> tuple[MetricChange, ...]:
    rows = [r for r in performance if r["basis"] == "labels" and r["slice"] == "all"]
    newest = max((row["window_end"] for row in rows), default=None)
    return tuple(
        MetricChange(
            row["metric"], row["window_start"], row["window_end"], row["difference"],
            row["difference_low"], row["difference_high"], row["n_positive"],
        )
        for row in rows
        if row["window_end"] == newest
    )  # fmt: skip


def _shapes(
    generator: np.random.Generator, data: NightData, shifts: Mapping[str, float]
) -> tuple[Overlay | Mix, ...]:
    shapes: list[Overlay | Mix | None] = []
    for name in [PREDICTION, *data.shown] if not data.drift.empty else []:
        baseline = baseline_of(name)
        if name in _CATEGORIES:
            codes = generator.permutation(np.arange(5_000) % 7 % 4)
            shapes.append(build_mix(name, baseline, count_bins(baseline, codes), list("abcd")))
            continue
        now = generator.choice(baseline.edges, 5_000, p=baseline.counts / baseline.n)
        # So many users do more than nearly all did before.
        n_moved = int(shifts.get(name, 0.0) * len(now))
        now[:n_moved] += np.quantile(baseline.edges, 0.3)
        shapes.append(build_overlay(name, baseline, count_bins(baseline, now)))
    return tuple(shape for shape in shapes if shape is not None)
