"""Nights with the lakehouse and the logs on another store: the same as on a disk."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from deltalake import DeltaTable
from every_byte import find_bytes

from churn_spark.contracts.contact import INBOX
from churn_spark.contracts.tables import RETENTION_LISTS
from tests.object_stores.places import NIGHTS, ROOT, Place

LAST = ("--date", str(NIGHTS[-1]))


def test_nights_leave_what_they_leave_on_a_disk(local: Place, place: Place, tmp_path: Path) -> None:
    said = compare(Path(local.lakehouse), place.copy_to(tmp_path))
    assert re.search(r"SAME: \d\d tables, champion 1", said)


def test_status_tells_the_nights_without_spark(place: Place) -> None:
    said = place.run("status")
    assert place.lakehouse in said
    assert all(str(night) in said for night in NIGHTS)


def test_second_night_is_refused_while_one_writes_and_the_next_goes_on_where_it_was_killed(
    place: Place, tmp_path: Path
) -> None:
    before = place.copy_to(tmp_path / "before")
    first = subprocess.Popen(
        place.command("nightly", *LAST, *place.events),
        env=place.variables,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert first.stdout is not None
        # Its own first line comes when it has the lock: before it, Spark tells of jars that it
        # fetches. It waits, so that it has the lock for long enough.
        assert any(line.startswith("ingest_events") for line in first.stdout)
        os.killpg(first.pid, signal.SIGSTOP)
        refused = place.run("nightly", *LAST, *place.events, code=40)
        assert f"found {place.lakehouse} in use by nightly (process {first.pid} of" in refused
        assert f"held by nightly (process {first.pid} of" in place.run("doctor")
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    said = place.run("nightly", *LAST, *place.events)
    assert f"goes on after nightly (process {first.pid} of" in said
    compare(before, place.copy_to(tmp_path / "after"))


def test_maintenance_changes_no_row(place: Place, tmp_path: Path) -> None:
    before = place.copy_to(tmp_path / "before")
    place.run("maintain_tables")
    compare(before, place.copy_to(tmp_path / "after"))


def test_erased_user_is_in_no_byte_of_the_store(place: Place, tmp_path: Path) -> None:
    listed = DeltaTable(str(place.copy_to(tmp_path / "list") / RETENTION_LISTS.path)).to_pandas()
    gone = str(listed.sort_values(["as_of", "list_rank"])["user_id"].iloc[-1])
    contact = {"user_id": gone, "list_date": str(NIGHTS[-1]), "channel": "call"}
    contact |= {"time": f"{NIGHTS[-1]}T10:00:00Z", "outcome": "reached"}
    # As the service leaves it until the next night.
    place.put(f"lakehouse/{INBOX}/{1:020d}-of_key-of_content.jsonl", json.dumps(contact).encode())
    pattern = re.compile(rb"(?<!\w)" + gone.encode() + rb"(?!\d)")

    def found(moment: str) -> set[str]:
        """Files with the user, those of the logs left out: these are their owner's to clean."""
        place.copy_to(tmp_path / moment)
        files = find_bytes(tmp_path / moment, pattern).get(gone, set())
        return {file for file in files if not file.startswith("events/")}

    assert {"bronze", "silver", "gold", "ml", "_inbox"} <= {
        Path(one).parts[1] for one in found("before")
    }
    said = place.run("erase_user", "--user", gone)
    assert re.search(r"reference [0-9a-f]{32}: 1 user", said)
    assert found("after") == set()
    place.run("nightly", *LAST, *place.events)
    assert found("later") == set()


def compare(before: Path, after: Path) -> str:
    """Let pass only two equal lakehouses; gives what is said of them."""
    command = [sys.executable, "-m", "bench.same_lakehouse", str(before), str(after)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    return done.stdout
