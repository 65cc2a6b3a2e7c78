"""The page of the service, the page of the night, alerts, closing line and exit code agree."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from nights import challenger

from churn_spark.errors import ExitCode
from churn_spark.monitoring.alerts.alerts import CONFIRMED_DRIFT, is_severe
from churn_spark.monitoring.drift.facts import drift_facts
from churn_spark.monitoring.drift.movement import Movement
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.policy import PREDICTION, decide
from churn_spark.pipeline.decide import Outcome
from churn_spark.reports.night.data import NightData, records
from churn_spark.reports.night.decision import alerts_section
from churn_spark.reports.night.drift import features_section
from churn_spark.reports.night.summary import key_figures
from churn_spark.serving.page_parts import describe_health, render
from churn_spark.stores.alerts import alert_of
from jobs._command import code_of
from tests.night_builders import CONFIG, build_nights


def quiet() -> NightData:
    return build_nights(10, moving={}, n_windows=0)


def drifting() -> NightData:
    return build_nights(3, moving={"sessions_28d": 0.3}, n_windows=0)


def taken_over() -> NightData:
    """The night's only decision puts a model in charge that was waiting."""
    data = build_nights(1, moving={"sessions_28d": 0.3}, n_windows=0)
    first, judged = data.entries[0], data.entries[-1]
    assert first.after is not None
    assert judged.evidence is not None
    rival = replace(judged.evidence, challenger=challenger())
    after, decision = decide(first.after, rival, data.policy, data.night)
    assert decision.kind == "promote"
    return replace(
        data, entries=(first, Entry(1, decision, first.after, rival, after, data.policy))
    )


def not_decided() -> NightData:
    """Its drift was measured, and nothing is decided yet."""
    data = build_nights(1, moving={"sessions_28d": 0.3}, n_windows=0)
    return replace(data, entries=data.entries[:1])


def health_of(data: NightData) -> dict[str, Any]:
    alerts = records(data.alerts[data.alerts["run_date"] == data.night])
    rows = [
        {**alert, "resolved": None if alert["resolved"] != alert["resolved"] else alert["resolved"]}
        for alert in alerts
    ]
    return describe_health(records(data.drift), rows)


def service_page(data: NightData) -> str:
    page = render(
        "model.html",
        title="Model health",
        here="model",
        form_token="",
        checks={},
        run_date=data.drift_night,
        thresholds="",
        lately=(),
        reach="",
        effect={},
        card=None,
        predicts="",
        **health_of(data),
    )
    return page.decode()


def closing_line(data: NightData) -> str:
    """As `monitor_model` says it: of the stored rows alone."""
    rows = [row for row in records(data.drift) if row["is_breached"] and not row["is_trending"]]
    moved = {
        row["feature"] for row in rows if (row["comparison"], row["slice"]) == ("training", "all")
    }
    return Movement.of(moved, *drift_facts(records(data.drift))).describe()


def exit_code(data: NightData) -> ExitCode:
    alerts = map(alert_of, data.open_alerts.itertuples())
    severe = tuple(alert.key for alert in alerts if is_severe(alert, CONFIG.alerts))
    return code_of(Outcome(alerts=severe), fail_on_alert=True)


@pytest.mark.parametrize("build", [quiet, drifting, taken_over, not_decided])
def test_all_pages_and_the_closing_line_say_what_has_moved_in_the_same_words(build: Any) -> None:
    data = build()
    sentence = closing_line(data)
    assert features_section(data).answer == f"{sentence[:1].upper()}{sentence[1:]}."
    assert sentence in service_page(data)
    figure = key_figures(data)[3]
    assert figure.value == f"{data.movement.n_moved} of {data.movement.n_compared}"
    assert f"{data.movement.n_moved} of {data.movement.n_compared} features" in sentence
    rows = {row["feature"] for row in health_of(data)["drift"] if row["state"] == "drifted"}
    assert rows == set(data.moved)


@pytest.mark.parametrize("build", [quiet, drifting])
def test_alerts_say_the_same_words_and_numbers(build: Any) -> None:
    data = build()
    sentence = closing_line(data)
    told = [alert.sentence for alert in data.open_alerts.itertuples() if alert.key == "drift:moved"]
    assert [one for one in told if sentence in one] == told
    assert bool(told) == bool(data.moved)
    n_alerts = len(data.open_alerts)
    assert alerts_section(data).answer.startswith(
        f"{n_alerts} alert" if n_alerts else "No alert is open"
    )
    assert len(health_of(data)["alerts"]) == n_alerts <= 5


def test_share_of_missing_values_has_no_figure_where_none_was_measured() -> None:
    data = quiet()
    unmeasured = data.drift.assign(missing_rate_current=np.nan)
    table = service_page(replace(data, drift=unmeasured)).partition("Drift by feature")[2]
    missing = re.findall(r'<td class="n side">([^<]*)</td>\s*</tr>', table)
    assert len(missing) > len(data.judged)
    assert set(missing) == {"–"}


def test_nothing_is_red_and_nobody_is_called_on_a_quiet_night() -> None:
    data = quiet()
    page = service_page(data)
    assert "may require action" not in page
    assert not re.search(r"band (high|medium)", page)
    assert exit_code(data) == ExitCode.DONE
    assert not data.moved


def test_drift_that_matters_is_red_on_top_and_in_the_exit_code() -> None:
    data = drifting()
    assert set(data.moved) - {PREDICTION} == {"sessions_28d"}
    health = health_of(data)
    assert health["is_drift_confirmed"]
    assert [alert["key"] for alert in health["severe"]] == [CONFIRMED_DRIFT]
    page = service_page(data)
    severe = health["severe"][0]["sentence"]
    assert page.index(severe) < page.index("<h2>Open alerts</h2>")
    n_red = len(re.findall(r'band high">drifted', page))
    assert n_red == len(data.moved)
    assert exit_code(data) == ExitCode.ALERT
