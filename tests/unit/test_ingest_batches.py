"""Batches without Spark: exactly once, wherever a run ends and whatever the input does then."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest
from builders import record, write_lines
from every_byte import find_marks, mark
from local_lakehouse import LocalFiles, LocalLakehouse, list_folder, open_local

from churn_spark.config import load_config
from churn_spark.contracts.tables import EVENTS, FILES, QUARANTINE
from churn_spark.errors import LostTableError, OldTableError, UnreadFilesError
from churn_spark.events.block import hash_line
from churn_spark.events.summary import IngestSummary
from churn_spark.lakehouse import commits, native_rows, native_sources
from churn_spark.lakehouse.data_files import write_data_files
from churn_spark.lakehouse.polars_schema import polars_schema_of
from churn_spark.pipeline import heartbeat, ingest, ingest_batch, native_feed, quarantine

CONFIG = load_config(overrides=["ingest.max_files_per_batch=2"]).ingest
TABLES = (EVENTS, QUARANTINE, FILES)


class PowerCutError(BaseException):
    """The end of a process, which nothing in it can catch on purpose."""


@pytest.fixture
def lakehouse(tmp_path: Path) -> LocalLakehouse:
    """An empty one."""
    return LocalLakehouse(str(tmp_path / "lakehouse"))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Five files, so three batches; each with lines of two kinds."""
    for number in range(5):
        lines = [record(userId=str(user), itemInSession=number) for user in range(9)]
        write_lines(tmp_path / "logs" / f"{number}.json", [*lines, f"{{broken {number}"])
    return tmp_path / "logs"


@pytest.fixture
def load(
    lakehouse: LocalLakehouse, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., IngestSummary]:
    """Load what is new, and what is to be reloaded."""
    monkeypatch.setattr(ingest, "list_location", lambda _, path, __: list_folder(Path(path)))
    monkeypatch.setattr(LocalLakehouse, "spark", None, raising=False)
    as_lakehouse: Any = lakehouse
    return lambda reload=None: ingest.run(as_lakehouse, CONFIG, str(logs), reload)


def content(lakehouse: LocalLakehouse) -> dict[str, list[tuple[Any, ...]]]:
    return {
        spec.name: sorted(
            pl.read_delta(lakehouse.uri(spec)).select(spec.column_names).rows(), key=repr
        )
        for spec in TABLES
    }


@contextmanager
def power_until(n_writes: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let the process end right before or after a write to the storage; gives those done."""
    done: list[str] = []

    def watched(name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if len(done) + 1 == n_writes:
                raise PowerCutError(f"before {name}")
            result = write(*args, **named)
            done.append(name)
            if len(done) + 1 == n_writes:
                raise PowerCutError(f"after {name}")
            return result

        return call

    with monkeypatch.context() as patched:
        for owner, name in (
            (ingest_batch, "append_files"),
            (native_feed, "write_data_files"),
            (native_rows, "create"),
            (LocalFiles, "exchange"),
            (LocalFiles, "delete"),
            (LocalLakehouse, "delete_rows"),
        ):
            patched.setattr(owner, name, watched(name, getattr(owner, name)))
        yield done


def test_every_file_is_loaded_once_in_batches(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse
) -> None:
    summary = load()
    assert summary.lines == {"read": 50, "accepted": 45, "broken JSON": 5}
    assert [len(batch.files) for batch in summary.batches] == [2, 2, 1]
    assert load().describe() == "no new file"
    rows = content(lakehouse)
    assert len(rows["events"]) == 45
    assert [row[-1] for row in rows["files"]] == [0, 0, 1, 1, 2]


@pytest.mark.parametrize(
    ("owner", "name"), [(ingest, "prepare_tables"), (native_feed, "load_natively")]
)
def test_long_ingest_says_so_before_anything_is_counted(
    load: Callable[..., IngestSummary],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    owner: ModuleType,
    name: str,
) -> None:
    work, told = getattr(owner, name), list[str]()

    def work_long(*arguments: Any) -> Any:
        capsys.readouterr()
        time.sleep(0.3)
        told.append(capsys.readouterr().out)
        return work(*arguments)

    monkeypatch.setattr(heartbeat, "_LINE_AFTER", 0.02)
    monkeypatch.setattr(owner, name, work_long)
    load()
    assert told[0].startswith("ingest_events        still running after 0 s")


def test_tables_are_the_same_wherever_a_run_ends(
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in (3, 4):
        (logs / f"{number}.json").unlink()
    with power_until(-1, monkeypatch) as writes:
        load()
    expected = content(lakehouse)
    assert len(writes) > 15
    for n_writes in range(1, len(writes) + 2):
        for spec in TABLES:
            lakehouse.drop(spec)
        with power_until(n_writes, monkeypatch), pytest.raises(PowerCutError):
            load()
        load()
        assert content(lakehouse) == expected, n_writes


def test_batch_that_was_decided_on_stands_when_the_input_moves(
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*_: Any) -> None:
        raise PowerCutError

    monkeypatch.setattr(ingest_batch, "append_files", crash)
    with pytest.raises(PowerCutError):
        load()
    monkeypatch.setattr(ingest_batch, "append_files", commits.append_files)
    for path in logs.iterdir():
        path.unlink()
    write_lines(logs / "0.json", [record(userId="other")])
    summary = load()
    assert summary.lines == {"read": 20, "accepted": 18, "broken JSON": 2}
    assert [name.rpartition("/")[2] for name in summary.changed] == ["0.json"]
    assert {row[5] for row in content(lakehouse)["quarantine"]} == {"broken JSON"}


def test_pending_batch_goes_with_its_tables(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with power_until(7, monkeypatch), pytest.raises(PowerCutError):
        load()
    assert ingest_batch.read_pending(lakehouse) is not None  # type: ignore[arg-type]
    lakehouse.drop(EVENTS)
    lakehouse.drop(QUARANTINE)
    lakehouse.drop(FILES)
    assert load().lines["accepted"] == 45


@pytest.mark.parametrize("what", ["tables", "data files"])
def test_pending_batch_is_given_up_when_its_tables_are_others(
    what: str,
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with power_until(7, monkeypatch), pytest.raises(PowerCutError):
        load()
    pending: Any = lakehouse.files.read("_checkpoints/ingest_events/pending.json")
    if what == "tables":
        for spec in TABLES:
            lakehouse.drop(spec)
        lakehouse.files.delete("_checkpoints/ingest_events/pending.json")
        load()
        lakehouse.files.exchange("_checkpoints/ingest_events/pending.json", pending)
    else:
        for path in Path(lakehouse.uri(EVENTS)).rglob("*.parquet"):
            path.unlink()
        (logs / "0.json").unlink()
    summary = load()
    assert "were made anew or restored since" in capsys.readouterr().err
    n_files = 5 if what == "tables" else 4
    assert len(pl.read_delta(lakehouse.uri(EVENTS))) == 9 * n_files
    assert [*summary.unread.values()] == ["gone before its batch was finished"] * (5 - n_files)


def test_numbers_go_on_after_those_of_a_stream(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse
) -> None:
    for spec in TABLES:
        lakehouse.create(replace(spec, n_buckets=4) if spec is EVENTS else spec)
    row = {"source_file": "file:/old.json", "size_bytes": 1, "ingest_batch": 41}
    absent = {name: [None] for name in FILES.column_names}
    rows = pl.DataFrame(
        absent | {name: [one] for name, one in row.items()}, schema=polars_schema_of(FILES)
    )
    files = write_data_files(rows, FILES, lakehouse.uri(FILES), {})
    commits.append_files(files, lakehouse.uri(FILES), {}, commits.Once("stream", 0))
    load()
    assert {row[-1] for row in content(lakehouse)["events"]} == {42, 43, 44}
    assert {row[-3] for row in content(lakehouse)["events"]} <= {0, 1, 2, 3}


def test_events_of_an_older_release_are_refused(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse
) -> None:
    columns = tuple(one for one in EVENTS.columns if one.name != "bucket")
    lakehouse.create(replace(EVENTS, columns=columns, partition_by=()))
    with pytest.raises(OldTableError, match=r"found bronze/events .* load .* new lakehouse"):
        load()
    assert OldTableError.exit_code == 2


def test_pending_batch_is_the_same_when_read_again(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with power_until(7, monkeypatch), pytest.raises(PowerCutError):
        load()
    stored: Any = lakehouse.files.read("_checkpoints/ingest_events/pending.json")
    pending: Any = ingest_batch.read_pending(lakehouse)  # type: ignore[arg-type]
    ingest_batch.write_pending(lakehouse, pending)  # type: ignore[arg-type]
    again: Any = lakehouse.files.read("_checkpoints/ingest_events/pending.json")
    assert json.loads(again) == json.loads(stored)
    assert pending.number == 0


def test_no_file_holds_a_name_when_a_changed_feed_is_rejected_whole(
    load: Callable[[], IngestSummary], lakehouse: LocalLakehouse, logs: Path
) -> None:
    for path in logs.iterdir():
        path.unlink()
    one = mark(record())
    changed: list[Any] = [
        one | {"ts": one["ts"] // 1000},
        {name.lower(): value for name, value in one.items()},
        {name.replace("page", "Name"): value for name, value in one.items()},
        {one["firstName"]: one["lastName"]},
        json.dumps(json.dumps(one)),
        json.dumps(one)[:-1],
        json.dumps(one) * 2,
        f"[{json.dumps(one)}]",
        json.dumps(one | {"song": "x" * 70_000}),
        json.dumps(one).encode("utf-16"),
        json.dumps(one).encode().replace(b"Carry", b"\xff"),
        *json.dumps(one, indent=1).splitlines(),
    ]
    write_lines(logs / "a.json", changed)
    (logs / "b.json.gz").write_bytes(gzip.compress((logs / "a.json").read_bytes()))
    summary = load()
    assert summary.lines["accepted"] == summary.lines["anonymous"] == 0
    assert summary.lines["read"] == len(content(lakehouse)["quarantine"]) >= 2 * len(changed)
    assert find_marks(Path(lakehouse.root)) == {}
    # Each line is found where its row says.
    files = {f"file:{path}": path.read_bytes() for path in logs.iterdir()}
    texts = {
        path: gzip.decompress(raw) if path.endswith("z") else raw for path, raw in files.items()
    }
    for row in pl.read_delta(lakehouse.uri(QUARANTINE)).to_dicts():
        text, start = texts[row["source_file"]], row["byte_offset"]
        line = text[start : start + row["line_bytes"]]
        assert b"\n" not in line
        assert text[:start][-1:] in (b"", b"\n")
        assert row["line_hash"] in (None, hash_line(line[: CONFIG.max_line_bytes]))


def test_quarantine_of_an_older_release_goes_with_its_history(
    load: Callable[[], IngestSummary],
    lakehouse: LocalLakehouse,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load()
    shutil.rmtree(lakehouse.uri(QUARANTINE))
    raw = pl.DataFrame({"raw": ['{"lastName": "zqlast"}'], "reason": ["wrong type"]})
    raw.write_delta(lakehouse.uri(QUARANTINE))
    assert find_marks(Path(lakehouse.root)) != {}
    load()
    assert "held 1 rejected lines as they were" in capsys.readouterr().err
    assert find_marks(Path(lakehouse.root)) == {}
    assert content(lakehouse)["quarantine"] == []


def test_rejected_lines_are_kept_so_many_days(
    load: Callable[[], IngestSummary], lakehouse: LocalLakehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (1, 2, 3):
        for module in (native_feed, ingest):
            monkeypatch.setattr(module, "utc_today", lambda day=day: date(2026, 1, day))
        load()
        for path in (Path(lakehouse.root).parent / "logs").iterdir():
            path.rename(path.with_name(f"{day}{path.name}"))
    quarantine.remove_expired(open_local(lakehouse.root), 90, date(2026, 4, 2))
    dates = {row[0] for row in content(lakehouse)["quarantine"]}
    assert dates == {date(2026, 1, 2), date(2026, 1, 3)}
    quarantine.remove_expired(open_local(lakehouse.root), 90, date(2026, 4, 2))
    assert len(content(lakehouse)["quarantine"]) == 10


def users_of(lakehouse: LocalLakehouse) -> list[str]:
    return sorted(pl.read_delta(lakehouse.uri(EVENTS))["user_id"])


def only(logs: Path, name: str, content: bytes) -> Path:
    """Let a folder hold one file."""
    for path in logs.iterdir():
        path.unlink()
    (logs / name).write_bytes(content)
    return logs / name


def lines(*users: str) -> bytes:
    return b"".join(json.dumps(record(userId=user)).encode() + b"\n" for user in users)


@pytest.mark.parametrize("n_bytes", [397, 2603])
def test_file_that_grows_between_the_runs_is_loaded_as_if_it_had_been_whole(
    n_bytes: int, load: Callable[..., IngestSummary], lakehouse: LocalLakehouse, logs: Path
) -> None:
    users = [str(number) for number in range(6)]
    log = lines(*users).rstrip(b"\n")
    path = only(logs, "a.json", b"")
    for end in range(0, len(log) + n_bytes, n_bytes):
        path.write_bytes(log[:end])
        summary = load()
        assert summary.changed == []
    assert "1 of them read on from where it had ended" in summary.describe()
    assert users_of(lakehouse) == users
    assert load().describe() == "no new file"
    # The begin of a line was rejected for a while.
    assert content(lakehouse)["quarantine"] == []


def test_no_line_is_lost_of_a_file_that_was_read_when_it_held_but_its_byte_order_mark(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse, logs: Path
) -> None:
    path = only(logs, "a.json", b"\xef\xbb\xbf")
    load()
    path.write_bytes(path.read_bytes() + lines("0", "1"))
    load()
    assert users_of(lakehouse) == ["0", "1"]


def test_compressed_file_that_grows_replaces_what_it_had_delivered(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse, logs: Path
) -> None:
    first, more = gzip.compress(lines("1", "2")), gzip.compress(lines("3"))
    path = only(logs, "a.json.gz", (first + more)[:-9])
    assert list(load().batches[0].broken) == [f"file:{path}"]
    assert users_of(lakehouse)[:2] == ["1", "2"]
    path.write_bytes(first + more)
    assert "1 of them in place of what it had delivered" in load().describe()
    assert users_of(lakehouse) == ["1", "2", "3"]


def test_changed_file_is_reloaded_where_that_is_asked_for_and_others_stay(
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = only(logs, "it's.json", lines("1", "2") + b"{broken\n")
    (logs / "other.json").write_bytes(lines("2", "3"))
    load()
    path.write_bytes(lines("4"))
    for _ in range(2):
        assert load().changed == [f"file:{path}"]
    assert users_of(lakehouse) == ["1", "2", "2", "3"]
    # Wherever a reload ends, the next run leaves the same.
    for n_writes in range(1, 14):
        with power_until(n_writes, monkeypatch), suppress(PowerCutError):
            load("all")
        summary = load("changed")
        assert summary.changed == []
        assert users_of(lakehouse) == ["2", "3", "4"]
        assert content(lakehouse)["quarantine"] == []
    assert load("changed").describe() == "no new file"


def test_files_are_loaded_again_when_a_table_is_of_an_earlier_time(
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    tmp_path: Path,
) -> None:
    only(logs, "a.json", lines("1"))
    load()
    shutil.copytree(lakehouse.root, tmp_path / "backup")
    (logs / "b.json").write_bytes(lines("2"))
    load()
    for restored in (EVENTS, FILES):
        lakehouse.drop(restored)
        shutil.copytree(tmp_path / "backup" / restored.path, lakehouse.uri(restored))
        assert load().lines["read"] == 1
        assert users_of(lakehouse) == ["1", "2"]
        assert load().describe() == "no new file"
    lakehouse.drop(FILES)
    load()
    assert users_of(lakehouse) == ["1", "2"]
    lakehouse.drop(EVENTS)
    with pytest.raises(LostTableError, match=r"found bronze/files .* restore .* or delete"):
        load()
    assert LostTableError.exit_code == 2


def test_file_that_vanishes_is_named_and_read_when_it_is_back(
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = only(logs, "a.json", lines("1"))
    (logs / "b.json").write_bytes(lines("2"))
    listed = list_folder(logs)
    path.rename(logs.parent / "a.json")
    with monkeypatch.context() as patched:
        patched.setattr(ingest, "list_location", lambda *_: listed)
        summary = load()
    with pytest.raises(UnreadFilesError, match=r"found 1 listed file .*a\.json .* bring them back"):
        summary.require_all_read()
    assert users_of(lakehouse) == ["2"]
    (logs.parent / "a.json").rename(path)
    load().require_all_read()
    assert users_of(lakehouse) == ["1", "2"]


@pytest.mark.parametrize("was_read", [False, True])
def test_file_that_its_store_refuses_is_named_and_all_else_is_loaded(
    was_read: bool,
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shut, locate = only(logs, "shut.json", lines("1")), native_sources.locate
    if was_read:
        load()
    with shut.open("ab") as log:
        log.write(lines("2"))
    (logs / "open.json").write_bytes(lines("3"))

    def refuse(path: str) -> Any:
        if path == f"file:{shut}":
            raise OSError("AWS Error ACCESS_DENIED during HeadObject operation")
        return locate(path)

    with monkeypatch.context() as patched:
        patched.setattr(native_sources, "locate", refuse)
        for n_loaded in (1, 0):
            summary = load()
            assert (summary.lines["accepted"], summary.changed) == (n_loaded, [])
            with pytest.raises(
                UnreadFilesError, match=r"found 1 listed file .*json \(AWS Error ACCESS_D"
            ):
                summary.require_all_read()
    load().require_all_read()
    assert users_of(lakehouse) == ["1", "2", "3"]
    assert load().describe() == "no new file"


def test_plan_counts_no_file_of_a_lakehouse_among_the_logs(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse, tmp_path: Path
) -> None:
    load()
    lakehouse.files.exchange("reports/night.json", b"{}")
    assert ingest.plan(open_local(lakehouse.root), CONFIG, str(tmp_path)).startswith("nothing")


@pytest.mark.parametrize("n_batches", [1, 2, 3])
@pytest.mark.parametrize("done", ["write_pending", EVENTS, FILES])
def test_plan_counts_the_files_of_a_batch_that_is_to_be_finished_once(
    done: Any,
    n_batches: int,
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch is killed once it is decided on, or once a table has taken it."""
    append, after, left = ingest_batch.append_files, ingest_batch.write_pending, [n_batches]

    def count(is_it: bool) -> None:
        left[0] -= is_it
        if not left[0]:
            raise PowerCutError

    def decide(*args: Any) -> None:
        after(*args)
        count(done == "write_pending")

    def take(files: Any, uri: str, *args: Any) -> None:
        append(files, uri, *args)
        count(done != "write_pending" and uri == lakehouse.uri(done))

    with monkeypatch.context() as patched:
        patched.setattr(ingest_batch, "write_pending", decide)
        patched.setattr(ingest_batch, "append_files", take)
        with pytest.raises(PowerCutError):
            load()
    told = ingest.plan(open_local(lakehouse.root), CONFIG, str(logs))
    n_read, new = {1: (2, ", 3 files new"), 2: (4, ", 1 file new"), 3: (5, "")}[n_batches]
    assert told.startswith(f"the batch that was begun before{new}; ")
    again = ingest.plan(open_local(lakehouse.root), CONFIG, str(logs), "all")
    assert again.startswith(
        f"the batch that was begun before, {n_read} files changed, and read again{new}; "
    )
    # One file has grown since.
    with (logs / "0.json").open("ab") as log:
        log.write(lines("1"))
    told = ingest.plan(open_local(lakehouse.root), CONFIG, str(logs))
    assert told.startswith(f"the batch that was begun before, 1 file grown{new}; ")
    load()
    assert ingest.plan(open_local(lakehouse.root), CONFIG, str(logs)).startswith("nothing")


def test_plan_names_no_batch_that_can_not_be_finished(
    load: Callable[..., IngestSummary],
    lakehouse: LocalLakehouse,
    logs: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with power_until(7, monkeypatch), pytest.raises(PowerCutError):
        load()
    for path in Path(lakehouse.uri(EVENTS)).rglob("*.parquet"):
        path.unlink()
    told = ingest.plan(open_local(lakehouse.root), CONFIG, str(logs))
    assert told.startswith("5 files new; ")
    for spec in TABLES:
        lakehouse.drop(spec)
    assert ingest.plan(open_local(lakehouse.root), CONFIG, str(logs)) == told


def test_young_file_is_left_for_the_next_run_and_said_to_be(
    load: Callable[..., IngestSummary], lakehouse: LocalLakehouse, logs: Path
) -> None:
    only(logs, "a.json", lines("1"))
    as_lakehouse: Any = lakehouse
    settled = CONFIG.model_copy(update={"min_age_minutes": 5.0})
    summary = ingest.run(as_lakehouse, settled, str(logs))
    assert summary.describe() == (
        "no new file; 1 file changed less than 5 minutes ago, left for the next run"
    )
    assert load().lines["accepted"] == 1
