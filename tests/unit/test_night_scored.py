"""The page of a night: how users stayed beside what was expected, and lengths of the list."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from night_builders import NAMES, build_nights
from pages import read

from churn_spark.config import load_config
from churn_spark.config.models import CostsConfig
from churn_spark.contracts.survival import SURVIVAL_DAYS, survival_columns
from churn_spark.evaluation.list_length import plan_lists
from churn_spark.reports.night import scored
from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.lengths import lengths_sections
from churn_spark.reports.night.page import render_night
from churn_spark.reports.night.scored import Scored, Watched
from churn_spark.reports.night.survival import survival_sections
from churn_spark.reports.staying import MAY_BE_KEPT

AS_OF = date(2018, 11, 1)
CHANCES = np.linspace(0.4, 0.01, 300)


@pytest.fixture(scope="module")
def night() -> NightData:
    return build_nights(3, names=NAMES[:12])


def watched(a_day: float = 0.01, n: int = 4000, days: float = 45.0, measured: int = 30) -> Watched:
    """Users who cancel by a hundredth a day, of whom the scores said something else."""
    rng = np.random.default_rng(8)
    said = np.exp(-a_day * np.array(SURVIVAL_DAYS, dtype=float))
    rows = pd.DataFrame(dict(zip(survival_columns(), said, strict=True)), index=range(n))
    rows = rows.assign(
        risk_band=np.where(np.arange(n) % 2, "high", "low"),
        last_subscription_level="paid",
        cancelled=np.ceil(rng.exponential(100.0, n)) - 0.5,
        watched=days,
    )
    return Watched(AS_OF, tuple(scored._groups(rows)), measured)


def told(night: NightData, found: Watched) -> tuple[str, list[list[str]]]:
    (section,) = survival_sections(replace(night, scored=Scored(watched=found)))
    table = section.blocks[1]
    return section.answer, [[cell.text for cell in row] for row in table.rows]


def test_sample_of_the_scored_is_said_to_be_one(night: NightData) -> None:
    answer, _ = told(night, replace(watched(), is_sample=True))
    assert answer.startswith("Of 4,000 users in a sample of those scored as of 2018-11-01, 7")


def test_expected_and_happened_stand_side_by_side_up_to_where_the_log_reaches(
    night: NightData,
) -> None:
    answer, rows = told(night, watched())
    assert answer.startswith("Of 4,000 users scored as of 2018-11-01, 7")
    assert answer.endswith("validated on the log for up to 30 days; beyond, they are extrapolated.")
    names = {row[0] for row in rows}
    assert names == {"all users", "paid users", "band high", "band low"}
    everybody = [row for row in rows if row[0] == "all users"]
    assert [row[4] for row in everybody[3:]] == ["not yet", "not yet"]
    assert abs(float(everybody[2][4].split("\u202f")[0]) - 100 * np.exp(-0.3)) < 2.5


def test_what_was_expected_wrongly_stands_out(night: NightData) -> None:
    for a_day, is_loud in ((0.01, False), (0.03, True)):
        data = replace(night, scored=Scored(watched=watched(a_day)))
        (section,) = survival_sections(data)
        month = section.blocks[1].rows[2]
        assert (month[5].tone == "number loud") is is_loud


def test_section_says_where_contacts_may_have_kept_users(night: NightData) -> None:
    for are_contacted in (True, False):
        found = replace(watched(), are_contacted=are_contacted)
        (section,) = survival_sections(replace(night, scored=Scored(watched=found)))
        assert (MAY_BE_KEPT in section.blocks) == are_contacted


def test_log_that_is_too_short_is_said(night: NightData) -> None:
    answer, _ = told(night, watched(measured=0))
    assert answer.endswith("The log was too short to validate the model's curves.")


def test_hardly_any_cancel_makes_no_curve() -> None:
    assert watched(n=3, days=1.0).groups == ()


@pytest.mark.parametrize("has_costs", [False, True])
def test_list_of_tonight_is_marked_among_the_lengths(night: NightData, *, has_costs: bool) -> None:
    costs = load_config().costs
    if has_costs:
        costs = CostsConfig(missed_cancel=40.0, wasted_offer=2.0, offer_success=0.25)
    plan = plan_lists(CHANCES, 100, 0, costs)
    (section,) = lengths_sections(replace(night, scored=Scored(plan)))
    table = section.blocks[1]
    assert [row[0].text for row in table.rows] == ["10", "20", "50", "100", "200", "300"]
    assert table.marked == {3}
    assert ("Net value" in table.header) is has_costs
    assert table.rows[0][1].text == f"{CHANCES[:10].sum():.1f}"


@pytest.mark.parametrize(
    ("by_effect", "dot", "beside"),
    [
        (None, "The orange dot is the list in use, ", "in use"),
        (3.0, "The orange dot is as long as the list in use, ", "as long as the one in use"),
    ],
)
def test_list_by_effect_is_not_marked_as_one_of_the_lengths(
    night: NightData, by_effect: float | None, dot: str, beside: str
) -> None:
    plan = plan_lists(CHANCES, 100, 0, load_config().costs, by_effect=by_effect)
    (section,) = lengths_sections(replace(night, scored=Scored(plan)))
    picture, table = section.blocks
    assert picture.caption.startswith(dot)
    assert table.rows[3][0].detail == beside


def test_night_without_scores_has_neither_section_and_one_with_has_both(night: NightData) -> None:
    both = replace(
        night, scored=Scored(plan_lists(CHANCES, 100, 0, load_config().costs), watched())
    )
    headings = {"How long the list should be", "How long users stay"}
    assert not headings & set(read(render_night(night)).headings)
    page = read(render_night(both))
    assert headings <= set(page.headings)
    assert page.open == []
