"""A job over several dates: which, in which order, and what is done after a kill."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from churn_spark.config import load_config
from churn_spark.contracts.tables import (
    CONTACTS,
    DECISIONS,
    DRIFT_CELLS,
    EVENTS,
    SCORES,
    SESSION_DAYS,
    SNAPSHOTS,
    TableSpec,
)
from churn_spark.errors import ExitCode, InputError, UnreadFilesError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import backfill, score
from churn_spark.pipeline.context import JobContext
from churn_spark.wording import duration
from jobs import _job
from jobs._dates import choose_dates
from jobs._options import DateOption, FailOnAlertOption, OptionalDateOption
from tests.local_lakehouse import open_local

FIRST, SECOND, THIRD = date(2018, 12, 1), date(2018, 12, 2), date(2018, 12, 3)


class Killed(BaseException):
    """Ends a run as a kill does: nothing catches it."""


@dataclass
class Deeds:
    """Does dates, and dies at one of them."""

    dies_at: date | None = None
    codes: dict[date, ExitCode] = field(default_factory=dict)
    unread: Sequence[date] = ()
    done: list[date] = field(default_factory=list)

    def __call__(self, day: date) -> ExitCode | None:
        if day == self.dies_at:
            raise Killed
        self.done.append(day)
        if day in self.unread:
            raise UnreadFilesError("found 1 listed file that could not be opened")
        return self.codes.get(day)


def run(
    lakehouse: Lakehouse,
    deeds: Callable[[date], ExitCode | None],
    settings: str = "",
    *,
    job: str = "score_users",
    is_noted: bool = True,
) -> int:
    dates = [FIRST, SECOND, THIRD]
    return backfill.run(lakehouse, job, dates, settings, deeds, is_noted=is_noted)


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return open_local(tmp_path)


def test_dates_are_those_between_both_in_either_order() -> None:
    assert choose_dates(None, FIRST, THIRD, is_required=True, in_order=True) == [
        FIRST,
        SECOND,
        THIRD,
    ]
    newest_first = choose_dates(None, THIRD, FIRST, is_required=True, in_order=False)
    assert newest_first == [THIRD, SECOND, FIRST]
    assert choose_dates(FIRST, None, None, is_required=True, in_order=True) == [FIRST]
    assert choose_dates(None, None, None, is_required=False, in_order=True) == []


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ((None, None, None), "found no date, expected --date, or --from and --to"),
        ((None, FIRST, None), "--from and --to are only allowed together"),
        ((None, None, FIRST), "--from and --to are only allowed together"),
        ((FIRST, FIRST, SECOND), "found --date beside --from and --to"),
        ((None, SECOND, FIRST), "--from 2018-12-02 after --to 2018-12-01.*older date first"),
    ],
)
def test_dates_that_contradict_each_other_are_refused(
    named: Sequence[date | None], told: str
) -> None:
    with pytest.raises(typer.BadParameter, match=told):
        choose_dates(*named, is_required=True, in_order=True)


def test_dates_are_done_in_order_and_the_worst_end_counts(
    lakehouse: Lakehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    deeds = Deeds(codes={FIRST: ExitCode.ALERT, SECOND: ExitCode.HELD})
    assert run(lakehouse, deeds) == ExitCode.HELD
    assert deeds.done == [FIRST, SECOND, THIRD]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "score_users          --date 2018-12-01, 1 of 3"
    assert said[1].startswith("score_users          --date 2018-12-02, 2 of 3; about 1 s left")
    assert said[-1].startswith("score_users          3 dates done")


def test_run_that_was_killed_is_gone_on_with_by_the_same_command_alone(
    lakehouse: Lakehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Killed):
        run(lakehouse, Deeds(THIRD, {FIRST: ExitCode.ALERT}), "a")
    other = Deeds()
    with pytest.raises(Killed):
        run(lakehouse, Deeds(FIRST), "b")
    with pytest.raises(Killed):
        run(lakehouse, Deeds(THIRD, {FIRST: ExitCode.ALERT}), "a")
    capsys.readouterr()
    # How the first one has ended isn't forgotten.
    assert run(lakehouse, other, "a") == ExitCode.ALERT
    assert other.done == [THIRD]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "score_users          2 dates of 3 done before it was interrupted"
    again = Deeds()
    run(lakehouse, again, "a")
    assert again.done == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    ("others", "worst"),
    [
        (ExitCode.DONE, ExitCode.MISTAKE),
        (ExitCode.ALERT, ExitCode.MISTAKE),
        (ExitCode.RETRAINING_ASKED, ExitCode.MISTAKE),
        (ExitCode.HELD, ExitCode.HELD),
    ],
)
def test_file_that_can_not_be_opened_keeps_no_later_date_from_being_done(
    lakehouse: Lakehouse, capsys: pytest.CaptureFixture[str], others: ExitCode, worst: ExitCode
) -> None:
    deeds = Deeds(codes={THIRD: others}, unread=[FIRST, SECOND])
    assert run(lakehouse, deeds) == worst
    assert deeds.done == [FIRST, SECOND, THIRD]
    told = capsys.readouterr().err.splitlines()
    expected = "found 1 listed file that could not be opened"
    assert told == [f"warning: {day}: {expected}" for day in (FIRST, SECOND)]


def test_date_whose_files_could_not_be_opened_is_done_again_after_a_kill(
    lakehouse: Lakehouse,
) -> None:
    with pytest.raises(Killed):
        run(lakehouse, Deeds(THIRD, unread=[FIRST]))
    again = Deeds()
    assert run(lakehouse, again) == ExitCode.DONE
    assert again.done == [FIRST, THIRD]


def test_date_that_was_held_is_done_again_after_a_kill(lakehouse: Lakehouse) -> None:
    with pytest.raises(Killed):
        run(lakehouse, Deeds(THIRD, {FIRST: ExitCode.HELD}), job="nightly")
    mended = Deeds()
    assert run(lakehouse, mended, job="nightly") == ExitCode.DONE
    assert mended.done == [FIRST, THIRD]


def test_any_other_wrong_input_ends_the_run_at_its_date(lakehouse: Lakehouse) -> None:
    done = []

    def refuse_second(day: date) -> None:
        if day == SECOND:
            raise InputError("found no event")
        done.append(day)

    with pytest.raises(InputError, match="found no event"):
        backfill.run(lakehouse, "nightly", [FIRST, SECOND, THIRD], "", refuse_second, is_noted=True)
    assert done == [FIRST]


@pytest.fixture
def versions(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Of each table, by its path."""
    found = Counter[str]()
    monkeypatch.setattr(type(lakehouse), "version", lambda _, spec: found[spec.path])
    return found


@pytest.mark.parametrize(
    ("job", "changed"),
    [
        ("score_users", SESSION_DAYS),
        ("score_users", SNAPSHOTS),
        ("score_users", DECISIONS),
        ("build_retention_list", SCORES),
        ("build_retention_list", CONTACTS),
        ("monitor_model", SCORES),
        # These build what is stale of them, and keep what was scored.
        ("monitor_model", SNAPSHOTS),
        ("retrain_if_needed", SNAPSHOTS),
        ("train_model", SNAPSHOTS),
        ("build_snapshots", SESSION_DAYS),
    ],
)
def test_run_begins_anew_when_a_table_that_it_reads_has_changed(
    lakehouse: Lakehouse, versions: Counter[str], job: str, changed: TableSpec
) -> None:
    with pytest.raises(Killed):
        run(lakehouse, Deeds(THIRD), job=job)
    versions[changed.path] += 1
    anew = Deeds()
    run(lakehouse, anew, job=job)
    assert anew.done == [FIRST, SECOND, THIRD]


@pytest.mark.parametrize(
    ("job", "changed"),
    [
        ("score_users", SCORES),
        ("score_users", EVENTS),
        ("build_snapshots", SNAPSHOTS),
        ("monitor_model", DRIFT_CELLS),
        ("nightly", SNAPSHOTS),
    ],
)
def test_run_goes_on_when_a_table_has_changed_that_it_writes_or_never_reads(
    lakehouse: Lakehouse, versions: Counter[str], job: str, changed: TableSpec
) -> None:
    with pytest.raises(Killed):
        run(lakehouse, Deeds(THIRD), job=job)
    versions[changed.path] += 1
    rest = Deeds()
    run(lakehouse, rest, job=job)
    assert rest.done == [THIRD]


def test_run_goes_on_where_it_has_itself_changed_a_table_that_it_reads(
    lakehouse: Lakehouse, versions: Counter[str]
) -> None:
    deeds = Deeds(THIRD)

    def merge_contacts(day: date) -> ExitCode | None:
        code = deeds(day)
        versions[CONTACTS.path] += 1
        return code

    with pytest.raises(Killed):
        run(lakehouse, merge_contacts, job="build_retention_list")
    rest = Deeds()
    run(lakehouse, rest, job="build_retention_list")
    assert rest.done == [THIRD]


def test_job_that_only_reads_leaves_no_note(lakehouse: Lakehouse, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(lakehouse, Deeds(SECOND), is_noted=False)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "1 s"), (119, "119 s"), (120, "2 minutes"), (5400, "90 minutes"), (9000, "2.5 hours")],
)
def test_time_is_told_roughly(seconds: float, told: str) -> None:
    assert duration(seconds) == told


@dataclass
class Calls:
    """What a job was opened and called with."""

    opened: list[dict[str, Any]] = field(default_factory=list)
    made: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def calls(lakehouse: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> Calls:
    noted = Calls()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)

    @contextmanager
    def open_job(*named: Any, **others: Any) -> Iterator[JobContext]:
        names = ("name", "env", "overrides", "date")
        noted.opened.append({**dict(zip(names, named, strict=True)), **others})
        yield JobContext(load_config(), lakehouse)

    monkeypatch.setattr(_job, "open_job", open_job)
    return noted


def invoke(app: typer.Typer, *arguments: str) -> int:
    return CliRunner().invoke(app, [*arguments]).exit_code


def test_job_takes_the_shared_options_and_its_own(calls: Calls) -> None:
    app = typer.Typer()

    @_job.job(app, "monitor_model", in_order=True)
    def main(
        context: JobContext, date: DateOption, fail_on_alert: FailOnAlertOption = False
    ) -> ExitCode:
        """Say something."""
        calls.made.append({"date": date, "fail_on_alert": fail_on_alert})
        return ExitCode.HELD if date == FIRST else ExitCode.DONE

    assert invoke(app, "--date", "2018-12-01", "--fail-on-alert", "--set", "a=1") == 30
    opened = {"name": "monitor_model", "env": "local", "overrides": ["a=1"], "date": FIRST}
    others = {"wait_minutes": 0.0, "writes": True, "is_kept": True, "events": None}
    assert calls.opened == [opened | others]
    assert calls.made == [{"date": FIRST, "fail_on_alert": True}]

    assert invoke(app, "--from", "2018-12-01", "--to", "2018-12-02", "--wait", "2.5") == 30
    assert calls.opened[1]["wait_minutes"] == 2.5
    assert [call["date"] for call in calls.made[1:]] == [FIRST, SECOND]
    assert invoke(app, "--date", "2018-12-02") == 0
    n_calls = len(calls.made)
    for wrong in ([], ["--from", "2018-12-02", "--to", "2018-12-01"], ["--wait", "-1"]):
        assert invoke(app, *wrong) == 2
    assert len(calls.made) == n_calls


def test_plan_takes_no_lock_and_does_nothing(
    calls: Calls, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    app = typer.Typer()

    @_job.job(app, "score_users")
    def main(context: JobContext, date: DateOption) -> None:
        """Say something."""
        pytest.fail("it was done")

    for spec in score.USE_CASE.reads:
        open_local(tmp_path).create(spec)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SystemExit) as ended:
        app(["--from", "2018-12-01", "--to", "2018-12-02", "--plan"])
    assert ended.value.code == 0
    assert (calls.opened[0]["writes"], calls.opened[0]["is_kept"]) == (False, False)
    said = capsys.readouterr().out
    assert "score_users          plan for 2018-12-02; nothing is written:" in said
    assert "ml/scores of 2018-12-02 (new)" in said
    assert "expected run time: not known yet" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_job_that_only_reads_has_no_lock_to_wait_for(calls: Calls) -> None:
    app = typer.Typer()

    @_job.job(app, "replay", writes=False)
    def main(context: JobContext, date: OptionalDateOption = None) -> None:
        """Say something."""
        calls.made.append({"date": date})

    assert invoke(app) == 0
    assert calls.made == [{"date": None}]
    assert calls.opened[0]["writes"] is False
    assert invoke(app, "--wait", "1") == 2
