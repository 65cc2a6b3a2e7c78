"""What the page of a night says of thresholds that follow the wander."""

from __future__ import annotations

from dataclasses import replace

import pytest
from night_builders import LAST, NAMES, build_nights

from churn_spark.config import load_config
from churn_spark.monitoring.policy.calibration import calibrate
from churn_spark.monitoring.policy.evidence import Evidence, FeatureWander, Wander
from churn_spark.monitoring.policy.history import Entry
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.page import build_page, render_night
from churn_spark.reports.night.summary import answer, key_figures, sentences
from churn_spark.reports.page import Facts

POLICY = load_config().policy
WANDER = Wander(40, tuple(FeatureWander(name, 33, 1e-4, 1e-5, 0.0129) for name in NAMES[:9]))


@pytest.fixture(scope="module")
def before() -> NightData:
    """A quiet month of nights, with the policy that calibrates itself."""
    quiet = build_nights(30, names=NAMES[:9], moving={})
    return replace(quiet, policy=POLICY)


@pytest.fixture(scope="module")
def after(before: NightData) -> NightData:
    """The same, with thresholds calibrated at its end."""
    state = before.state
    assert state is not None
    found, decision = calibrate(state, WANDER, POLICY, LAST)
    evidence = Evidence(22_000, wander=WANDER)
    entry = Entry(len(before.tonight), decision, state, evidence, found, POLICY)
    return replace(before, entries=(*before.entries, entry))


def standing(data: NightData) -> dict[str, str]:
    section = next(one for one in build_page(data).sections if one.anchor == "decision")
    [facts] = [block for block in section.blocks if isinstance(block, Facts)]
    return dict(facts.items)


def test_calibration_is_listed_and_leaves_the_answer_as_it_is(
    before: NightData, after: NightData
) -> None:
    assert after.entries[-1].decision.kind == "calibrate"
    assert (answer(after), sentences(after)) == (answer(before), sentences(before))
    assert key_figures(after) == key_figures(before)
    text = render_night(after)
    assert "Calibration" in text
    assert "at most 0.5 unnecessary retrainings a year" in text


def test_page_says_which_shift_is_still_found(before: NightData, after: NightData) -> None:
    assert standing(before)["Drift thresholds"].startswith("default until there are 28 runs")
    assert f"calibrated on {LAST}: in 40 runs without drift" in standing(after)["Drift thresholds"]
    assert "deviations would be detected within 3 runs" in standing(after)["Drift thresholds"]


def test_lines_in_the_pictures_are_those_in_force(before: NightData, after: NightData) -> None:
    assert after.calibration == before.calibration
    assert after.state is not None
    assert after.state.calibration is not None
    assert "Thresholds are those of this run" in render_night(after)
