"""Which outcomes a contact may have changed: against a reading row by row, and by chance."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_spark.evaluation.treated import (
    campaign_starts,
    treatment_weights,
    weigh_rows,
    weights_in,
    worked_from,
)
from churn_spark.evaluation.weights import effective_size
from churn_spark.scoring.control_group import is_control
from churn_spark.timeline import Horizon

DAY = date(2026, 3, 2)
HORIZON = Horizon(days=14, gap_days=1)
COLUMNS = ["as_of", "user_id", "campaign", "assignment", "control_share"]


def lists_of(*rows):
    return pd.DataFrame(
        [(DAY + timedelta(days=days), *others) for days, *others in rows], columns=COLUMNS
    )


def weight_of(lists, user="u", day=DAY, effect_days=30):
    found = treatment_weights(lists, [day], HORIZON, effect_days).set_index("user_id")["weight"]
    return found.get(user)


def oracle(user, day, lists, horizon, effect_days):
    """Row by row, list by list, day by day."""
    outcome = {day + timedelta(days=n) for n in range(horizon.gap_days + horizon.days)}
    acting = {
        row.campaign
        for row in lists.itertuples()
        if outcome & {row.as_of + timedelta(days=n) for n in range(effect_days)}
    }
    shares, weight = {}, None
    for row in lists.itertuples():
        if row.user_id != user or row.campaign not in acting or row.as_of > max(outcome):
            continue
        weight = 1.0 if weight is None else weight
        if row.control_share == 0:
            continue
        if row.assignment == "listed":
            weight = 0.0
        known = shares.get(row.campaign, 1.0)
        shares[row.campaign] = min(known, row.control_share)
    for share in shares.values():
        weight /= share
    return weight


@st.composite
def some_lists(draw):
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(-50, 50),
                st.sampled_from("uvw"),
                st.sampled_from("ab"),
                st.sampled_from(["listed", "control"]),
                st.sampled_from([0.0, 0.1, 0.25, 0.5]),
            ),
            max_size=12,
        )
    )
    return lists_of(*rows)


@given(some_lists(), st.integers(1, 60), st.integers(0, 3), st.integers(1, 20))
@settings(max_examples=60, deadline=None)
def test_weights_are_those_of_a_reading_row_by_row(lists, effect_days, gap_days, days):
    horizon = Horizon(days, gap_days)
    dates = [DAY, DAY + timedelta(weeks=1)]
    found = treatment_weights(lists, dates, horizon, effect_days)
    told = {(row.as_of, row.user_id): row.weight for row in found.itertuples()}
    expected = {
        (day, user): oracle(user, day, lists, horizon, effect_days)
        for day in dates
        for user in "uvw"
    }
    assert told == pytest.approx({key: w for key, w in expected.items() if w is not None})


@pytest.mark.parametrize(
    ("days", "weight"), [(-30, None), (-29, 0.0), (0, 0.0), (14, 0.0), (15, None)]
)
def test_a_list_acts_from_its_date_until_its_effect_is_over(days, weight):
    assert weight_of(lists_of((days, "u", "a", "listed", 0.1))) == weight


@pytest.mark.parametrize(("last", "weight"), [(-30, None), (-29, 0.0), (14, 0.0), (15, None)])
def test_who_was_listed_once_is_left_out_until_the_campaign_is_over(last, weight):
    lists = lists_of((-90, "u", "a", "listed", 0.1), (last, "v", "a", "control", 0.1))
    assert weight_of(lists) == weight


def test_a_smaller_share_of_a_campaign_and_the_product_of_several_count():
    lists = lists_of(
        (0, "u", "a", "control", 0.1), (1, "u", "a", "control", 0.2), (0, "u", "b", "control", 0.5)
    )
    assert weight_of(lists) == pytest.approx(1 / (0.1 * 0.5))


def test_without_a_control_group_users_count_as_it_happened():
    assert weight_of(lists_of((0, "u", "a", "listed", 0.0))) == 1.0


def test_a_campaign_counts_from_the_first_list_that_a_contact_names():
    lists = lists_of(
        (0, "u", "a", "listed", 0.1), (1, "u", "a", "listed", 0.1), (2, "u", "b", "listed", 0.1)
    )
    days = [DAY + timedelta(days=n) for n in range(3)]
    starts = campaign_starts(dict(zip(days, "aab", strict=True)), {days[1], DAY - timedelta(9)})
    assert starts == {"a": days[1]}
    assert [*worked_from(lists, starts)["as_of"]] == [days[1]]


def test_rows_keep_their_order_and_have_no_weight_where_nothing_was_changed():
    rows = pd.DataFrame({"as_of": [DAY] * 3, "user_id": ["w", "u", "v"]}, index=[5, 3, 9])
    changed = pd.DataFrame({"as_of": [DAY] * 2, "user_id": ["v", "u"], "weight": [0.0, 10.0]})
    weighed = weigh_rows(rows, changed)
    assert [*weighed["weight"]] == [1.0, 10.0, 0.0]
    assert [*weighed.index] == [5, 3, 9]
    assert weigh_rows(rows, None) is rows
    assert weights_in(rows) is None


def test_weighted_outcomes_are_those_of_a_world_without_calls():
    """Whatever list a user is first on, and however many are saved: right in the mean of draws."""
    n, share, rng = 2000, 0.2, np.random.default_rng(3)
    risk = rng.beta(1, 6, n)
    users = [f"u{i}" for i in range(n)]
    alone = rng.random(n) < risk
    saved = alone & (rng.random(n) < 0.6)
    named = np.argsort(-risk)[:600]
    naive, weighted = [], []
    for campaign in range(40):
        withheld = np.array([is_control(u, str(campaign), share) for u in users])
        lists = pd.DataFrame(
            {
                "as_of": [DAY + timedelta(days=int(i % 14)) for i in named],
                "user_id": [users[i] for i in named],
                "campaign": str(campaign),
                "assignment": np.where(withheld[named], "control", "listed"),
                "control_share": share,
            }
        )
        is_listed = np.zeros(n, dtype=bool)
        is_listed[named] = ~withheld[named]
        happened = np.where(is_listed & saved, False, alone)
        rows = pd.DataFrame({"as_of": DAY, "user_id": users})
        changed = treatment_weights(lists, [DAY], HORIZON, 30)
        weights = weights_in(weigh_rows(rows, changed))
        naive.append(happened.mean())
        weighted.append(weights @ happened / weights.sum())
    error = np.std(weighted) / np.sqrt(len(weighted))
    assert abs(np.mean(weighted) - alone.mean()) < 4 * error < 0.02
    assert alone.mean() - np.mean(naive) > 5 * error


def test_effective_size_is_that_of_rows_of_equal_weight():
    assert effective_size(np.ones(7)) == 7
    assert effective_size(np.array([0.0, 10.0, 10.0])) == 2
    assert effective_size(np.array([])) == 0
    assert 1 < effective_size(np.array([1.0, 10.0])) < 2
