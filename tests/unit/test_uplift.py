"""What being listed saves: learnt from a draw, judged on others, and decided week by week."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from list_builders import small_bundle

from bench.uplift import Kind, draw_world, few_are_not_enough
from churn_spark.config import UpliftConfig, load_config
from churn_spark.contracts.registry_state import RegistryState
from churn_spark.contracts.tables import CONTACTS, LABELS, RETENTION_LISTS, SNAPSHOTS
from churn_spark.evaluation.qini import Drawn
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.uplift.judging import is_enough, learn, needed_users
from churn_spark.models.uplift.model import Campaign, UpliftModel, fit_uplift, uplift_encoding
from churn_spark.models.uplift.response import Response, deal, find_shift, fit_response
from churn_spark.monitoring.policy.evidence import Evidence, OrderEvidence
from churn_spark.monitoring.policy.history import Entry
from churn_spark.monitoring.policy.order import decide_order
from churn_spark.monitoring.policy.policy import start_policy
from churn_spark.monitoring.policy.policy_state import Decision, from_json, to_json
from churn_spark.monitoring.policy.replayed import count_differences, judged_nights
from churn_spark.pipeline.dates import LogDates
from churn_spark.pipeline.gather import Night
from churn_spark.pipeline.uplift import find_order, order_if_due
from churn_spark.stores.decisions import write_night
from churn_spark.timeline import LogSpan
from tests.local_lakehouse import open_local

CONFIG = load_config(overrides=["retention_list.control_share=0.25"]).night
MONDAY = date(2026, 3, 2)
NIGHT = MONDAY + timedelta(days=21)
CAMPAIGN = Campaign(NIGHT, "default", 0.25)
ENCODING = uplift_encoding(small_bundle().encoding)
FAST = CONFIG.uplift.model_copy(update={"n_folds": 2})


def planted(n: int, seed: int, *, differs: bool = True) -> tuple[pd.DataFrame, Drawn, np.ndarray]:
    """Users of whom calls keep those with few songs and drive away those with many, or nobody."""
    rng = np.random.default_rng(seed)
    songs = rng.integers(0, 60, n).astype(float)
    rows = pd.DataFrame(
        {"songs_7d": songs, "last_subscription_level": rng.choice(["paid", "free"], n)}
    )
    risk = rng.uniform(0.15, 0.6, n)
    saving = np.where(songs < 30, 0.8 * risk, -0.5 * risk) if differs else np.zeros(n)
    is_control = rng.random(n) < 0.25
    cancels = rng.random(n) < np.where(is_control, risk, risk - saving)
    return rows.assign(churn_probability=risk), Drawn(is_control, cancels, risk, 0.25), saving


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=30), st.integers(0, 2**30 - 1))
def test_shift_makes_the_chances_expect_the_cancels(known: list[float], bits: int) -> None:
    log_odds = np.array(known)
    cancels = np.array([bits >> i & 1 == 1 for i in range(len(known))])
    shift = find_shift(log_odds, cancels)
    expected = sum(1 / (1 + np.exp(-one - shift)) for one in (*known, 0.0))
    assert expected == pytest.approx(cancels.sum() + 0.5, abs=1e-6)


def test_response_without_anything_to_learn_is_the_served_risk() -> None:
    rows, drawn, _ = planted(3000, 1, differs=False)
    matrix = np.column_stack([rows["songs_7d"], np.zeros(len(rows))])
    log_odds = np.log(drawn.risk / (1 - drawn.risk))
    found = fit_response(matrix, log_odds, drawn.cancels, [], 7)
    assert found.native_text == ""
    assert found.shift == pytest.approx(0.0, abs=0.15)


def test_parts_are_of_one_size() -> None:
    assert sorted(np.bincount(deal(23, 5, 3)).tolist()) == [4, 4, 5, 5, 5]


def test_model_finds_whom_calls_keep_and_whom_they_drive_away() -> None:
    rows, drawn, saving = planted(6000, 2)
    model = fit_uplift(rows, drawn, ENCODING, CAMPAIGN, 7)
    found = model.saves(rows)
    assert np.corrcoef(found, saving)[0, 1] > 0.8
    assert found[rows["songs_7d"] < 20].min() > 0 > found[rows["songs_7d"] > 40].max()
    again = UpliftModel.from_json(model.to_json())
    np.testing.assert_array_equal(again.saves(rows), found)
    assert again == model
    assert again.knows_definitions
    assert not replace(model, encoding=replace(ENCODING, fingerprint="other")).knows_definitions


def test_sides_exchanged_change_the_sign() -> None:
    rows, drawn, _ = planted(3000, 3)
    model = fit_uplift(rows, drawn, ENCODING, CAMPAIGN, 7)
    other = fit_uplift(rows, replace(drawn, is_control=~drawn.is_control), ENCODING, CAMPAIGN, 7)
    np.testing.assert_allclose(other.saves(rows), -model.saves(rows))


def test_constant_effect_leaves_the_order_by_risk() -> None:
    flat = UpliftModel(NIGHT, "default", 0.25, ENCODING, Response(-0.5), Response(0.0), 0.1)
    rows, _, _ = planted(200, 4)
    low = rows[rows["churn_probability"] < 0.5]
    assert low["churn_probability"].argsort().tolist() == flat.saves(low).argsort().tolist()


def test_order_is_judged_on_users_that_no_fit_has_seen() -> None:
    rows, drawn, _ = planted(6000, 5)
    worth = np.ones(len(rows))
    learnt = learn(rows, drawn, worth, ENCODING, CAMPAIGN, FAST)
    assert learnt.is_better
    assert learnt.model.leaves_alone
    assert learnt.harmed.value < -0.1
    assert learnt.difference.value == pytest.approx(learnt.by_effect.value - learnt.by_risk.value)
    # Of whom nothing can be learnt the order is not better, and nobody is left alone.
    rows, drawn, _ = planted(3000, 6, differs=False)
    nothing = learn(rows, drawn, np.ones(len(rows)), ENCODING, CAMPAIGN, FAST)
    assert not nothing.is_better
    assert not nothing.model.leaves_alone


def test_few_users_are_not_enough_and_it_is_said_how_many_are() -> None:
    _, drawn, _ = planted(100, 7)
    config = CONFIG.uplift
    assert not is_enough(drawn, config)
    assert is_enough(planted(3000, 7)[1], config)
    needed = needed_users(drawn, None)
    assert needed is not None
    assert needed > 1000
    nobody = replace(drawn, cancels=np.zeros(len(drawn), dtype=bool))
    assert needed_users(nobody, None) is None


EVIDENCE = OrderEvidence(MONDAY, "spring", 0.1, 405, 20, 45, 3, 20, 22_902)
TOLD = replace(
    EVIDENCE, n_listed=19_800, n_control=2_200, by_effect=0.021, by_risk=0.008, difference=0.013,
    low=0.004, high=0.022, n_harmed=2_200, harmed_saved=-0.05, harmed_high=-0.01,
)  # fmt: skip


@pytest.mark.parametrize(
    ("evidence", "rule", "reason"),
    [
        (
            EVIDENCE,
            "by_risk",
            "not yet by effect: 450 users of campaign spring, 45 of them withheld; of the withheld "
            "3 cancelled and of the listed 20, and to learn what calls change takes at least 20 on "
            "either side, and as many others; to tell an order that keeps 5 of 100 cancels more "
            "takes about 22,902 users",
        ),
        (
            TOLD,
            "by_effect",
            "by effect: 22,000 users of campaign spring, 2,200 of them withheld; of 100 users, "
            "lists by effect save 1.3 more from cancelling than lists by risk (0.4 to 2.2, at all "
            "looks together), in the mean over all lengths of a list; 10 % would rather be left "
            "alone: of 100 such users, listing has saved −5.0, at most −1.0",
        ),
        (
            replace(TOLD, low=-0.001, harmed_high=0.01, n_needed=22_000),
            "by_risk",
            "not yet by effect: 22,000 users of campaign spring, 2,200 of them withheld; of 100 "
            "users, lists by effect save 1.3 more from cancelling than lists by risk (−0.1 to 2.2, "
            "at all looks together), in the mean over all lengths of a list; an order that keeps 5 "
            "of 100 cancels more would have been told by now",
        ),
    ],
)
def test_decision_says_why_in_words(evidence: OrderEvidence, rule: str, reason: str) -> None:
    assert decide_order(evidence, NIGHT) == Decision(NIGHT, "order", rule, reason)


def test_decision_is_replayed_and_judges_no_night() -> None:
    policy = CONFIG.policy
    state, evidence = start_policy("1", MONDAY, policy), Evidence(500, order=TOLD)
    entry = Entry(0, decide_order(TOLD, NIGHT), state, evidence, state, policy)
    assert count_differences([entry]) == 0
    forged = replace(entry, decision=replace(entry.decision, rule="by_risk"))
    assert count_differences([forged]) == 1
    judged = Entry(0, Decision(NIGHT, "keep", "nothing", ""), state, Evidence(500), state, policy)
    assert len(judged_nights([judged, entry])[1]) == 1


def test_evidence_without_an_order_is_written_as_before() -> None:
    assert '"order"' not in to_json(Evidence(500))
    assert from_json(Evidence, to_json(Evidence(500))) == Evidence(500)
    with_order = Evidence(500, order=TOLD)
    assert from_json(Evidence, to_json(with_order)) == with_order


@dataclass
class FakeRegistry:
    """A champion, and texts by their tags."""

    texts: dict[str, str] = field(default_factory=dict)

    def load(self, version: str) -> Any:
        return small_bundle(version)

    def keep_text(self, name: str, tags: Mapping[str, str], file: str, text: str) -> None:
        self.texts[f"{name} {tags['as_of']} {file}"] = text

    def read_text(self, tags: Mapping[str, str], file: str) -> str | None:
        return self.texts.get(f"uplift {tags['as_of']} {file}")


def write(lakehouse: Lakehouse, spec: Any, rows: pd.DataFrame, column: str) -> None:
    whole = rows.reindex(columns=spec.column_names).astype(object)
    values = whole.where(whole.notna(), None).itertuples(index=False, name=None)
    lakehouse.replace_rows([*values], spec, {column: sorted(rows[column].unique())})


@pytest.fixture
def lakehouse(tmp_path_factory: pytest.TempPathFactory) -> Lakehouse:
    """A campaign of a week: lists, labels and snapshots of planted users, and no contact yet."""
    lakehouse = open_local(tmp_path_factory.mktemp("lakehouse"))
    rows, drawn, _ = planted(6000, 5)
    days = [MONDAY + timedelta(days=n % 7) for n in range(len(rows))]
    users = rows.assign(as_of=days, user_id=[f"user-{n:05}" for n in range(len(rows))])
    assignment = np.where(drawn.is_control, "control", "listed")
    listed = users.assign(
        assignment=assignment, campaign="default", control_share=0.25, model_version="4",
        value_at_risk=users["churn_probability"],
    )  # fmt: skip
    labels = users.assign(
        label=drawn.cancels.astype(int), horizon_days=14, gap_days=1, is_gap_cancel=False,
        is_known=True,
    )  # fmt: skip
    write(lakehouse, RETENTION_LISTS, listed, "as_of")
    write(lakehouse, LABELS, labels, "as_of")
    write(lakehouse, SNAPSHOTS, users, "as_of")
    return lakehouse


def write_contact(lakehouse: Lakehouse, day: date = MONDAY) -> None:
    moment = datetime.combine(day, time(12))
    row = {"list_date": day, "user_id": "user-00000", "contact_ts": moment, "channel": "call"}
    frame = pd.DataFrame([row | {"offer": "", "cost": 1.0, "outcome": "reached"}])
    write(lakehouse, CONTACTS, frame, "list_date")


def night_of(day: date, entries: tuple[Entry, ...] = ()) -> Night:
    log = LogDates(LogSpan(date(2026, 1, 5), day), day, frozenset())
    return Night(day, log, entries, RegistryState())


def judged(day: date) -> list[Entry]:
    state = start_policy("4", MONDAY, CONFIG.policy)
    return [
        Entry(0, Decision(day, "keep", "nothing", ""), state, Evidence(500), state, CONFIG.policy)
    ]


def test_without_contacts_nothing_is_decided(lakehouse: Lakehouse) -> None:
    registry: Any = FakeRegistry()
    assert order_if_due(lakehouse, registry, night_of(NIGHT), judged(NIGHT), CONFIG) == []
    listing, uplift = CONFIG.retention_list, CONFIG.uplift
    assert find_order(lakehouse, registry, NIGHT, listing, uplift) is None
    assert registry.texts == {}


def test_order_is_decided_once_a_week_and_holds_from_the_next_night_on(
    lakehouse: Lakehouse,
) -> None:
    registry: Any = FakeRegistry()
    write_contact(lakehouse)
    config = CONFIG.model_copy(update={"uplift": FAST})
    early = NIGHT - timedelta(days=1)
    assert order_if_due(lakehouse, registry, night_of(early), judged(early), config) == []
    night, tonight = night_of(NIGHT), judged(NIGHT)
    [entry] = order_if_due(lakehouse, registry, night, tonight, config)
    assert (entry.decision.kind, entry.decision.rule) == ("order", "by_effect")
    assert entry.evidence is not None
    assert entry.evidence.order is not None
    assert entry.evidence.order.n_users == 6000
    assert entry.before == entry.after == tonight[-1].after
    assert count_differences([entry]) == 0
    # Done again it is the same, byte for byte, and the model too.
    [text] = registry.texts.values()
    [again] = order_if_due(lakehouse, registry, night, tonight, config)
    assert again == entry
    assert [*registry.texts.values()] == [text]
    assert ("user-" in text) is False
    write_night(lakehouse, NIGHT, [*tonight, entry])
    later = NIGHT + timedelta(days=1)
    decided = night_of(later, (*tonight, entry))
    assert order_if_due(lakehouse, registry, decided, judged(later), config) == []
    listing = config.retention_list
    assert find_order(lakehouse, registry, NIGHT, listing, FAST) is None
    found = find_order(lakehouse, registry, later, listing, FAST)
    assert found == UpliftModel.from_json(text)
    other = listing.model_copy(update={"campaign": "summer"})
    assert find_order(lakehouse, registry, later, other, FAST) is None
    off = FAST.model_copy(update={"enabled": False})
    assert find_order(lakehouse, registry, later, listing, off) is None
    long_after = NIGHT + timedelta(days=29)
    assert find_order(lakehouse, registry, long_after, listing, FAST) is None


def test_few_users_are_told_that_it_is_too_early(lakehouse: Lakehouse) -> None:
    write_contact(lakehouse, MONDAY + timedelta(days=6))
    registry: Any = FakeRegistry()
    few = FAST.model_copy(update={"max_users": 100})
    config = CONFIG.model_copy(update={"uplift": few})
    [entry] = order_if_due(lakehouse, registry, night_of(NIGHT), judged(NIGHT), config)
    assert entry.decision.rule == "by_risk"
    assert entry.decision.reason.startswith("not yet by effect: 100 users of campaign default, ")
    assert registry.texts == {}


def test_nobody_is_drawn_of_users_left_alone(lakehouse: Lakehouse) -> None:
    write_contact(lakehouse)
    rows = lakehouse.read_rows(RETENTION_LISTS, {"as_of": [MONDAY]})
    first = rows.iloc[:10].assign(assignment="left_alone", control_share=0.0)
    write(lakehouse, RETENTION_LISTS, pd.concat([first, rows.iloc[10:]]), "as_of")
    registry: Any = FakeRegistry()
    config = CONFIG.model_copy(update={"uplift": FAST})
    [entry] = order_if_due(lakehouse, registry, night_of(NIGHT), judged(NIGHT), config)
    assert entry.evidence is not None
    assert entry.evidence.order is not None
    assert entry.evidence.order.n_users == 5990


def test_settings_are_checked() -> None:
    with pytest.raises(ValueError, match="min_cancels"):
        UpliftConfig.model_validate(CONFIG.uplift.model_dump() | {"min_cancels": 1})


def test_worlds_of_the_bench_have_the_effects_they_tell() -> None:
    for kind in get_args(Kind):
        world = draw_world(kind, 20_000, np.random.default_rng(11))
        saved = world.drawn.saved
        error = saved.std() / np.sqrt(len(saved))
        assert saved.mean() == pytest.approx(world.saving.mean(), abs=4 * error)
        assert (world.saving.min() < 0) == (kind == "differ")
        assert (world.saving.max() > 0) == (kind != "none")
    few, needed = few_are_not_enough(np.random.default_rng(11), CONFIG.uplift)
    assert few
    assert needed > 10_000
