"""Tables of another release, and what reads the tables lets its process end."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from deltalake import write_deltalake
from local_lakehouse import open_local

from churn_spark.contracts.tables import RETENTION_LISTS, SNAPSHOTS
from churn_spark.errors import OldTableError
from churn_spark.lakehouse.arrow_schema import arrow_schema

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


def test_table_gets_the_features_of_a_later_release_and_keeps_those_that_are_gone(
    tmp_path: Path,
) -> None:
    lakehouse = open_local(tmp_path)
    now = arrow_schema(SNAPSHOTS).empty_table()
    day, later = date(2018, 11, 5), date(2018, 11, 6)
    before = pd.DataFrame({"as_of": [day], "user_id": ["1"], "gone": [3.0]})
    write_deltalake(lakehouse.uri(SNAPSHOTS), before, partition_by=["as_of"])
    rows = now.to_pandas().reindex([0]).assign(as_of=later, user_id="2", tenure_days=4.0)
    lakehouse.replace_rows(rows, SNAPSHOTS, {"as_of": [later]})
    found = lakehouse.read_rows(SNAPSHOTS, None, ["user_id", "tenure_days"])
    assert dict(found.fillna(0.0).to_numpy()) == {"1": 0.0, "2": 4.0}


def test_column_of_another_type_is_named_in_one_line(tmp_path: Path) -> None:
    lakehouse = open_local(tmp_path)
    before = pd.DataFrame({"as_of": [date(2018, 11, 5)], "user_id": [1]})
    write_deltalake(lakehouse.uri(RETENTION_LISTS), before, partition_by=["as_of"])
    rows = arrow_schema(RETENTION_LISTS).empty_table().to_pandas().reindex([0])
    rows = rows.assign(as_of=date(2018, 11, 5), user_id="u1")
    with pytest.raises(OldTableError, match="retention_lists has a column of another type"):
        lakehouse.replace_rows(rows, RETENTION_LISTS, {"as_of": [date(2018, 11, 5)]})
