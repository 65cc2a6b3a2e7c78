"""The behaviour model's log-odds taken apart, against forecasts of users made typical by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from itertools import permutations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from churn_spark.contracts.features.parts import COUNTED_PARTS, PAGE_PARTS, PARTS, find_feature
from churn_spark.contracts.pages import VISIT_END
from churn_spark.contracts.tables import BEHAVIOUR_PARTS
from churn_spark.models.behaviour import parts as parts_module
from churn_spark.models.behaviour.cells import (
    CANCEL,
    CANCELLED,
    N_CELLS,
    PAGES,
    SHAPE,
    SOURCES,
    START,
    TARGETS,
    cell_of,
)
from churn_spark.models.behaviour.evidence import build_forecasts, build_parts, sum_evidence
from churn_spark.models.behaviour.model import BehaviourModel, Evidence
from churn_spark.models.behaviour.outcomes import solve_sessions
from churn_spark.models.behaviour.page_weights import page_weights
from churn_spark.models.behaviour.parts import PageEvidence, Parts, parts_columns, take_apart
from churn_spark.models.offset import log_odds
from churn_spark.timeline import Horizon, day_start_millis
from tests.serving_builders import make_behaviour


def make_model() -> BehaviourModel:
    """A model that nobody has fitted, of listeners who cancel as rarely as real ones."""
    model = make_behaviour()
    chances = np.exp(model.mixture.log_chances).reshape(-1, *SHAPE)
    for page in (CANCEL, CANCELLED):
        chances[..., TARGETS.index(page)] *= 0.01
    chances /= chances.sum(axis=-1, keepdims=True)
    log_chances = np.log(chances).reshape(-1, N_CELLS)
    return replace(
        model,
        mixture=replace(model.mixture, log_chances=log_chances),
        sessions=solve_sessions(log_chances, np.full(N_CELLS, 60.0)),
    )


MODEL, AS_OF, HORIZON = make_model(), date(2018, 11, 30), Horizon(14, 1)
WEIGHTS = page_weights(MODEL.mixture)
PAID = 1


def make_cells(seed: int, n_steps: int = 400) -> np.ndarray:
    """How often a random user went through each cell; never to or from Cancel."""
    rng = np.random.default_rng(seed)
    cells = np.zeros(SHAPE)
    told = [TARGETS.index(page) for page in TARGETS if page not in (CANCEL, CANCELLED)]
    sources = [SOURCES.index(page) for page in SOURCES if page != CANCEL]
    chances = rng.dirichlet(np.full(len(told), 0.5), len(SOURCES))
    for _ in range(n_steps):
        source = rng.choice(sources)
        cells[rng.integers(2), source, rng.choice(told, p=chances[source])] += 1
    return cells.ravel()


def evidence_of(cells: np.ndarray, level: float, visits: float, days: float) -> Evidence:
    """One user's."""
    end = day_start_millis(AS_OF) / 1000.0
    return Evidence(
        log_likelihoods=(MODEL.mixture.log_chances @ cells)[None],
        visits=np.array([visits]),
        visit_days=np.array([0.1]),
        registered=np.array([end - 86_400.0 * days]),
        level=np.array([level]),
    )


def pages_of(cells: np.ndarray) -> PageEvidence:
    return PageEvidence(
        (WEIGHTS.counts @ cells)[None],
        (WEIGHTS.typical @ cells)[None],
        (WEIGHTS.excess @ cells)[None],
    )


def log_odds_of(evidence: Evidence) -> float:
    return float(log_odds(MODEL.forecast(evidence, AS_OF, HORIZON).cancel_probability)[0])


def apart(cells: np.ndarray, evidence: Evidence, level: int | None = PAID) -> Parts:
    return take_apart(MODEL, evidence, pages_of(cells), AS_OF, HORIZON, level)


def made_typical(evidence: Evidence, cells: np.ndarray, names: set[str]) -> Evidence:
    """The same user with some parts typical; the model is asked of it as of any other."""
    excess = WEIGHTS.excess @ cells
    typical_pages = [place for place, part in enumerate(PAGE_PARTS) if part.name in names]
    likelihoods = evidence.log_likelihoods - excess[:, typical_pages].sum(axis=1)
    exposure = MODEL.exposure_of(evidence, AS_OF)
    visits, days = evidence.visits, evidence.visit_days
    if "visits" in names:
        visits = math.exp(MODEL.prior.mean_log) * exposure
        # The days in which a visit could begin stay what they were.
        days = days + (evidence.visits - visits) / 48.0
    level = np.array([float(PAID)]) if "subscription" in names else evidence.level
    return Evidence(likelihoods, visits, days, evidence.registered, level)


@settings(deadline=None, max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    level=st.sampled_from([0.0, 1.0]),
    visits=st.integers(1, 60),
    days=st.floats(2.0, 200.0),
)
def test_parts_and_the_typical_user_add_up_to_the_forecast(
    seed: int, level: float, visits: int, days: float
) -> None:
    cells = make_cells(seed, 60)
    evidence = evidence_of(cells, level, visits, days)
    found = apart(cells, evidence)
    typical = log_odds_of(made_typical(evidence, cells, {*PARTS}))
    assert found.values.shape == (1, len(PARTS))
    np.testing.assert_allclose(typical + found.values.sum(), log_odds_of(evidence), atol=1e-8)


def test_parts_are_the_mean_over_all_orders_of_becoming_what_the_user_is() -> None:
    """Brute force over the orders of four parts; the others are typical in this user anyway."""
    cells = make_cells(3, 30)
    evidence = evidence_of(cells, 0.0, 12, 30.0)
    pages = pages_of(cells)
    kept = ("adverts", "thumbs_down")
    for place, part in enumerate(PAGE_PARTS):
        if part.name not in kept:
            evidence.log_likelihoods[:] -= pages.excess[:, :, place]
            pages.excess[:, :, place] = 0.0
    found = take_apart(MODEL, evidence, pages, AS_OF, HORIZON, PAID)
    players = (*kept, "visits", "subscription")
    expected = dict.fromkeys(players, 0.0)
    orders = list(permutations(players))
    worth: dict[frozenset[str], float] = {}
    for order in orders:
        typical = set(players)
        for player in order:
            before, after = frozenset(typical), frozenset(typical - {player})
            for one in (before, after):
                if one not in worth:
                    worth[one] = log_odds_of(made_typical(evidence, cells, set(one)))
            expected[player] += (worth[after] - worth[before]) / len(orders)
            typical.remove(player)
    values = dict(zip(PARTS, found.values[0], strict=True))
    for name in PARTS:
        assert values[name] == pytest.approx(expected.get(name, 0.0), abs=1e-8)


def test_count_made_typical_gives_the_log_odds_that_were_said() -> None:
    cells = make_cells(5)
    evidence = evidence_of(cells, 1.0, 25, 40.0)
    found = apart(cells, evidence)
    for place, part in enumerate(COUNTED_PARTS):
        without = log_odds_of(made_typical(evidence, cells, {part.name}))
        assert found.without[0, place] == pytest.approx(without, abs=1e-8)
    other = evidence_of(cells, 0.0, 25, 40.0)
    assert found.with_other_level[0] == pytest.approx(log_odds_of(other), abs=1e-10)


def test_risk_falls_by_what_was_said_when_the_named_parts_are_made_typical() -> None:
    """Of one user parts can stand in for each other; over many they hold what they say."""
    said, fell = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        cells = make_cells(seed, 30)
        evidence = evidence_of(cells, float(rng.integers(2)), float(rng.integers(1, 40)), 40.0)
        values = dict(zip(PARTS, apart(cells, evidence).values[0], strict=True))
        largest = sorted(values, key=lambda name: -values[name])[:3]
        named = {name for name in largest if values[name] >= 0.1}
        said.append(sum(values[name] for name in named))
        fell.append(log_odds_of(evidence) - log_odds_of(made_typical(evidence, cells, named)))
    assert sum(said) > 1.0
    assert sum(fell) == pytest.approx(sum(said), rel=0.15)
    assert all(drop > 0 for drop, part in zip(fell, said, strict=True) if part > 0)


def test_everybody_has_the_typical_level_when_none_is() -> None:
    cells = make_cells(6)
    found = apart(cells, evidence_of(cells, 0.0, 5, 40.0), level=None)
    assert found.values[0, PARTS.index("subscription")] == pytest.approx(0.0, abs=1e-12)


def test_user_who_does_all_as_often_as_is_typical_has_no_excess() -> None:
    chances = np.exp(MODEL.mixture.log_chances).reshape(-1, *SHAPE)
    average = np.tensordot(MODEL.mixture.shares, chances, axes=1)
    for page in (CANCEL, CANCELLED):
        average[..., TARGETS.index(page)] = 0.0
    average /= average.sum(axis=-1, keepdims=True)
    average[:, SOURCES.index(CANCEL)] = 0.0
    pages = pages_of(1000.0 * average.ravel())
    np.testing.assert_allclose(pages.counts, pages.typical)
    np.testing.assert_allclose(pages.excess, 0.0, atol=1e-9)


def test_excess_is_the_likelihood_beyond_that_of_typical_steps() -> None:
    """Over all pages it tells the classes apart as the likelihood does, but for typical steps."""
    cells = make_cells(7)
    total = pages_of(cells).excess.sum(axis=2)[0]
    likelihoods = MODEL.mixture.log_chances @ cells
    chances = np.exp(MODEL.mixture.log_chances).reshape(-1, *SHAPE)
    average = np.tensordot(MODEL.mixture.shares, chances, axes=1)
    told = average.copy()
    for page in (CANCEL, CANCELLED):
        told[..., TARGETS.index(page)] = 0.0
    told /= told.sum(axis=-1, keepdims=True)
    steps = cells.reshape(SHAPE).sum(axis=-1, keepdims=True)
    ratios = MODEL.mixture.log_chances.reshape(-1, *SHAPE) - np.log(average)
    of_typical = (steps * told * ratios).sum(axis=(1, 2, 3))
    gap = likelihoods - total - of_typical
    np.testing.assert_allclose(gap, gap[0])


def test_every_page_is_in_one_part_but_those_about_cancelling() -> None:
    counted = [page for part in PAGE_PARTS for page in part.pages]
    assert sorted(counted) == sorted({*PAGES, VISIT_END} - {CANCEL})
    assert len(counted) == len(set(counted))
    np.testing.assert_array_equal(
        WEIGHTS.counts.sum(axis=0).reshape(SHAPE)[0, 0],
        [float(page not in (CANCEL, CANCELLED)) for page in TARGETS],
    )


def test_days_are_those_since_registration_or_the_log_began() -> None:
    cells = make_cells(8, 20)
    for days, watched in ((3.2, 4.0), (3.0, 3.0), (400.0, 60.0), (math.nan, 60.0)):
        found = apart(cells, evidence_of(cells, 1.0, 2, days))
        assert found.watched_days.tolist() == [watched]


def test_blocks_of_users_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    users = [
        (make_cells(seed, 50), evidence_of(make_cells(seed, 50), 1.0, 9, 30.0)) for seed in range(5)
    ]
    together = Evidence(
        *(
            np.concatenate([getattr(one, name) for _, one in users])
            for name in ("log_likelihoods", "visits", "visit_days", "registered", "level")
        )
    )
    pages = PageEvidence(
        *(
            np.concatenate([getattr(pages_of(cells), name) for cells, _ in users])
            for name in ("counts", "typical", "excess")
        )
    )
    at_once = take_apart(MODEL, together, pages, AS_OF, HORIZON, PAID)
    monkeypatch.setattr(parts_module, "_BLOCK_USERS", 2)
    in_blocks = take_apart(MODEL, together, pages, AS_OF, HORIZON, PAID)
    np.testing.assert_allclose(at_once.values, in_blocks.values, atol=1e-12)
    np.testing.assert_allclose(at_once.without, in_blocks.without, atol=1e-12)


def test_rows_have_the_columns_of_the_table_and_what_forecasts_say() -> None:
    steps = [
        ("paid", START, "NextSong"),
        ("paid", "NextSong", "Downgrade"),
        ("free", "Home", "END"),
    ]
    counts = pl.DataFrame(
        {
            "user_id": ["a"] * 3,
            "cell": [cell_of(*step) for step in steps],
            "n_transitions": [4, 7, 4],
            "total_millis": [0, 70_000, 0],
        }
    )
    users = pd.DataFrame(
        {"as_of": AS_OF, "user_id": ["a", "b"], "tenure_days": [20.0, math.nan]}
    ).assign(last_subscription_level=["paid", "free"])
    evidence = sum_evidence(users, counts, MODEL, by_page=True)
    parts = build_parts(evidence, MODEL, HORIZON, "paid")
    assert isinstance(parts, pd.DataFrame)
    assert [*parts.columns] == [n for n in BEHAVIOUR_PARTS.column_names if n != "model_version"]
    assert parts["n_downgrade"].tolist() == [7.0, 0.0]
    assert parts["n_visits"].tolist() == [4.0, 0.0]
    plain = build_forecasts(sum_evidence(users, counts, MODEL), MODEL, HORIZON)
    by_page = build_forecasts(evidence, MODEL, HORIZON)
    pd.testing.assert_frame_equal(plain, by_page)


def test_columns_are_named_for_the_parts_they_hold() -> None:
    cells = make_cells(9, 40)
    found = apart(cells, evidence_of(cells, 0.0, 6, 12.0))
    columns = parts_columns(found)
    assert columns["n_visits"].tolist() == [6.0]
    assert columns["n_adverts"].tolist() == [
        cells.reshape(SHAPE)[..., TARGETS.index("Roll Advert")].sum()
    ]
    assert columns["part_subscription"].tolist() == found.values[:, -1].tolist()
    assert len(cells) == N_CELLS


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("visits_42d", "visited {value} times in 42 days (expected: {typical})"),
        ("visits_of_adverts_7d", "saw {value} adverts in 7 days (expected: {typical})"),
        ("songs_7d", "played {value} songs in 7 days (median: {typical})"),
    ],
)
def test_feature_is_found_by_its_name(name: str, phrase: str) -> None:
    found = find_feature(name)
    assert found is not None
    assert (found.name, found.phrase) == (name, phrase)


@pytest.mark.parametrize("name", ["visits_of_nothing_7d", "visits_of_adverts", "adverts_8d", ""])
def test_no_feature_has_another_name(name: str) -> None:
    assert find_feature(name) is None
