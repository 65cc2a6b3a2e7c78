"""Nights with the lakehouse and the logs on another store: the same as on a disk."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from every_byte import find_bytes

from tests.object_stores.places import NIGHTS, ROOT, Place


def test_nights_leave_what_they_leave_on_a_disk(local: Place, place: Place, tmp_path: Path) -> None:
    copied = place.copy_to(tmp_path)
    command = [sys.executable, "-m", "bench.same_lakehouse", local.lakehouse, str(copied)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert re.search(r"SAME: \d\d tables, champion 1", done.stdout)


def test_night_done_again_and_maintenance_change_no_row(place: Place, tmp_path: Path) -> None:
    before = place.copy_to(tmp_path / "before")
    place.run("nightly", "--date", str(NIGHTS[-1]), "--events", f"{place.root}/events")
    place.run("maintain_tables")
    after = place.copy_to(tmp_path / "after")
    command = [sys.executable, "-m", "bench.same_lakehouse", str(before), str(after)]
    subprocess.run(command, cwd=ROOT, check=True)


def test_status_tells_the_nights_without_spark(place: Place) -> None:
    said = place.run("status")
    assert place.lakehouse in said
    assert all(str(night) in said for night in NIGHTS)


def test_second_night_is_refused_while_one_writes_and_goes_on_after_it_was_killed(
    place: Place,
) -> None:
    night = ("--date", str(NIGHTS[-1]), "--events", f"{place.root}/events")
    first = subprocess.Popen(
        place.command("nightly", *night),
        env=place.variables,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert first.stdout is not None
        # Its first line comes when it has the lock.
        assert first.stdout.readline()
        refused = place.run("nightly", *night, code=40)
        assert f"found {place.lakehouse} in use by nightly (process {first.pid} of" in refused
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    said = place.run("nightly", *night)
    assert f"goes on after nightly (process {first.pid} of" in said


def test_erased_user_is_in_no_byte_of_the_store(place: Place, tmp_path: Path) -> None:
    csv = tmp_path / "list.csv"
    place.run("build_retention_list", "--date", str(NIGHTS[-1]), "--csv", str(csv))
    [gone] = re.findall(r"zqid\d+", csv.read_text().splitlines()[1])
    pattern = re.compile(rb"(?<!\w)" + gone.encode() + rb"(?!\d)")

    def found(moment: str) -> set[str]:
        """Files with the user, those of the logs left out: these are their owner's to clean."""
        place.copy_to(tmp_path / moment)
        files = find_bytes(tmp_path / moment, pattern).get(gone, set())
        return {file for file in files if not file.startswith("events/")}

    assert {"bronze", "silver", "gold", "ml"} <= {Path(one).parts[1] for one in found("before")}
    said = place.run("erase_user", "--user", gone)
    assert re.search(r"reference [0-9a-f]{32}: 1 user", said)
    assert found("after") == set()
    place.run("nightly", "--date", str(NIGHTS[-1]), "--events", f"{place.root}/events")
    assert found("later") == set()
