"""Contacts with simulated users: what they do, to whom, and to nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from builders import bytes_of
from numpy.testing import assert_allclose
from simulated_users import twins
from typer.testing import CliRunner

from churn_spark.errors import InputError
from churn_spark.simulate import degrading, population, renewal
from churn_spark.simulate.contacts import Reached
from churn_spark.simulate.kinds import kinds_of
from churn_spark.simulate.lives import begin, simulate_lives
from churn_spark.simulate.next_event import IS_GONE, Lives
from churn_spark.simulate.offers import DOG, KINDS, LOST, SAVED, STAYS, Offer
from churn_spark.simulate.pages import state_of
from churn_spark.simulate.personas import build_move_table, build_personas, thin_cancel
from churn_spark.simulate.population import build_first_users
from churn_spark.simulate.probabilities import build_potentials, build_probabilities
from churn_spark.simulate.settings import DAY_S, Period, SimulationSettings
from churn_spark.simulate.treatment import Treated, build_treatment, treat_all
from churn_spark.simulate.truth import read_truth
from churn_spark.simulate.world import continue_log, simulate_log
from churn_spark.timeline import day_number
from jobs.reveal_truth import app as reveal
from jobs.simulate_events import app

START = date(2018, 10, 1)
FIRST = START + timedelta(days=10)
AFTER = Period(FIRST, 16)
STRONG = (Offer("free", 1.0, 0.95, 12), Offer("", 0.5, 0.5, 5))
WORLD = SimulationSettings(
    users=150, days=10, seed=5, growth=1.0, dirty_share=0.02, offers=STRONG,
    persona_mix=(0, 1, 1, 0), saved_share=(0.4,) * 4, dog_share=(0.3,) * 4,
)  # fmt: skip
REGIMES = ("memoryless", "degrading")


def contact(user_id: str, day: date = FIRST, offer: str = "free") -> Reached:
    return Reached(user_id, datetime(day.year, day.month, day.day, 10, tzinfo=UTC), offer)


def lines_of_others(out: Path, *users: str) -> dict[str, list[str]]:
    """The log by file: lines that name a user, those of some users left out."""
    unwanted = [f'"userId":"{user}"' for user in users]
    found = {
        name: [
            line
            for line in text.decode().splitlines()
            if '"userId":"2' in line and not any(user in line for user in unwanted)
        ]
        for name, text in bytes_of(out / "events").items()
    }
    return {name: lines for name, lines in found.items() if lines}


def everybody_contacted(out: Path) -> list[Reached]:
    return [contact(user) for user in read_truth(out, "users")["user_id"].to_pylist()]


@pytest.fixture(scope="module", params=REGIMES)
def worlds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world without a contact in `alone`, and one whose users were all contacted in `all`."""
    folder = tmp_path_factory.mktemp(request.param)
    settings = replace(WORLD, regime=request.param)
    for name in ("alone", "all"):
        simulate_log(settings, folder / name)
    continue_log(folder / "alone", AFTER)
    continue_log(folder / "all", AFTER, contacts=everybody_contacted(folder / "all"))
    return folder


def cancels(out: Path) -> dict[str, datetime | None]:
    users = read_truth(out, "users")
    return dict(zip(users["user_id"].to_pylist(), users["cancel_ts"].to_pylist(), strict=True))


def users_of_kind(out: Path, kind: int) -> set[str]:
    rows = read_truth(out, "contacted").to_pylist()
    return {row["user_id"] for row in rows if row["kind"] == KINDS[kind]}


def test_offer_saves_who_can_be_saved_wakes_sleeping_dogs_and_moves_nobody_else(
    worlds: Path,
) -> None:
    alone, treated = cancels(worlds / "alone"), cancels(worlds / "all")
    acts = datetime(2018, 10, 12, tzinfo=UTC), datetime(2018, 10, 24, tzinfo=UTC)

    def cancelled(found: dict[str, Any], kind: int) -> int:
        users = users_of_kind(worlds / "all", kind)
        return sum(found[u] is not None and acts[0] <= found[u] < acts[1] for u in users)

    assert cancelled(alone, SAVED) > 0 == cancelled(treated, SAVED)
    dogs = users_of_kind(worlds / "all", DOG)
    assert cancelled(treated, DOG) > 0.6 * len(dogs) > cancelled(alone, DOG)
    for kind in (LOST, STAYS):
        unmoved = users_of_kind(worlds / "all", kind)
        assert unmoved
        assert {u: treated[u] for u in unmoved} == {u: alone[u] for u in unmoved}


def test_untreated_outcome_is_that_of_the_world_without_contacts(worlds: Path) -> None:
    alone = cancels(worlds / "alone")
    rows = read_truth(worlds / "all", "contacted").to_pylist()
    assert len(rows) > 100
    assert [row["untreated_cancel_ts"] for row in rows] == [alone[row["user_id"]] for row in rows]
    assert {(str(row["acts_from"]), str(row["acts_until"])) for row in rows} == {
        ("2018-10-12", "2018-10-23")
    }


@pytest.mark.parametrize("kind", [SAVED, DOG])
def test_a_contact_changes_no_event_of_anybody_else(
    worlds: Path, kind: int, tmp_path: Path
) -> None:
    alone, treated = cancels(worlds / "alone"), cancels(worlds / "all")
    moved = sorted(u for u in users_of_kind(worlds / "all", kind) if alone[u] != treated[u])[0]
    settings = json.loads((worlds / "alone" / "world" / "settings.json").read_text())
    simulate_log(replace(WORLD, regime=settings["regime"]), tmp_path)
    continue_log(tmp_path, AFTER, contacts=[contact(moved)])
    assert lines_of_others(tmp_path, moved) == lines_of_others(worlds / "alone", moved)
    assert lines_of_others(tmp_path) != lines_of_others(worlds / "alone")
    assert lines_of_others(tmp_path, moved) != lines_of_others(worlds / "all", moved)
    # Ids of sessions are the user's own, each for one session.
    theirs = [
        json.loads(line)
        for name, lines in sorted(lines_of_others(tmp_path).items())
        for line in lines
        if f'"userId":"{moved}"' in line and line.endswith("}")
    ]
    starts = {(line["sessionId"], line["ts"]) for line in theirs if line["itemInSession"] == 0}
    assert len({session for session, _ in starts}) == len(starts)


@pytest.mark.parametrize("regime", REGIMES)
def test_contacted_world_goes_on_day_by_day_as_in_one_go(
    tmp_path: Path, regime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(population, "BLOCK_USERS", 64)
    settings = replace(WORLD, regime=regime)
    days = [FIRST + timedelta(days=n) for n in range(9)]
    for name in ("once", "daily"):
        simulate_log(settings, tmp_path / name)
    users = [one.user_id for one in everybody_contacted(tmp_path / "once")]
    told = [contact(u, days[n % 4], ("free", "")[n % 2]) for n, u in enumerate(users)]
    told += [contact(u, days[5]) for u in users[::3]]
    continue_log(tmp_path / "once", Period(FIRST, 9), contacts=told)
    for day in days:
        # All that is known by then, as in a file that grows: what comes again counts once.
        so_far = [one for one in told if one.time.date() <= day]
        continue_log(tmp_path / "daily", Period(day, 1), contacts=so_far)
    once, daily = bytes_of(tmp_path / "once"), bytes_of(tmp_path / "daily")
    end = f"world/{days[-1] + timedelta(days=1)}"
    chosen = [name for name in once if not name.startswith("world") or name.startswith(end)]
    assert {name: once[name] for name in chosen} == {name: daily[name] for name in chosen}
    assert any(name.startswith(f"{end}/twins") for name in chosen)


def test_last_days_can_be_lived_again_with_other_contacts(tmp_path: Path) -> None:
    simulate_log(WORLD, tmp_path)
    continue_log(tmp_path, AFTER)
    before = bytes_of(tmp_path)
    continue_log(tmp_path, AFTER, contacts=everybody_contacted(tmp_path))
    assert bytes_of(tmp_path) != before
    continue_log(tmp_path, AFTER)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize("kind", [SAVED, DOG])
def test_degrading_chances_under_an_offer_are_the_frequencies_of_twins(kind: int) -> None:
    people, n_users = twins(1, 4000), 4000
    offers = (Offer("half", 0.5, 0.3, 8),)
    settings = SimulationSettings(regime="degrading", offers=offers, days=15)
    treatment = treat_all(settings, people.number, np.full(n_users, kind), day_number(START) + 1, 0)
    days = range(day_number(START), day_number(START) + 15)
    fading = np.full(n_users, 12)
    course = degrading.simulate_course(
        settings, people, fading, settings.period, treatment.keeps(days)
    )
    at = np.minimum(course.cancels_at, treatment.woken_at(days))
    standing = degrading.Standing(people.number, people.persona, people.registered, fading)

    def chances(keeps: Any) -> Any:
        return degrading.cancelled_by_day(settings, standing, days, None, keeps)

    expected = treatment.with_woken(chances(treatment.keeps(days)), days)
    for n_days in (2, 6, 10, 15):
        chance = expected[n_days - 1]
        error = np.sqrt((chance * (1.0 - chance)).sum())
        assert abs((at < (days[0] + n_days) * DAY_S).sum() - chance.sum()) < 4.0 * error
    alone = chances(None)
    assert_allclose(expected[:2], alone[:2])  # nothing acts yet
    assert (
        (expected[14] < 0.9 * alone[14]).all()
        if kind == SAVED
        else (expected[14] > 1.1 * alone[14]).all()
    )


@pytest.mark.parametrize("kind", [SAVED, DOG])
def test_memoryless_chances_under_an_offer_are_the_frequencies_of_twins(kind: int) -> None:
    n_users, page = 3000, state_of("Logged In", "paid", "Home")
    people = twins(1, n_users)
    settings = SimulationSettings(users=1, days=14, offers=(Offer("half", 0.7, 0.1, 6),))
    treatment = treat_all(settings, people.number, np.full(n_users, kind), day_number(START) + 1, 0)
    last = begin(people, 0)
    lives = Lives(**(vars(last) | {"state": np.full(n_users, page), "session": last.session + 1}))
    events = simulate_lives(settings, people, lives, None, Period(START, 14), treatment).events
    days = range(day_number(START), day_number(START) + 14)

    def chances(saving: Any) -> Any:
        in_session, between = (
            renewal.cancelled_by_day(
                settings,
                renewal.Standing(
                    people.persona, people.event_gap, people.session_gap,
                    np.full(n_users, page), np.full(n_users, is_in_session),
                ),
                days,
                saving,
            )[:, 0]
            for is_in_session in (True, False)
        )  # fmt: skip
        # Home ends the session of some; the others go on with it.
        share = len(np.unique(events.row[events.session == 0])) / n_users
        return share * in_session + (1.0 - share) * between

    by_day = np.repeat(chances(treatment.saving_by_day(days))[:, None], n_users, axis=1)
    expected = treatment.with_woken(by_day, days)[:, 0]
    gone = events.ts[IS_GONE[events.state]]
    found = np.array([(gone < (day + 1) * DAY_S).mean() * len(gone) / n_users for day in days])
    error = np.sqrt(expected * (1.0 - expected) / n_users)
    assert (np.abs(found - expected) < 4.0 * error)[[1, 4, 7, 13]].all()
    assert (expected[7] < 0.8 * chances(None)[7]) == (kind == SAVED)


def test_potential_chances_differ_where_the_kind_is_moved_alone(worlds: Path) -> None:
    rows = build_potentials(worlds / "all", FIRST, 14, 1).to_pandas()
    assert set(rows["offer"]) == {"free", ""}
    contacted = {row["user_id"] for row in read_truth(worlds / "all", "contacted").to_pylist()}
    expected = (rows["offer"] == "free") & rows["user_id"].isin(contacted)
    assert rows["is_contacted"].tolist() == expected.tolist()
    gain = rows["if_contacted"] - rows["if_not_contacted"]
    moved = {KINDS[SAVED]: -1, KINDS[DOG]: 1}
    for kind, found in gain.groupby(rows["kind"]):
        sign = moved.get(str(kind), 0)
        at_risk = rows.loc[found.index, "if_not_contacted"] > 1e-9
        expected = sign if sign >= 0 else sign * at_risk
        assert (np.sign(found.round(12)) == expected).all()
    strength = -gain.groupby(rows["offer"]).sum().abs()
    assert strength["free"] < strength[""]


def test_cancels_of_the_contacted_are_as_likely_as_the_truth_says(worlds: Path) -> None:
    known = build_probabilities(worlds / "all", FIRST, 14, 1).to_pandas().dropna()
    potential = build_potentials(worlds / "all", FIRST, 14, 1).to_pandas()
    contacted = potential[potential["is_contacted"]].set_index("user_id")["if_contacted"]
    known = known[known["user_id"].isin(contacted.index)]
    assert_allclose(known["cancel_probability"], contacted.reindex(known["user_id"]), rtol=1e-9)
    chance = known["cancel_probability"]
    error = np.sqrt((chance * (1.0 - chance)).sum())
    assert abs(known["label"].sum() - chance.sum()) < 3.5 * error


def test_newest_contact_that_acts_counts_and_none_acts_on_its_own_day() -> None:
    settings, day = SimulationSettings(offers=STRONG), 100
    contacts = [
        Treated((day + 3) * DAY_S, 7, 1), Treated(day * DAY_S, 7, 0), Treated(day * DAY_S, 9, 0),
    ]  # fmt: skip
    number, kind = np.array([7, 8]), np.array([SAVED, SAVED])
    treatment = build_treatment(settings, contacts, number, kind, day + 30)
    assert treatment is not None
    acting = treatment.saving_by_day(range(day, day + 14))
    expected = [-1] + 3 * [0] + 5 * [1] + 4 * [0] + [-1]
    assert acting[:, 0].tolist() == expected
    assert acting[:, 1].tolist() == 14 * [-1]
    assert build_treatment(settings, contacts[2:], number, kind, day + 30) is None


def test_kinds_have_their_shares_by_persona_and_the_lost_their_risk() -> None:
    for regime in REGIMES:
        settings = SimulationSettings(users=2048, regime=regime, persona_mix=(1, 1, 0, 0))
        people = build_first_users(settings, 0)
        kind = kinds_of(settings, people.number, people.persona, people.session_gap)
        for persona in (0, 1):
            mine = kind[people.persona == persona]
            shares = [settings.saved_share, settings.lost_share, settings.dog_share]
            expected = [share[persona] for share in shares]
            found = [(mine == one).mean() for one in (SAVED, LOST, DOG)]
            assert_allclose(found, expected, atol=0.05)
        risk = (
            degrading.own_onset(settings, people.number)
            if regime == "degrading"
            else 1.0 / people.session_gap
        )
        for persona in (0, 1):
            mine = people.persona == persona
            assert risk[mine & (kind == LOST)].min() >= risk[mine & (kind == STAYS)].max()


def test_thinned_rows_keep_their_pages_and_so_much_of_cancel() -> None:
    table = build_move_table(build_personas(SimulationSettings()))
    thinned = thin_cancel(table, 0.25)
    draws = np.linspace(0.0, 1.0, 40_001)[:-1]
    cancel = {state_of("Logged In", level, "Cancel") for level in ("free", "paid")}
    n_cancels = 0
    for persona, state in np.ndindex(table.cumulative.shape[:2]):
        before, after = (
            one.targets[persona, state][
                np.searchsorted(one.cumulative[persona, state], draws, side="right")
            ]
            for one in (table, thinned)
        )
        was, is_now = np.isin(before, [*cancel]), np.isin(after, [*cancel])
        assert (before[~was] == after[~was]).all()
        assert is_now.mean() == pytest.approx(0.25 * was.mean(), abs=1e-4)
        n_cancels += bool(was.any())
    assert n_cancels > 20


WRONG = {
    "free?": ([contact("2000001", offer="half")], r"offers 'half'; expected those of the world: '"),
    "stranger": ([contact("99")], "users 99; expected ids of users who are in the log"),
    "name": ([contact("Anna")], "users Anna; expected"),
    "late": ([contact("2000001", FIRST + timedelta(days=40))], "on 2018-11-20; expected none aft"),
    "early": ([contact("2000001", FIRST - timedelta(days=2))], "on 2018-10-09; expected 2018-10-1"),
}


@pytest.mark.parametrize("name", [*WRONG])
def test_contacts_that_do_not_fit_the_world_change_nothing(tmp_path: Path, name: str) -> None:
    simulate_log(replace(WORLD, users=20, dirty_share=0.0), tmp_path)
    before = bytes_of(tmp_path)
    contacts, complaint = WRONG[name]
    with pytest.raises(InputError, match=complaint):
        continue_log(tmp_path, AFTER, contacts=contacts)
    assert bytes_of(tmp_path) == before


def test_job_acts_on_a_file_of_contacts_and_reveals_both_chances(tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "job")]
    runner = CliRunner()
    world = ["--users", "40", "--days", "5", "--offer", "free=.9,.2,9", "--offer", "=.1,.1,3"]
    assert runner.invoke(app, [*world, *out]).exit_code == 0
    head = "user_id,list_date,time,channel,offer,cost,outcome"
    rows = [
        f"{user},2018-10-06,2018-10-06T09:00:00Z,call,free,1,{outcome}"
        for user, outcome in (("2000001", "accepted"), ("2000002", "not_reached"))
    ]
    file = tmp_path / "contacts.csv"
    on = ["--from", "2018-10-06", "--days", "4", "--contacts", str(file), *out]
    file.write_text("\n".join([head, *rows, rows[0].replace("2018-10-06T", "soon ")]))
    refused = runner.invoke(app, on)
    assert isinstance(refused.exception, InputError)
    assert "contacts.csv can't be acted on: row 3: time: Input" in str(refused.exception)
    file.write_text("\n".join([head, *rows]))
    assert runner.invoke(app, on).exit_code == 0
    assert read_truth(tmp_path / "job", "contacted")["user_id"].to_pylist() == ["2000001"]
    assert runner.invoke(reveal, [*out, "--date", "2018-10-06"]).exit_code == 0
    potentials = read_truth(tmp_path / "job", "potentials")
    assert pa.compute.sum(potentials["is_contacted"]).as_py() == 1
    early = runner.invoke(app, ["--contacts", str(file), "--out", str(tmp_path / "new")])
    assert "found --contacts without --from" in str(early.exception)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"saved_share": (0.9, 0, 0, 0), "dog_share": (0.2, 0, 0, 0)}, "add up to 1 at most"),
        ({"lost_share": (-0.1, 0, 0, 0)}, "four shares of 0 to 1"),
        ({"offers": ()}, "expected at least one"),
        ({"offers": (STRONG[0], STRONG[0])}, "each name once"),
    ],
)
def test_impossible_kinds_and_offers_are_refused(changes: Any, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        SimulationSettings(**changes)


@pytest.mark.parametrize("text", ["free", "free=.5,.1", "=1.5,.1,3", "a=.5,1,3", "a=.5,.1,0"])
def test_offer_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="found offer"):
        Offer.parse(text)
