"""Contacts: what a row may be, files of them, and their way into the table."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from churn_spark.contracts.contact import INBOX, Contact
from churn_spark.contracts.tables import CONTACTS, REJECTED_CONTACTS, RETENTION_LISTS
from churn_spark.errors import InputError, MissingTableError
from churn_spark.events.user_ids import AS_THEY_ARE, UserIds
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline import record_contacts
from churn_spark.serving.contact_inbox import ContactInbox
from churn_spark.stores.contacts import Batch, merge_contacts, parse_contacts
from churn_spark.stores.user_files import clean_user_files, find_user_files
from tests.local_lakehouse import open_local

DAY = date(2026, 3, 2)
HEADER = "user_id,list_date,time,channel,offer,cost,outcome\n"
GOOD = "7,2026-03-02,2026-03-02T10:15:00Z,call,month free,2.5,accepted\n"


def contact(**changes: Any) -> Contact:
    base = {"user_id": "7", "list_date": "2026-03-02", "time": "2026-03-02T10:15:00Z"}
    return Contact.model_validate({**base, "channel": "call", "outcome": "accepted", **changes})


@pytest.fixture
def lakehouse(tmp_path: Path) -> Lakehouse:
    return open_local(tmp_path)


def write_list(lakehouse: Lakehouse, users: Sequence[str], day: date = DAY) -> None:
    rows = [
        [{"as_of": day, "user_id": user}.get(name) for name in RETENTION_LISTS.column_names]
        for user in users
    ]
    lakehouse.replace_rows(rows, RETENTION_LISTS, {"as_of": [day]})


def stored(lakehouse: Lakehouse) -> list[tuple[object, ...]]:
    return sorted((r.user_id, r.outcome, r.cost) for r in lakehouse.collect_rows(CONTACTS))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"user_id": " "}, "user_id"),
        ({"list_date": "2026-3-2"}, "list_date"),
        ({"list_date": 20000}, "list_date"),
        ({"time": "1772446500"}, "time"),
        ({"time": "soon"}, "time"),
        ({"time": "9999-12-31T23:59:59-05:00"}, "time"),
        ({"time": "0001-01-01T00:00:00+05:00"}, "time"),
        ({"time": "2026-03-01T23:59:00Z"}, "row"),
        ({"time": "2027-05-01T00:00:00Z"}, "row"),
        ({"channel": "=cmd()"}, "channel"),
        ({"cost": -1}, "cost"),
        ({"cost": float("nan")}, "cost"),
        ({"outcome": "perhaps"}, "outcome"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_row_that_is_no_contact_is_refused(changes: Mapping[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as caught:
        contact(**changes)
    [problem] = caught.value.errors()
    assert (problem["loc"][0] if problem["loc"] else "row") == field


def test_times_are_utc_whatever_their_zone() -> None:
    texts = ("2026-03-02T10:15:00Z", "2026-03-02T10:15:00", "2026-03-02T12:15:00.7+02:00")
    assert {contact(time=text).time.isoformat() for text in texts} == {"2026-03-02T10:15:00+00:00"}


def test_bad_rows_of_a_file_are_named_without_what_they_hold(
    lakehouse: Lakehouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_list(lakehouse, ["7"])
    file = tmp_path / "contacts.csv"
    bad = ["8,2026-03-02,2026-03-02T10:15:00Z,call,,,accepted", "secret,x,y,call,,,accepted", "1,2"]
    file.write_text("\ufeff" + HEADER + GOOD + "\n".join(bad))
    for _ in range(2):
        record_contacts.run(lakehouse, file)
        assert stored(lakehouse) == [("7", "accepted", 2.5)]
        rejected = {row.row: row.reason for row in lakehouse.collect_rows(REJECTED_CONTACTS)}
        assert rejected.keys() == {2, 3, 4}
        assert rejected[2] == "user_id: not on the list of 2026-03-02"
        assert rejected[3].startswith("list_date: expected YYYY-MM-DD; time: ")
        assert rejected[4] == "has 2 cells, not 7"
        assert "secret" not in str(rejected)
    told = capsys.readouterr()
    assert "1 contact" in told.out
    assert "row 4: has 2 cells, not 7" in told.err + told.out


def test_mended_file_leaves_no_rejected_row(lakehouse: Lakehouse, tmp_path: Path) -> None:
    write_list(lakehouse, ["7"])
    file = tmp_path / "contacts.csv"
    file.write_text(HEADER + GOOD.replace("accepted", "perhaps"))
    with pytest.raises(InputError, match=r"no row of .* is a valid contact: .*correct the file"):
        record_contacts.run(lakehouse, file)
    assert stored(lakehouse) == []
    file.write_text(HEADER + GOOD)
    record_contacts.run(lakehouse, file)
    assert (len(stored(lakehouse)), lakehouse.count_rows(REJECTED_CONTACTS)) == (1, 0)


def test_files_of_one_name_in_several_folders_keep_their_rejected_rows(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    write_list(lakehouse, ["7"])
    files = [tmp_path / "export" / day / "out" / "contacts.csv" for day in ("monday", "tuesday")]
    for file in files:
        file.parent.mkdir(parents=True)
        file.write_text(HEADER + GOOD + "1,2\n")
        record_contacts.run(lakehouse, file)
    found = lakehouse.collect_rows(REJECTED_CONTACTS)
    assert len({row.source for row in found}) == len(found) == 2
    assert {row.source.partition(" ")[0] for row in found} == {"out/contacts.csv"}
    files[0].write_text(HEADER + GOOD)
    # However it is reached, it is the same file.
    record_contacts.run(lakehouse, files[1].parent / ".." / ".." / "monday" / "out" / files[0].name)
    assert lakehouse.count_rows(REJECTED_CONTACTS) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "user_id,outcome\n",
        HEADER.replace("cost", "price") + GOOD,
        HEADER.replace("cost", "offer"),
    ],
)
def test_file_with_other_columns_changes_nothing(
    lakehouse: Lakehouse, tmp_path: Path, text: str
) -> None:
    write_list(lakehouse, ["7"])
    file = tmp_path / "contacts.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=r"have the columns .*; expected user_id, list_date, time"):
        record_contacts.run(lakehouse, file)
    assert not lakehouse.exists(CONTACTS)


def test_there_must_be_a_file_and_a_list(lakehouse: Lakehouse, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read from"):
        record_contacts.run(lakehouse, tmp_path / "none.csv")
    with pytest.raises(MissingTableError, match="ml/retention_lists"):
        record_contacts.run(lakehouse)


def test_inbox_is_merged_once_and_what_comes_later_stays(
    lakehouse: Lakehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_list(lakehouse, ["7", "8"])
    inbox = ContactInbox(str(tmp_path))
    inbox.keep([contact()], "crm", "a")
    inbox.keep([contact(outcome="declined"), contact(user_id="8")], "crm", "b")
    with monkeypatch.context() as patched:
        # Killed after the commit and before the files are gone: they are merged again.
        patched.setattr(record_contacts, "forget_inbox", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            record_contacts.run_if_any(lakehouse)
    record_contacts.run_if_any(lakehouse)
    expected = [("7", "declined", 0.0), ("8", "accepted", 0.0)]
    assert stored(lakehouse) == expected
    assert lakehouse.files.names(INBOX) == []
    version = lakehouse.version(CONTACTS)
    record_contacts.run_if_any(lakehouse)
    assert (stored(lakehouse), lakehouse.version(CONTACTS)) == (expected, version)


def test_contact_that_is_set_back_without_a_key_is_no_repetition(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    write_list(lakehouse, ["7"])
    inbox = ContactInbox(str(tmp_path))
    sent = ["accepted", "accepted", "declined", "accepted"]
    kept = [inbox.keep([contact(outcome=outcome)], "crm", "") for outcome in sent]
    assert kept == [True, False, True, True]
    record_contacts.run_if_any(lakehouse)
    assert stored(lakehouse) == [("7", "accepted", 0.0)]


def test_file_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def fsync(descriptor: int) -> None:
        done.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name[:1]}")
        sync(descriptor)

    def named(path: Path, target: Path) -> Path:
        done.append("name")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "rename", named)
    assert ContactInbox(str(tmp_path)).keep([contact()], "crm", "")
    # The hidden file, then its name, then the folders contacts and _inbox.
    assert done[:4] == ["sync .", "name", "sync c", "sync _"]


def test_what_a_crash_has_left_is_no_batch_and_is_found_by_an_erasure(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    write_list(lakehouse, ["7"])
    ContactInbox(str(tmp_path)).keep([contact()], "crm", "")
    [file] = Path(tmp_path, INBOX).iterdir()
    file.rename(file.with_name(f".{file.name}"))
    record_contacts.run_if_any(lakehouse)
    assert not lakehouse.exists(CONTACTS)
    assert find_user_files(lakehouse, ["7"])
    assert ContactInbox(str(tmp_path)).keep([contact()], "crm", "")


def test_line_of_the_inbox_that_is_no_contact_holds_no_night(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    write_list(lakehouse, ["7"])
    ContactInbox(str(tmp_path)).keep([contact()], "crm", "")
    [file] = Path(tmp_path, INBOX).iterdir()
    file.write_bytes(b"{}\n" + file.read_bytes())
    record_contacts.run_if_any(lakehouse)
    assert [row[0] for row in stored(lakehouse)] == ["7"]
    assert [row.row for row in lakehouse.collect_rows(REJECTED_CONTACTS)] == [1]


def test_pseudonyms_are_found_by_either_id_and_erased_users_stay_out(lakehouse: Lakehouse) -> None:
    users = UserIds(key=b"k" * 32)
    write_list(lakehouse, [users.stored("7"), users.stored("8")])
    ids = ["7", users.stored("8"), "9"]
    batch = Batch("file", {n: contact(user_id=one) for n, one in enumerate(ids, 1)}, {})
    [merged] = merge_contacts(lakehouse, [batch], users)
    assert [row[0] for row in stored(lakehouse)] == sorted(map(users.stored, "78"))
    assert merged.rejected == {3: "user_id: not on the list of 2026-03-02"}


def test_erasure_cleans_the_inbox_and_later_contacts_stay_out(
    lakehouse: Lakehouse, tmp_path: Path
) -> None:
    write_list(lakehouse, ["8"])
    inbox = ContactInbox(str(tmp_path))
    inbox.keep([contact(), contact(user_id="8")], "crm", "")
    paths = find_user_files(lakehouse, ["7"])
    assert [path.rpartition("/")[0] for path in paths] == [INBOX]
    clean_user_files(lakehouse, paths, ["7"])
    assert find_user_files(lakehouse, ["7"]) == []
    # Who was erased is on no list any more.
    inbox.keep([contact()], "crm", "later")
    record_contacts.run_if_any(lakehouse)
    assert [row[0] for row in stored(lakehouse)] == ["8"]
    for spec in (CONTACTS, REJECTED_CONTACTS):
        assert "'7'" not in str(lakehouse.read_arrow(spec).to_pylist())


_CONTACTS = st.builds(
    contact,
    user_id=st.sampled_from(["7", "8", "elsewhere"]),
    list_date=st.sampled_from([str(DAY), str(DAY + timedelta(days=1))]),
    time=st.sampled_from(["2026-03-03T10:15:00Z", "2026-03-04T00:00:00Z"]),
    channel=st.sampled_from(["call", "mail"]),
    outcome=st.sampled_from(["accepted", "not_reached"]),
)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.lists(_CONTACTS, max_size=4), max_size=4))
def test_last_of_each_name_counts_however_they_come(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[Contact]]
) -> None:
    lakehouse = open_local(tmp_path_factory.mktemp("contacts"))
    write_list(lakehouse, ["7"])
    write_list(lakehouse, ["7", "8"], DAY + timedelta(days=1))
    on_lists = {("7", DAY), ("7", DAY + timedelta(days=1)), ("8", DAY + timedelta(days=1))}
    expected: dict[tuple[object, ...], str] = {}
    for number, several in enumerate(batches):
        merge_contacts(
            lakehouse, [Batch(f"{number}", dict(enumerate(several, 1)), {})], AS_THEY_ARE
        )
        for one in several:
            if (one.user_id, one.list_date) in on_lists:
                instant = one.time.replace(tzinfo=None)
                expected[one.list_date, one.user_id, instant, one.channel] = one.outcome
    found = {
        (r.list_date, r.user_id, r.contact_ts, r.channel): r.outcome
        for r in lakehouse.collect_rows(CONTACTS)
    }
    assert found == expected


def test_cells_with_spaces_and_missing_columns_are_read() -> None:
    text = (
        "outcome,user_id,time,list_date,channel\naccepted, 7 ,2026-03-02 10:15,2026-03-02,call\n\n"
    )
    batch = parse_contacts(text.encode(), "f")
    assert batch.contacts == {1: contact()}


def test_time_that_no_calendar_has_in_utc_rejects_its_row_alone() -> None:
    late = GOOD.replace("2026-03-02T10:15:00Z", "9999-12-31T23:59:59-05:00")
    batch = parse_contacts((HEADER + late + GOOD).encode(), "f")
    assert batch.contacts.keys() == {2}
    assert batch.rejected == {1: "time: expected an instant as in 2026-03-02T10:15:00Z"}
