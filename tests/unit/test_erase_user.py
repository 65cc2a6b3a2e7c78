"""Erased users are in no byte of a lakehouse, whenever the erasure was killed, and stay out."""

from __future__ import annotations

import gzip
import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import record, write_lines
from erasure_builders import (
    CONFIG,
    GONE,
    KEY,
    MADE,
    OTHERS,
    PSEUDONYMS,
    Place,
    write_files,
    write_log,
    write_users,
)
from every_byte import find_bytes
from local_lakehouse import LocalFiles, LocalLakehouse, list_folder, rows_of

from churn_spark.config import PrivacyConfig
from churn_spark.contracts.tables import (
    BEHAVIOUR,
    ERASED_USERS,
    ERASURES,
    EVENTS,
    FILES,
    LOG_DATES,
    SCORES,
    SESSION_DAYS,
    TRANSITIONS,
)
from churn_spark.errors import ConfigError, InputError, OtherIdsError
from churn_spark.events import proofs
from churn_spark.lakehouse import history
from churn_spark.lakehouse.half_written import part_of
from churn_spark.lakehouse.native_sources import open_source
from churn_spark.pipeline import erase_user, ingest, rollups
from churn_spark.stores.erasures import Erasure


class PowerCutError(BaseException):
    """The end of a process, which nothing in it can catch on purpose."""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(ingest, "list_location", lambda _, path, __: list_folder(Path(path)))
    monkeypatch.setattr(LocalLakehouse, "spark", None, raising=False)
    return Place(LocalLakehouse(str(tmp_path / "lakehouse")), write_log(tmp_path / "logs"))


@pytest.fixture
def filled(place: Place) -> Place:
    place.fill()
    return place


def test_nothing_of_an_erased_user_is_left_and_all_of_the_others(filled: Place) -> None:
    before, files = filled.content(), {p for p in filled.root.rglob("*") if "lists" in p.parts}
    assert len(filled.left()) == 1
    filled.erase(GONE)
    assert filled.left() == {}
    made = {spec.path for spec in (*MADE, LOG_DATES)}
    for path, rows in filled.content().items():
        if path not in made:
            assert rows == [row for row in before[path] if GONE not in row], path
    for spec in (SESSION_DAYS, TRANSITIONS, SCORES):
        assert {*rows_of(filled.lakehouse, spec)["user_id"]} == {*OTHERS}
    assert filled.noted == ["runs"]
    assert {p for p in filled.root.rglob("*") if "lists" in p.parts} == files
    assert (filled.root / "lists" / "list.csv").read_bytes().count(b'"a, ""b"""\r\n') == len(OTHERS)
    assert [p.name for p in (filled.root / "reports").rglob("*.html")] == ["3.html"]


def test_plan_counts_what_is_erased_and_changes_no_byte(filled: Place) -> None:
    files = {path: path.read_bytes() for path in filled.root.rglob("*") if path.is_file()}
    rows, others = erase_user.plan(filled.lakehouse, CONFIG, PrivacyConfig(), [GONE, "nobody"])
    assert {path: path.read_bytes() for path in files} == files
    erasure = filled.erase(GONE)
    assert rows.startswith("2 users; rows: ")
    expected = {path: n for path, n in erasure.rows.items() if n and path != "files"}
    assert len(expected) > 10
    assert rows.removeprefix("2 users; rows: ").partition(", and the history")[0].split(", ") == [
        f"{n:,} in {path}" for path, n in expected.items()
    ]
    assert others == f"4 other files of the lakehouse: {', '.join(erasure.inside)}"
    rows, others = erase_user.plan(filled.lakehouse, CONFIG, PrivacyConfig(), [GONE])
    assert (rows.partition(",")[0], others) == (
        "1 user; rows: none",
        "0 other files of the lakehouse",
    )


@pytest.mark.parametrize("user_id", ["", " "])
def test_plan_refuses_what_the_erasure_would(
    filled: Place, monkeypatch: pytest.MonkeyPatch, user_id: str
) -> None:
    with pytest.raises(InputError, match="found an id that stands for all unknown users"):
        erase_user.plan(filled.lakehouse, CONFIG, PrivacyConfig(), [user_id])
    monkeypatch.setenv("CHURN_PRIVACY_KEY", KEY)
    with pytest.raises(OtherIdsError):
        erase_user.plan(filled.lakehouse, CONFIG, PSEUDONYMS, [GONE])


def test_tables_made_of_events_are_those_of_a_log_without_the_user(
    filled: Place, tmp_path: Path
) -> None:
    filled.erase(GONE)
    never = Place(LocalLakehouse(str(tmp_path / "never")), tmp_path / "without")
    for path in sorted(filled.logs.iterdir()):
        lines = [line for line in path.read_text().splitlines() if f'"{GONE}"' not in line]
        write_lines(never.logs / path.name, lines)
    never.load()
    for spec in MADE:
        there, expected = (sorted(rows_of(one.lakehouse, spec).rows()) for one in (filled, never))
        assert there == expected, spec.path


def kind_of(path: str) -> str:
    """What a file of the lakehouse is: rows of a table, its log, or one beside the tables."""
    if path.startswith(("lists/", "reports/")):
        return "file"
    return "log" if "/_delta_log/" in path else "rows"


@pytest.mark.parametrize(
    ("owner", "name", "kinds"),
    [
        (LocalLakehouse, "delete_rows", {"rows"}),
        (erase_user, "forget_history", {"rows", "log"}),
        (erase_user, "clean_user_files", {"file"}),
        (LocalFiles, "delete", {"rows", "log", "file"}),
        (history, "_is_needed", {"log"}),
    ],
)
def test_search_finds_the_user_where_one_place_is_left_out(
    filled: Place, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, kinds: set[str]
) -> None:
    monkeypatch.setattr(owner, name, lambda *_: True)
    filled.erase(GONE)
    # Everything else is gone, so the erasure has come to its end.
    assert {kind_of(path) for paths in filled.left().values() for path in paths} == kinds
    assert filled.lakehouse.count_rows(ERASURES)


@contextmanager
def power_until(n_writes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the process end right after a write to the storage; gives those done."""
    done: list[str] = []

    def watched(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            result = write(*args, **named)
            done.append(name)
            if len(done) == n_writes:
                raise PowerCutError(name)
            return result

        return call

    with monkeypatch.context() as patched:
        for owner, name in (
            (history, "append_files"),
            (rollups, "replace_partitions"),
            (LocalFiles, "exchange"),
            (LocalFiles, "delete"),
            (LocalLakehouse, "delete_rows"),
            (LocalLakehouse, "replace_rows"),
            (LocalLakehouse, "write_checkpoint"),
        ):
            patched.setattr(owner, name, watched(name, getattr(owner, name)))
        yield done


@pytest.mark.slow
def test_killed_anywhere_a_rerun_finishes_and_tells_the_same(
    filled: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untouched = tmp_path / "untouched"
    shutil.copytree(filled.root, untouched)
    with power_until(-1, monkeypatch) as writes:
        undisturbed = filled.erase(GONE)
    expected = filled.content()
    first = [writes.index(name) + 1 for name in {*writes}]
    for n in sorted({1, len(writes), *first, *range(2, len(writes), 23)}):
        shutil.rmtree(filled.root)
        shutil.copytree(untouched, filled.root)
        with power_until(n, monkeypatch), suppress(PowerCutError):
            filled.erase(GONE)
        again = filled.erase(GONE)
        assert filled.left() == {}, n
        assert filled.content() == expected, n
        if n < len(writes):
            assert (again.rows, again.outside) == (undisturbed.rows, undisturbed.outside), n


def test_the_record_of_an_erasure_says_how_much_and_not_of_whom(filled: Place) -> None:
    n_events = rows_of(filled.lakehouse, EVENTS).filter(pl.col("user_id") == GONE).height
    done = filled.erase(GONE)
    kept = rows_of(filled.lakehouse, ERASURES)
    assert {*kept["reference"]} == {done.reference}
    assert {*kept["n_users"]} == {1}
    told = dict(zip(kept["place"], kept["n_rows"], strict=True))
    assert told[EVENTS.path] == n_events > 0
    assert (told[BEHAVIOUR.path], told["files"]) == (1, 4)
    assert GONE not in str(rows_of(filled.lakehouse, ERASED_USERS).rows())
    # Once more: nothing is there, and the first record stays.
    assert set(filled.erase(GONE).rows.values()) == {0}
    assert rows_of(filled.lakehouse, ERASURES)["reference"].n_unique() == 2


def erase_with_sources(place: Place, sources: Path | None) -> Erasure:
    registry: Any = place
    privacy = PrivacyConfig()
    return erase_user.run(place.lakehouse, lambda: registry, CONFIG, privacy, [GONE], sources)


def test_input_files_that_hold_the_user_are_named(
    filled: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sources = tmp_path / "sources.txt"
    erase_with_sources(filled, sources)
    expected = [f"file:{filled.logs}/{number}.json" for number in range(3)]
    assert sources.read_text().splitlines() == expected
    said = capsys.readouterr().out
    assert "3 input files that are left for you to clean" in said
    assert GONE not in said


def test_input_file_inside_of_a_kind_that_is_not_known_is_named_as_what_it_is(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    inside = place.root / "demo_log" / "events"
    shutil.copytree(place.logs, inside)
    (inside / "0.json").rename(inside / "0.json_old")
    place.load(inside)
    assert [*place.erase(GONE).outside] == [f"file:{inside}/0.json_old"]
    said = " ".join(capsys.readouterr().out.split())
    assert "outside of the lakehouse, or of a kind in which no userId is found" in said


@pytest.mark.parametrize("sources", [None, "sources.txt"])
def test_many_input_files_are_all_told(
    sources: str | None, place: Place, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for number in range(30):
        write_lines(place.logs / f"{number}.json", [record(userId=GONE)])
    place.load()
    capsys.readouterr()
    written = sources and tmp_path / sources
    outside = erase_with_sources(place, written or None).outside
    assert len(outside) == 30
    said = capsys.readouterr().out
    told = written.read_text() if written else said
    assert {*outside} <= {line.strip() for line in told.splitlines()}
    assert (f"and 10 more, all in {written}" in said) == bool(written)


@pytest.mark.parametrize("name", ["none/sources.txt", "logs", "logs/0.json/sources.txt"])
def test_paths_that_can_be_written_nowhere_are_refused_before_anything_is_erased(
    name: str, filled: Place, tmp_path: Path
) -> None:
    before = filled.content()
    with pytest.raises(InputError, match="expected a file in a folder that is there"):
        erase_with_sources(filled, tmp_path / name)
    assert filled.content() == before


@pytest.mark.parametrize("done", ["record_erasure", "forget_pending"])
def test_killed_at_the_end_a_rerun_tells_the_input_files(
    done: str, filled: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sources, after = tmp_path / "sources.txt", getattr(erase_user, done)

    def end(*args: Any) -> None:
        after(*args)
        raise PowerCutError(done)

    with monkeypatch.context() as patched, suppress(PowerCutError):
        patched.setattr(erase_user, done, end)
        erase_with_sources(filled, sources)
    erase_with_sources(filled, sources)
    assert len(sources.read_text().splitlines()) == 3


def test_later_files_dont_bring_an_erased_user_back(filled: Place, tmp_path: Path) -> None:
    filled.erase(GONE)
    known = filled.content()
    reloaded = filled.load(reload="all")
    assert reloaded.lines["erased"] > 0
    assert "erased" in reloaded.describe()
    for spec in (SESSION_DAYS, TRANSITIONS):
        assert filled.content()[spec.path] == known[spec.path]
    late = [record(userId=f" {GONE} "), record(userId=GONE, sessionId=None), record(userId="new")]
    write_lines(tmp_path / "late" / "9.json", late)
    told = filled.load(tmp_path / "late")
    assert told.lines == {"read": 3, "accepted": 1, "erased": 2}
    assert filled.left() == {}
    assert "new" in {*rows_of(filled.lakehouse, SESSION_DAYS)["user_id"]}


def test_log_inside_the_lakehouse_is_cleaned_and_not_taken_for_changed(place: Place) -> None:
    inside = place.root / "demo_log" / "events"
    shutil.copytree(place.logs, inside)
    place.load(inside)
    done = place.erase(GONE)
    assert [*done.outside] == []
    assert place.left() == {}
    again = place.load(inside)
    assert again.describe() == "no new file"
    assert again.changed == []
    assert rows_of(place.lakehouse, FILES).filter(pl.col("status") == "changed").is_empty()
    # It goes on growing.
    with (inside / "0.json").open("a") as log:
        log.write(json.dumps(record(userId="new")) + "\n")
    assert place.load(inside).lines == {"read": 1, "accepted": 1}


@pytest.mark.parametrize("name", ["0.json", "0.json.gz"])
def test_what_a_log_inside_had_grown_by_before_an_erasure_is_loaded_after_it(
    name: str, place: Place
) -> None:
    inside = place.root / "demo_log" / "events"
    shutil.copytree(place.logs, inside)
    if name.endswith("gz"):
        plain = inside / "0.json"
        (inside / name).write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    place.load(inside)
    later = json.dumps(record(userId="new")).encode() + b"\n"
    with (inside / name).open("ab") as log:
        log.write(gzip.compress(later) if name.endswith("gz") else later)
    place.erase(GONE)
    assert place.left() == {}
    place.load(inside)
    users = rows_of(place.lakehouse, EVENTS)["user_id"]
    assert {*users} == {*OTHERS, "new"}
    assert users.to_list().count("new") == 1
    assert place.load(inside).describe() == "no new file"


@pytest.mark.parametrize("users", [["new"], [GONE, "new"]])
def test_what_a_log_inside_grows_by_before_a_killed_erasure_is_repeated_is_loaded(
    users: list[str], place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = place.root / "demo_log" / "events"
    shutil.copytree(place.logs, inside)
    place.load(inside)
    with monkeypatch.context() as patched, suppress(ZeroDivisionError):
        patched.setattr(erase_user, "forget_history", lambda *_: 1 / 0)
        place.erase(GONE)
    with (inside / "0.json").open("a") as log:
        log.writelines(f"{json.dumps(record(userId=one))}\n" for one in users)
    place.erase(GONE)
    assert place.left() == {}
    place.load(inside)
    assert "new" in {*rows_of(place.lakehouse, EVENTS)["user_id"]}
    assert place.load(inside).describe() == "no new file"


def test_log_inside_that_was_changed_is_changed_after_an_erasure_too(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = place.root / "demo_log" / "events"
    shutil.copytree(place.logs, inside)
    place.load(inside)
    before = rows_of(place.lakehouse, EVENTS).filter(pl.col("user_id") != GONE)
    changed = [f"file:{inside}/{number}.json" for number in range(2)]
    write_lines(inside / "0.json", [record(userId=GONE), record(userId="new")])
    assert place.load(inside).changed == changed[:1]
    # Nobody has noted this one yet, and the erasure that finds it out is killed.
    write_lines(inside / "1.json", [record(userId=GONE), record(userId="new")])
    with monkeypatch.context() as patched, suppress(ZeroDivisionError):
        patched.setattr(erase_user, "note_cleaned", lambda *_: 1 / 0)
        place.erase(GONE)
    place.erase(GONE)
    assert place.left() == {}
    assert place.load(inside).changed == changed
    assert rows_of(place.lakehouse, EVENTS).height == before.height
    # As it was asked for, and only then.
    place.load(inside, reload="changed")
    assert "new" in {*rows_of(place.lakehouse, EVENTS)["user_id"]}


def test_log_inside_that_could_not_be_read_is_read_after_an_erasure(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = place.root / "demo_log" / "events"
    shutil.copytree(place.logs, inside)
    shut = f"file:{inside}/0.json"

    def refuse(path: str) -> Any:
        if path == shut:
            raise PermissionError(path)
        return open_source(path)

    with monkeypatch.context() as patched:
        patched.setattr(proofs, "open_source", refuse)
        assert [*place.load(inside).unread] == [shut]
    place.erase(GONE)
    assert place.left() == {}
    assert place.load(inside).lines["accepted"] > 0
    assert place.load(inside).describe() == "no new file"


def test_a_batch_that_was_killed_is_finished_before_the_erasure(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ingest.ingest_batch, "commit", lambda *_: 1 / 0)
        with suppress(ZeroDivisionError):
            place.load()
    place.erase(GONE)
    assert place.left() == {}
    assert place.load().describe() == "no new file"


@pytest.mark.parametrize(
    "name",
    [
        "demo_log/events/0.json.0123456789abcdef0123456789abcdef.part",
        "reports/notebooks/2.html.0123456789abcdef0123456789abcdef.part",
        ".list.csv.partial",
        ".list.txt.list.partial",
    ],
)
def test_file_that_a_killed_job_left_half_written_goes(name: str, place: Place) -> None:
    place.load()
    part = place.root / name
    part.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(f'{{"userId": "{GONE}"}}\n{{"userId": "{OTHERS[0]}", "ts": 1')
    assert place.erase(GONE).rows["files"] == 0
    assert place.left() == {}
    assert not part.exists()


def test_file_that_only_looks_half_written_stays(place: Place) -> None:
    place.load()
    # The last one is of a job that waits for the lock.
    names = ("a.part", "b.json.partial", "_lock/" + part_of("00000001.json"))
    kept = [place.root / name for name in names]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    place.erase(GONE)
    assert all(path.exists() for path in kept)


def test_files_of_a_table_whose_first_commit_never_came_go(place: Place) -> None:
    place.load()
    write_users(place.lakehouse, SCORES, 0)
    shutil.rmtree(place.root / SCORES.path / "_delta_log")
    [found] = place.left().values()
    assert {*place.lakehouse.files.walk(SCORES.path)} <= found
    place.erase(GONE)
    assert place.left() == {}


def test_table_of_somebody_else_is_named_and_not_touched(
    filled: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    pl.DataFrame({"user_id": [GONE]}).write_delta(filled.root / "mine" / "table")
    filled.erase(GONE)
    assert "found mine/table in the lakehouse" in capsys.readouterr().err
    assert pl.read_delta(str(filled.root / "mine" / "table"))["user_id"].to_list() == [GONE]


def test_short_id_takes_no_other_user_along(filled: Place) -> None:
    filled.erase("7")
    for spec in (EVENTS, SESSION_DAYS, SCORES):
        users = {*rows_of(filled.lakehouse, spec)["user_id"]}
        assert users == {GONE, "zqgone", "zqgone70", "17"}
    assert (filled.root / "reports" / "notebooks" / "2.html").exists()


@pytest.mark.parametrize("user_ids", [[], [""], ["1261737"], [str(n) for n in range(1001)]])
def test_no_users_or_too_many_are_refused(filled: Place, user_ids: list[str]) -> None:
    before = filled.content()
    with pytest.raises(InputError, match=r"name the users|expected at most"):
        filled.erase(*user_ids)
    assert filled.content() == before


def test_erasure_of_others_waits_for_the_one_that_was_begun(
    filled: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(erase_user, "forget_history", lambda *_: 1 / 0)
        with suppress(ZeroDivisionError):
            filled.erase(GONE)
    with pytest.raises(InputError, match="again for the same users"):
        filled.erase("17")
    filled.erase(GONE)
    filled.erase("17")
    assert filled.left() == {}


def test_what_came_after_an_erasure_was_killed_goes_with_its_rerun(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.load()
    with monkeypatch.context() as patched:
        patched.setattr(erase_user, "forget_history", lambda *_: 1 / 0)
        with suppress(ZeroDivisionError):
            place.erase(GONE)
    # As of a night that had read its tables before.
    write_users(place.lakehouse, SCORES, 0)
    write_files(place.root)
    done = place.erase(GONE)
    assert place.left() == {}
    assert (done.rows[SCORES.path], done.rows["files"]) == (1, 4)


def test_pseudonyms_hide_the_ids_and_the_user_is_erased_by_the_clear_one(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHURN_PRIVACY_KEY", KEY)
    place.load(privacy=PSEUDONYMS)
    assert find_bytes(place.root, re.compile(b"zqgone|" + KEY.encode())) == {}
    users = {*rows_of(place.lakehouse, SESSION_DAYS)["user_id"]}
    assert len(users) == len(OTHERS) + 1
    place.erase(GONE, privacy=PSEUDONYMS)
    [gone] = users - {*rows_of(place.lakehouse, SESSION_DAYS)["user_id"]}
    assert find_bytes(place.root, re.compile(gone.encode())) == {}
    assert place.load(reload="all", privacy=PSEUDONYMS).lines["erased"] > 0
    assert gone not in {*rows_of(place.lakehouse, EVENTS)["user_id"]}


def test_without_the_key_nothing_is_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("", "short"):
        monkeypatch.setenv("CHURN_PRIVACY_KEY", key)
        with pytest.raises(ConfigError, match="CHURN_PRIVACY_KEY") as refused:
            place.load(privacy=PSEUDONYMS)
        assert "short" not in str(refused.value)
    assert not place.root.exists()


def test_ids_of_a_lakehouse_are_kept_in_one_way(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place.load()
    monkeypatch.setenv("CHURN_PRIVACY_KEY", KEY)
    with pytest.raises(OtherIdsError, match=r"kept as they are, .* privacy.pseudonymise=false"):
        place.load(privacy=PSEUDONYMS)
    hidden = Place(LocalLakehouse(str(tmp_path / "hidden")), place.logs)
    hidden.load(privacy=PSEUDONYMS)
    with pytest.raises(OtherIdsError, match=r"kept as pseudonyms, .* privacy.pseudonymise=true"):
        hidden.load()
    monkeypatch.setenv("CHURN_PRIVACY_KEY", KEY[::-1] + "!")
    with pytest.raises(OtherIdsError, match="pseudonyms of another key"):
        hidden.load(privacy=PSEUDONYMS)
