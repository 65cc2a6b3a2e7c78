"""The intervals of the effect: against slow oracles, their laws, and their promise on worlds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.effect import measure
from churn_spark.evaluation.effect import (
    Counts,
    Side,
    boundary,
    saved_by_contact,
    saved_by_listing,
    users_needed,
)


@st.composite
def sides(draw: st.DrawFn) -> Side:
    both, only_cancels, only_contacts, neither = (draw(st.integers(0, 300)) for _ in range(4))
    n = both + only_cancels + only_contacts + neither
    return Side(n, both + only_cancels, both + only_contacts, both)


MANY = Counts(Side(1800, 180, 1200, 100), Side(200, 40, 0, 0))


def test_saving_is_control_less_listed_with_the_interval_of_agresti_and_caffo() -> None:
    saved = saved_by_listing(MANY)
    assert saved.value == pytest.approx(0.2 - 0.1)
    first, second = 41 / 202, 181 / 1802
    error = math.sqrt(first * (1 - first) / 202 + second * (1 - second) / 1802)
    assert saved.once.low == pytest.approx(first - second - 1.96 * error, abs=1e-5)
    reach = boundary(2000)
    assert reach == pytest.approx(3.03, abs=0.01)
    assert saved.always.high == pytest.approx(first - second + reach * error)


@given(sides(), sides())
def test_saving_of_contacts_is_a_share_within_its_bounds(listed: Side, control: Side) -> None:
    saved = saved_by_contact(Counts(listed, control))
    if not math.isnan(saved.value):
        assert -1 <= saved.value <= 1
        assert saved.always.low <= saved.value <= saved.always.high


def test_nothing_is_told_of_few_contacts_beside_a_larger_difference() -> None:
    """Ten of a hundred saved by thirty contacts of nine hundred: three cancels a contact."""
    saved = saved_by_contact(Counts(Side(900, 90, 30, 4), Side(100, 20)))
    assert math.isnan(saved.value)
    assert saved.always.high == 1.0


def test_contact_is_what_makes_both_sides_alike() -> None:
    """Each saving of a grid is tried: is it within the boundary, it is in the interval."""
    saved = saved_by_contact(MANY)
    assert saved.value == pytest.approx(0.1 / (1200 / 1800))
    listed, control = MANY.listed, MANY.control
    inside = []
    for saving in np.arange(-1, 1, 0.001):
        cancels = [
            ((side.n_cancels + 1) / (side.n + 2), side.n_contacted / side.n, side)
            for side in (control, listed)
        ]
        means = [share + saving * reached for share, reached, _ in cancels]
        variance = 0.0
        for share, reached, side in cancels:
            together = side.n_both / side.n - side.n_cancels / side.n * reached
            terms = share * (1 - share), saving**2 * reached * (1 - reached)
            variance += (sum(terms) + 2 * saving * together) / (side.n + 2)
        if (means[0] - means[1]) ** 2 <= boundary(2000) ** 2 * variance:
            inside.append(saving)
    assert (saved.always.low, saved.always.high) == pytest.approx(
        (min(inside), max(inside)), abs=0.002
    )


@given(sides(), sides())
def test_intervals_hold_each_other_and_stay_within_all_shares(listed: Side, control: Side) -> None:
    for saved in (saved_by_listing(Counts(listed, control)),):
        assert saved.always.low <= saved.once.low <= saved.once.high <= saved.always.high
        assert saved.once.low >= -1 or math.isinf(saved.once.low)
    if listed.n and control.n:
        mirrored = saved_by_listing(Counts(control, listed))
        assert mirrored.value == pytest.approx(-saved.value)
        assert mirrored.once.low == pytest.approx(-saved.once.high)


@given(sides(), sides())
def test_per_contact_is_the_saving_over_the_reached(listed: Side, control: Side) -> None:
    saved = saved_by_contact(Counts(listed, control))
    if not listed.n or not control.n:
        assert math.isnan(saved.value)
        return
    more = listed.n_contacted / listed.n - control.n_contacted / control.n
    if more > 0:
        whole = saved_by_listing(Counts(listed, control)).value
        assert saved.value == pytest.approx(
            whole / more if abs(whole / more) <= 1 else math.nan, nan_ok=True
        )
        # Whether nothing is saved is one question, whoever is reached.
        if math.isfinite(saved.once.low) and saved.once.low > 0:
            assert saved_by_listing(Counts(listed, control)).once.low > 0
    else:
        assert math.isnan(saved.value)


def test_nothing_is_told_of_few_users() -> None:
    few = Counts(Side(170, 20, 100, 10), Side(19, 3))
    saved = saved_by_listing(few)
    assert (saved.verdict, saved.always.low, saved.always.high) == (
        "can't tell",
        -math.inf,
        math.inf,
    )
    assert math.isfinite(saved.once.low)
    enough = few + Counts(Side(), Side(1, 1))
    assert math.isfinite(saved_by_listing(enough).always.low)


def test_verdict_is_that_of_the_interval_for_all_looks() -> None:
    many = Counts(Side(9000, 900), Side(1000, 200))
    assert saved_by_listing(many).verdict == "saves"
    assert saved_by_listing(Counts(many.control, many.listed)).verdict == "harms"


def test_users_needed_are_just_enough() -> None:
    needed = users_needed(MANY, 0.04)
    assert needed
    scale = needed / MANY.n

    def reach(factor: float) -> float:
        first, second = 41 / 202, 181 / 1802
        variance = first * (1 - first) / 202 + second * (1 - second) / 1802
        return boundary(round(MANY.n * factor)) * math.sqrt(variance / factor)

    assert reach(scale) <= 0.04 < reach(scale * 0.99)
    assert users_needed(Counts(), 0.04) is None
    assert users_needed(MANY, 0.0) is None


def test_intervals_keep_their_promise_on_small_worlds() -> None:
    """The whole of it is `python -m bench.effect`; here fewer, so with room for chance."""
    without, with_effect = (measure(150, 11, saves) for saves in (0.0, 0.3))
    for found in (without, with_effect):
        assert 0.89 <= found["listing, one look"] <= 0.99
        assert 0.89 <= found["contact, one look"] <= 0.99
        assert found["listing, all looks"] >= 0.93
        assert found["contact, all looks"] >= 0.93
    assert without["ever called effective"] <= 0.03
    assert with_effect["ever called effective"] >= 0.3
    # What the sequence is for: who looks every week with intervals for one look, sees effects.
    assert without["the same by one-look intervals"] >= 0.07
