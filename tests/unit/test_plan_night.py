"""What the plan of a night says: of the night that the job does, and no more than it will do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from builders import millis, record, write_lines
from champion_builders import LocalFiles
from erasure_builders import Place
from local_lakehouse import LocalLakehouse, list_folder
from nights import POLICY, decided
from serving_builders import make_bundle

from churn_spark.config import load_config
from churn_spark.contracts.contact import INBOX
from churn_spark.contracts.tables import (
    DATA_CHECKS,
    LABELS,
    RETENTION_LISTS,
    SCORES,
    TableSpec,
)
from churn_spark.errors import FingerprintError, InputError, OtherIdsError, OtherModelError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.differences import held_out
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.monitoring.policy.evidence import Evidence
from churn_spark.monitoring.policy.policy import start_policy
from churn_spark.pipeline import ingest, maintain, snapshots
from churn_spark.pipeline.dates import read_log_dates
from churn_spark.pipeline.demo import DEMO_FOLDER
from churn_spark.pipeline.plan import say_plan
from churn_spark.pipeline.planner import Planner
from churn_spark.stores.champion import publish_champion
from churn_spark.stores.checks import write_checks
from churn_spark.stores.decisions import write_night
from churn_spark.stores.runs import Run, write_run

BEGIN, N_DAYS = date(2018, 10, 29), 14
END = BEGIN + timedelta(days=N_DAYS)
LEARNING = load_config().learning
USUAL = replace(make_bundle(rounds=3), version="3", held_out=held_out(LEARNING))
Told = Callable[..., str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two weeks of log, and its tables of events."""
    folder = tmp_path_factory.mktemp("plans")
    made = Place(LocalLakehouse(str(folder / "lakehouse")), folder / "logs")
    for n in range(N_DAYS):
        deliver(made, BEGIN + timedelta(days=n))
    with pytest.MonkeyPatch.context() as patched:
        without_spark(patched)
        made.load()
    return made


@pytest.fixture
def place(made: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The same for one test, which may add a file."""
    without_spark(monkeypatch)
    shutil.copytree(made.root, tmp_path / "lakehouse")
    yield Place(LocalLakehouse(str(tmp_path / "lakehouse")), made.logs)
    log_of(made, END).unlink(missing_ok=True)


def without_spark(patched: pytest.MonkeyPatch) -> None:
    patched.setattr(ingest, "list_location", lambda _, path, __: list_folder(Path(path)))
    patched.setattr(LocalLakehouse, "spark", None, raising=False)


@pytest.fixture
def lakehouse(place: Place) -> Lakehouse:
    return cast(Lakehouse, place.lakehouse)


@pytest.fixture
def told(place: Place, capsys: pytest.CaptureFixture[str]) -> Told:
    """What the plan of a job says; it changes no byte."""

    def plan(job: str, day: date | None = None, *overrides: str, **options: Any) -> str:
        before = content(place.root)
        config = load_config(overrides=overrides)
        options = {"events": str(place.logs), **options}
        capsys.readouterr()
        try:
            say_plan(Planner(cast(Lakehouse, place.lakehouse), config, options), job, [day])
        finally:
            assert content(place.root) == before
        return capsys.readouterr().out

    return plan


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def deliver(place: Place, day: date) -> None:
    """A file of a day, on which twelve users are there."""
    at = millis(f"{day} 10:00:00")
    lines = [record(userId=str(user), sessionId=user, ts=at + user) for user in range(12)]
    write_lines(log_of(place, day), lines)


def log_of(place: Place, day: date) -> Path:
    return place.logs / f"{day}.json"


def build(lakehouse: Lakehouse, day: date) -> None:
    """The snapshot of a date, and a score on it."""
    snapshots.run(lakehouse, [day], LEARNING, read_log_dates(lakehouse, day))
    fill(lakehouse, SCORES, as_of=day, user_id="1")


def fill(lakehouse: Lakehouse, spec: TableSpec, **values: Any) -> None:
    row = dict.fromkeys(spec.column_names) | values
    partition = {name: [values[name]] for name in spec.partition_by}
    lakehouse.replace_rows([tuple(row.values())], spec, partition)


def publish(lakehouse: Lakehouse, trained: date, bundle: ModelBundle = USUAL) -> None:
    written: Any = SimpleNamespace(files=LocalFiles(Path(lakehouse.root)))
    publish_champion(written, bundle, {"as_of": str(trained)})


def done(lakehouse: Lakehouse, day: date) -> None:
    """A night that has been decided, the first one."""
    state = start_policy("3", day, POLICY)
    write_night(lakehouse, day, [decided(state, Evidence(1000), day)])


def of_other_definitions(bundle: ModelBundle) -> ModelBundle:
    return replace(bundle, encoding=replace(bundle.encoding, fingerprint="00aa"))


def test_night_without_a_date_is_none_that_is_known_while_files_are_new(
    place: Place, lakehouse: Lakehouse, told: Told
) -> None:
    build(lakehouse, END)
    done_before = told("nightly")
    assert f"the snapshot of {END}: built anew, though up to date with the log" in done_before
    assert f"ml/scores of {END} (1 row replaced)" in done_before
    deliver(place, END)
    said = told("nightly")
    assert "ingest_events        1 file new" in said
    assert "the date is the day after the last complete day of the log, known once" in said
    assert str(END) not in said
    assert "replaced" not in said


def test_night_without_a_date_is_not_known_while_events_are_in_no_other_table(
    place: Place, lakehouse: Lakehouse, told: Told
) -> None:
    build(lakehouse, END)
    deliver(place, END)
    ingest.run(lakehouse, load_config().ingest, str(place.logs))
    said = told("nightly")
    assert "ingest_events        nothing: no file is new" in said
    assert "the date is the day after the last complete day of the log, known once" in said
    assert "replaced" not in said


def test_file_that_is_too_young_moves_no_date(
    place: Place, lakehouse: Lakehouse, told: Told
) -> None:
    build(lakehouse, END)
    deliver(place, END)
    said = told("nightly", None, "ingest.min_age_minutes=60")
    assert "nothing: no file is new, 1 file left for the next run: just changed" in said
    assert f"ml/scores of {END} (1 row replaced)" in said


def test_night_with_a_date_builds_its_own_snapshot_anew(
    place: Place, lakehouse: Lakehouse, told: Told
) -> None:
    build(lakehouse, END)
    deliver(place, END)
    said = told("nightly", END)
    assert f"the snapshot of {END}: built anew, though up to date with the log as it is" in said
    assert f"ml/scores of {END} (1 row replaced)" in said


@pytest.mark.parametrize("job", ["nightly", "score_users", "monitor_model", "retrain_if_needed"])
def test_date_that_the_champion_has_learnt_of_is_refused(
    job: str, lakehouse: Lakehouse, told: Told
) -> None:
    day = END - timedelta(days=2)
    build(lakehouse, day)
    for spec in (LABELS, DATA_CHECKS):
        lakehouse.create(spec)
    publish(lakehouse, END)
    with pytest.raises(OtherModelError, match=f"was trained as of {END}, after {day}"):
        told(job, day)
    assert f"of {END} (new)" in told(job, END)


def test_night_before_which_another_model_was_in_use_is_planned(
    lakehouse: Lakehouse, told: Told
) -> None:
    day = END - timedelta(days=2)
    state = start_policy("2", day - timedelta(days=1), POLICY)
    write_night(lakehouse, day - timedelta(days=1), [decided(state, Evidence(1000), day)])
    build(lakehouse, day)
    publish(lakehouse, END)
    for job in ("nightly", "score_users"):
        assert f"ml/scores of {day} (1 row replaced)" in told(job, day)


def test_champion_of_other_settings_is_refused_where_no_other_can_wait(
    lakehouse: Lakehouse, told: Told
) -> None:
    build(lakehouse, END)
    publish(lakehouse, BEGIN)
    other = "labels.horizon_days=10"
    with pytest.raises(OtherModelError, match=r"trained with labels.horizon_days 14"):
        told("score_users", END, other)
    said = told("nightly", END, other)
    assert "train_model          version 3 can't be used any more: it was trained with" in said
    assert "takes over; else the night is refused" in said
    done(lakehouse, END)
    with pytest.raises(OtherModelError, match="Later nights stand on this one"):
        told("nightly", END - timedelta(days=1), other)


def test_champion_of_other_definitions_is_refused_or_succeeded(
    lakehouse: Lakehouse, told: Told
) -> None:
    build(lakehouse, END)
    publish(lakehouse, BEGIN, of_other_definitions(USUAL))
    with pytest.raises(FingerprintError, match="run `nightly`, which trains a new model"):
        told("score_users", END)
    assert "takes over; else a model is trained" in told("nightly", END)


def test_champion_that_is_published_in_part_refuses_nothing(
    lakehouse: Lakehouse, told: Told
) -> None:
    build(lakehouse, END)
    publish(lakehouse, END + timedelta(days=9))
    [trees] = Path(lakehouse.root, "champion").rglob("trees.txt")
    trees.write_text("another")
    assert f"ml/scores of {END} (1 row replaced)" in told("score_users", END)


@pytest.mark.parametrize("job", ["nightly", "ingest_events"])
def test_ids_that_are_kept_otherwise_are_refused(
    job: str, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_PRIVACY_KEY", "k" * 40)
    with pytest.raises(OtherIdsError, match="with user ids kept as they are, expected as pseudon"):
        told(job, None, "privacy.pseudonymise=true")


def test_lakehouse_of_a_demo_is_refused(place: Place, told: Told) -> None:
    (place.root / DEMO_FOLDER).mkdir()
    with pytest.raises(InputError, match="belongs to the demo and can't take other logs"):
        told("nightly")


def test_label_of_the_past_is_refused(told: Told) -> None:
    with pytest.raises(OtherModelError, match=r"found labels.kind lifetime"):
        told("nightly", END, "labels.kind=lifetime")


def test_maintenance_is_told_from_the_night_on_which_it_is_due(
    place: Place, lakehouse: Lakehouse, told: Told
) -> None:
    every = load_config().maintenance.every_days
    assert "maintain_tables" not in told("nightly", END)
    maintained(lakehouse, END - timedelta(days=every - 1))
    assert "maintain_tables" not in told("nightly", END)
    # The log ends before it.
    assert "maintain_tables" not in told("nightly", END + timedelta(days=1))
    deliver(place, END)
    due = END + timedelta(days=1)
    for day in (None, due):
        assert f"maintain_tables      if the log reaches up to {due} then: " in told("nightly", day)
    assert "maintain_tables" not in told("nightly", END)
    maintained(lakehouse, END - timedelta(days=every))
    for day in (None, END):
        assert f"maintain_tables      due since {END}: small files joined" in told("nightly", day)
    assert "maintain_tables" not in told("nightly", END, "maintenance.every_days=0")


def maintained(lakehouse: Lakehouse, night: date) -> None:
    lakehouse.files.exchange(maintain._DONE, json.dumps({"night": str(night)}).encode())


def test_held_nights_ahead_of_the_log_are_said_to_be_taken_back(
    lakehouse: Lakehouse, told: Told
) -> None:
    ahead = END.replace(year=2031)
    write_checks(lakehouse, ahead, [CheckResult("freshness", 1e5, "", False, "")])
    done(lakehouse, ahead)
    said = told("nightly", END)
    assert f"nightly              {ahead} is withdrawn: it was held" in said
    assert f"monitoring/decisions of {END} (new)" in said
    # Its own night is not ahead of it.
    assert "withdrawn" not in told("nightly", ahead)


def test_contacts_in_the_inbox_are_counted(lakehouse: Lakehouse, told: Told) -> None:
    build(lakehouse, END)
    lakehouse.files.exchange(f"{INBOX}/1.jsonl", f"{contact()}\n{contact(channel='mail')}".encode())
    # Nobody can have been contacted before there was a list.
    assert "record_contacts" not in told("nightly", END)
    fill(lakehouse, RETENTION_LISTS, as_of=END, user_id="1")
    waiting = "record_contacts      2 contacts that the service was sent"
    for job in ("nightly", "build_retention_list", "record_contacts"):
        assert waiting in told(job, END)
    file = write_lines(Path(lakehouse.root).parent / "contacts.csv", [HEADER, b"1,x,y,call,z"])
    assert f"{waiting} and 0 contacts of {file}" in told("record_contacts", None, file=file)
    lakehouse.files.delete(f"{INBOX}/1.jsonl")
    assert "record_contacts      nothing: no contact waits" in told("record_contacts")
    assert "record_contacts" not in told("nightly", END)


HEADER = b"user_id,list_date,time,channel,outcome"


def contact(**values: Any) -> str:
    at = f"{END}T10:00:00Z"
    told = {"user_id": "1", "list_date": str(END), "time": at, "channel": "call", **values}
    return json.dumps({**told, "outcome": "reached"})


def test_evaluation_is_told_where_it_is_asked_for_and_takes_its_time(
    lakehouse: Lakehouse, told: Told
) -> None:
    began = datetime(2018, 12, 1, 3, tzinfo=UTC)
    steps = {"ingest_events": 100.0, "backtest": 200.0}
    write_run(lakehouse, Run("r", "nightly", None, began, 9.0, 9.0, None, 0, None, steps, {}))
    asked = told("nightly", END, evaluate=True)
    assert f"backtest             of the log up to {END}, where it is long enough" in asked
    assert "expected run time: about 5 minutes, from earlier runs" in asked
    without = told("nightly", END)
    assert "backtest" not in without
    assert "expected run time: about 100 s, from earlier runs" in without


def test_first_model_is_planned_where_none_is_in_use(lakehouse: Lakehouse, told: Told) -> None:
    assert "train_model          a model of " in told("nightly", END)
    # A night that was held before the first training has no model either.
    held = replace(decided(start_policy("3", END, POLICY), Evidence(10), END), after=None)
    write_night(lakehouse, END - timedelta(days=1), [held])
    assert "train_model          a model of " in told("nightly", END)
    publish(lakehouse, END)
    again = "train_model          a model in place of version 3, if its data have changed since"
    assert again in told("nightly", END)
    publish(lakehouse, BEGIN)
    assert "train_model" not in told("nightly", END)
