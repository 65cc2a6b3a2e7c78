"""A disk that fills up while a model is trained: one line, and nothing that a rerun can't mend."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from bench.killed_night import LIGHT
from bench.kills import KilledNights
from churn_spark.simulate.settings import SimulationSettings

ROOT = Path(__file__).resolve().parents[2]
DISK_MB = 200


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, in memory; whoever may not mount one skips the test."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs the right to mount a disk")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def train(world: KilledNights) -> subprocess.CompletedProcess[str]:
    settings = [f"lakehouse={world.lakehouse}", *LIGHT]
    date = world.nights[0] - timedelta(days=1)
    command = [sys.executable, "-m", "jobs.train_model", "--date", str(date)]
    command += [word for setting in settings for word in ("--set", setting)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_training_on_a_disk_that_fills_up_ends_with_one_line_and_a_rerun_leaves_the_same(
    small_disk: Path,
) -> None:
    world = KilledNights(small_disk, SimulationSettings(users=150))
    world.prepare()
    world.keep()
    filler = small_disk / "filler"
    free = shutil.disk_usage(small_disk).free
    assert train(world).returncode == 0
    taken = free - shutil.disk_usage(small_disk).free
    expected = world.content()

    # Full from the start, at the first tables, and when the model is put away.
    for left in (10_000, 2**20 + taken // 4, taken - 50_000):
        world.restore()
        filler.write_bytes(bytes(shutil.disk_usage(small_disk).free - left))
        done = train(world)
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(r"error: the disk is full \(.*\): free some space .*\n", done.stderr)
        filler.unlink()
        assert train(world).returncode == 0
        assert world.content() == expected
