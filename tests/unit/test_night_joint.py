"""What the page of a night says of all features at once, and of what moves the scores."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from night_builders import NAMES, build_nights

from churn_spark.reports.night.data import NightData
from churn_spark.reports.night.decision import alerts_section
from churn_spark.reports.night.joint import change_of, joint_section
from churn_spark.reports.page import Facts, Table

# Twenty features from the middle, a category among them.
SOME = NAMES[:20]


@cache
def lived(auc: float) -> NightData:
    """Four nights with little to see but the AUC of all features at once on the last three."""
    return build_nights(4, names=SOME, moving={SOME[15]: 0.1}, n_windows=0, auc=auc)


def tables(data: NightData) -> list[Table]:
    return [block for block in joint_section(data).blocks if isinstance(block, Table)]


def facts(data: NightData) -> dict[str, str]:
    [found] = [block for block in joint_section(data).blocks if isinstance(block, Facts)]
    return dict(found.items)


def test_quiet_night_has_nothing_to_act_on_and_no_alert() -> None:
    section = joint_section(lived(0.51))
    assert section.answer.startswith(
        "A classifier tells today's users from the training rows with ROC AUC 0.510 [0.494, "
        "0.526]: "
        "0.5 means not at all, and this is nothing to act on."
    )
    assert "now it does not" in facts(lived(0.51))["Counts as drifted"]
    assert "drift of all features together" not in str(alerts_section(lived(0.51)))


def test_night_that_is_told_apart_names_the_features_and_opens_a_warning() -> None:
    data = lived(0.64)
    named = f"{SOME[10]}, {SOME[11]}, {SOME[12]}"
    assert f"AUC 0.640 [0.624, 0.656], mostly by {named}. " in joint_section(data).answer
    assert facts(data)["Features that tell them apart most"] == (
        f"{named}: 4.0\u202f% of feature importance"
    )
    [table] = alerts_section(data).blocks
    assert isinstance(table, Table)
    rows = [[cell.text for cell in row] for row in table.rows]
    [alert] = [row for row in rows if row[0] == "drift of all features together"]
    assert alert[1] == "warning"
    assert named in alert[3]


def test_what_moves_the_scores_otherwise_comes_first() -> None:
    head, tail = tables(lived(0.51))
    by_name = {row[0].text: [cell.text for cell in row] for row in head.rows + tail.rows}
    assert len(head.rows) == 8
    assert len(by_name) == len(SOME)
    changes = [float(row[2].text) - float(row[1].text) for row in head.rows]
    assert changes == sorted(changes, reverse=True)
    # The builder lets a part grow by D.
    moved = by_name[SOME[15]]
    assert moved[3] == f"+{100 * float(moved[4]):.0f} %"


def test_nights_of_an_older_release_say_that_nothing_was_tested() -> None:
    data = lived(0.51)
    columns = ["contribution_baseline", "contribution_current", "contribution_error"]
    older = data.drift[data.drift["comparison"] != "joint"].assign(**dict.fromkeys(columns))
    section = joint_section(replace(data, drift=older))
    assert section.answer.startswith("Not tested: the model is of an older release")
    assert section.blocks == ()


def test_night_of_few_users_says_that_they_are_too_few() -> None:
    data = lived(0.51)
    few = data.drift.copy()
    few.loc[few["comparison"] == "joint", ["status", "n_current"]] = ["skipped", 120]
    section = joint_section(replace(data, drift=few))
    assert section.answer.startswith(
        "Not tested: 5,000 comparable training rows and 120 users are too few"
    )


@pytest.mark.parametrize(
    ("before", "now", "error", "expected"),
    [
        (0.2, 0.3, 0.01, (0.5, True)),
        (0.2, 0.21, 0.01, (0.05, False)),
        (0.2, 0.1, math.nan, (-0.5, False)),
        (0.0, 0.1, 0.01, (math.nan, False)),
        (None, None, None, (math.nan, False)),
    ],
)
def test_change_is_sure_where_chance_alone_would_hardly_give_it(
    before: Any, now: Any, error: Any, expected: tuple[float, bool]
) -> None:
    row = {
        "contribution_baseline": before, "contribution_current": now, "contribution_error": error
    }  # fmt: skip
    change, is_sure = change_of(row)
    assert change == pytest.approx(expected[0], nan_ok=True)
    assert is_sure == expected[1]
