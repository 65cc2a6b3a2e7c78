"""What reads the tables lets its process end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
from deltalake import write_deltalake

READ = """
import sys
from churn_spark.contracts.tables import RETENTION_LISTS
from churn_spark.lakehouse.native_rows import open_table
print(len(open_table(sys.argv[1], {}, RETENTION_LISTS).read({}, ["user_id"])))
"""


def test_process_that_ends_right_after_a_read_ends_well(tmp_path: Path) -> None:
    folder = tmp_path / "a list"
    for number in range(30):
        rows = pd.DataFrame({"user_id": [f"{number}/{user}" for user in range(200)]})
        write_deltalake(str(folder), rows, mode="append")
    # One that is aborted is so every other time.
    running = [
        subprocess.Popen([sys.executable, "-c", READ, str(folder)], stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    ended = [(process.communicate()[0].strip(), process.returncode) for process in running]
    assert ended == [(b"6000", 0)] * 6
