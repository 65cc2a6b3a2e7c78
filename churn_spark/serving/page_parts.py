"""The page: today's list, one user's history, the model's health. No script, no outside asset."""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any, Final

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from churn_spark import wording
from churn_spark.churn_words import page_in_words
from churn_spark.config import PolicyConfig
from churn_spark.contracts.features.segments import ALL
from churn_spark.models.reasons import read_reasons
from churn_spark.monitoring.alerts.alerts import CONFIRMED_DRIFT, severity_order
from churn_spark.monitoring.drift.comparisons import NOT_COMPARABLE, TRAINING
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.drift.joint import JOINT
from churn_spark.monitoring.drift.movement import NOT_JUDGED, Movement, describe_wait
from churn_spark.monitoring.performance.effect import describe_effect, name_slice, newest_total
from churn_spark.monitoring.policy.calibration import describe_thresholds
from churn_spark.monitoring.policy.policy_state import PolicyState, from_json
from churn_spark.serving.stores import Partition

_ENVIRONMENT: Final = Environment(
    loader=PackageLoader("churn_spark.serving"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
MOVED: Final = "drifted"
"""State of what counts as moved."""
_CHART_WIDTH, _CHART_HEIGHT, _CHART_MARGIN = 640.0, 180.0, 10.0


def _style() -> str:
    source = _ENVIRONMENT.loader
    assert source is not None
    return source.get_source(_ENVIRONMENT, "style.css")[0]


STYLE: Final = _style()
_DIGEST: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
CONTENT_SECURITY_POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Only this one style sheet applies, by its hash; nothing is loaded, nothing is run."""


def render(name: str, *, root: str = "", **values: Any) -> bytes:
    """A page of `templates/`, as UTF-8, whose links begin with the path `root`."""
    page: str = _template(name).render(style=STYLE, root=root, **values)
    return page_in_words(page).encode()


def sign_in_page(root: str, problem: str = "") -> bytes:
    """The form that asks for a key.

    Args:
        root: path under which a proxy shows the service; empty where it has none.
        problem: why the last key wasn't taken.
    """
    return render("sign_in.html", problem=problem, form_token="", title="Sign in", root=root)


@cache
def _template(name: str) -> Any:
    return _ENVIRONMENT.get_template(name)


def percent(probability: float) -> str:
    """`4.2 %`; what would round to 0 is `< 0.1 %`."""
    text = "< 0.1 %" if 0 < probability < 0.001 else wording.percent(probability, 1)
    return text.replace("-", "\u2212")


def shown_reasons(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Text and direction of each reason of a row, `raises` or `lowers`.

    Where an older version has kept no fields, or a feature is no longer declared, the text is the
    whole sentence and the direction empty.
    """
    sentences = row["reasons"] or []
    found = read_reasons(row.get("reason_fields")) or [None] * len(sentences)
    return [
        (sentence, "") if reason is None else (reason.text, reason.direction)
        for reason, sentence in zip(found, sentences, strict=True)
    ]


def hold_units(text: str) -> str:
    """The text with its percent signs on the line of their numbers."""
    return text.replace(" %", "\u00a0%")


def draw_history(history: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A user's probabilities as points of a chart; None where a line needs a second date.

    The axis begins at 0 and ends at a round number above the highest probability.
    """
    if len(history) < 2:
        return None
    days: list[date] = [row["as_of"] for row in history]
    highest = max(row["churn_probability"] for row in history)
    top = next(one for one in _round_numbers() if one >= highest or one == 1.0)
    span = max(1, (days[-1] - days[0]).days)
    points = [
        (
            round(
                _CHART_MARGIN + (_CHART_WIDTH - 2 * _CHART_MARGIN) * (day - days[0]).days / span, 1
            ),
            round(
                _CHART_MARGIN
                + (_CHART_HEIGHT - 2 * _CHART_MARGIN) * (1 - row["churn_probability"] / top),
                1,
            ),
        )
        for day, row in zip(days, history, strict=True)
    ]
    return {
        "width": _CHART_WIDTH,
        "height": _CHART_HEIGHT,
        "points": points,
        "line": " ".join(f"{x},{y}" for x, y in points),
        "top": f"{top * 100:g} %",
        "first": days[0],
        "last": days[-1],
    }


def open_alerts(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The alerts of a night that are open, the most severe first."""
    still_open = (row for row in rows if row["resolved"] is None)
    return sorted(still_open, key=lambda row: (severity_order(row["severity"]), row["key"]))


def describe_drift(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How far each feature is from the training rows, of all users; what has moved comes first.

    Args:
        rows: of `drift`, of a night.
    """
    described = []
    for row in rows:
        if (row["comparison"], row["slice"]) != (TRAINING, ALL):
            continue
        moved = bool(row["is_breached"])
        state = MOVED if moved else "no drift"
        if row["is_trending"]:
            state = NOT_JUDGED
        if row["status"] == NOT_COMPARABLE:
            state = describe_wait(row["feature"])
        elif row["status"] != "ok":
            state = "not compared"
        is_category = row["kind"] == "category"
        parts = [row.get(f"contribution_{side}") for side in ("baseline", "current")]
        described.append(
            {
                **row,
                "state": state,
                "gap": _known(row["total_variation" if is_category else "ks_statistic"]),
                "missing": _known(row["missing_rate_current"]),
                "parts": None if None in parts else parts,
            }
        )
    return sorted(described, key=lambda row: (row["state"] != MOVED, -(row["gap"] or 0.0)))


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def describe_health(
    drift: Sequence[Mapping[str, Any]], alerts: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What the page says of a night: what needs someone, what has moved and whether that matters.

    Args:
        drift: rows of `drift`, of the newest night that has some.
        alerts: rows of `alerts`, of the newest night.
    """
    described, still_open = describe_drift(drift), open_alerts(alerts)
    moved = [row["feature"] for row in described if row["state"] == MOVED]
    return {
        "drift": described,
        "joint": find_joint_drift(drift),
        "movement": Movement.of(moved, *drift_facts(drift)).describe(),
        "alerts": still_open,
        "severe": [alert for alert in still_open if alert["severity"] != "info"],
        "judged_version": drift[0]["model_version"] if drift else "",
        "is_drift_confirmed": any(alert["key"] == CONFIRMED_DRIFT for alert in still_open),
    }


def describe_policy(rows: Sequence[Mapping[str, Any]], night: date) -> str:
    """Where features enter after a night, and how small a shift that finds; empty without a model.

    Args:
        rows: of `decisions`, of the night.
        night: its date.
    """
    newest = max(rows, key=lambda row: int(row["sequence"]), default=None)
    if newest is None or not newest["state_after"]:
        return ""
    state = from_json(PolicyState, newest["state_after"])
    policy = PolicyConfig.model_validate_json(newest["policy"])
    return describe_thresholds(state, policy, night)


def describe_campaign(newest: Partition[pa.Table] | None) -> dict[str, Any]:
    """What calling has changed so far: sentences, and a row for each part; empty where unknown.

    Args:
        newest: rows of `effect`, of the newest night that has counted a week.
    """
    if newest is None:
        return {}
    rows = [{**row, "run_date": newest.day} for row in newest.rows.to_pylist()]
    total = [{**row, "name": name_slice(row["slice"])} for row in newest_total(rows)]
    return {"told": describe_effect(rows), "rows": total} if total else {}


def find_joint_drift(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """How well the users are told from the training rows by all features; none if untested.

    Args:
        rows: of `drift`, of a night.
    """
    return next((r for r in rows if (r["comparison"], r["status"]) == (JOINT, "ok")), None)


def _round_numbers() -> list[float]:
    return [digit * 10.0**power for power in range(-4, 0) for digit in (1, 2, 5)] + [1.0]


_ENVIRONMENT.filters["hold_units"] = hold_units
_ENVIRONMENT.filters["per_100"] = wording.per_100
_ENVIRONMENT.filters["percent"] = percent
_ENVIRONMENT.filters["shown_reasons"] = shown_reasons
