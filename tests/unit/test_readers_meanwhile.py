"""Who reads a table while it is written sees it as one commit has left it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path

from churn_spark.contracts.tables import LOG_DATES
from tests.local_lakehouse import open_local

N_ROWS, N_WRITES = 500, 60


def test_reader_sees_the_old_table_or_the_new_one(tmp_path: Path) -> None:
    writer, reader = open_local(tmp_path), open_local(tmp_path)
    days = [date(2018, 10, 1) + timedelta(days=n) for n in range(N_ROWS)]

    def write(n: int) -> None:
        writer.replace_rows([(day, n, "in the log") for day in days], LOG_DATES, {})

    write(0)
    seen: list[int] = []
    with ThreadPoolExecutor(1) as other:
        writing = other.submit(lambda: [write(n) for n in range(1, N_WRITES)])
        while not writing.done():
            numbers = reader.read_arrow(LOG_DATES)["n_events"].to_pylist()
            assert len(numbers) == N_ROWS
            assert len(set(numbers)) == 1
            seen.append(numbers[0])
        writing.result()
    assert seen == sorted(seen)
    assert len(set(seen)) > 1
