"""A lakehouse with all kinds of tables, files and pages that hold users."""

from __future__ import annotations

import gzip
import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
from builders import random_records, record, write_lines
from every_byte import find_bytes
from local_lakehouse import rows_of

from churn_spark.config import PrivacyConfig, load_config
from churn_spark.contracts.tables import (
    EVENT_DAYS,
    SESSION_DAYS,
    TABLES,
    TRANSITIONS,
    TableSpec,
)
from churn_spark.events.summary import IngestSummary
from churn_spark.lakehouse.polars_schema import polars_schema_of
from churn_spark.lakehouse.small_tables import SmallTables
from churn_spark.pipeline import erase_user, ingest, of_events, rollups
from churn_spark.stores.erasures import Erasure

CONFIG = load_config().ingest
GONE, OTHERS = "zqgone7", ("zqgone", "zqgone70", "7", "17")
"""The others' ids are parts of the one, or have it as a part."""
LEFT = re.compile(rb"zqgone7(?!0)|zqgone07")
KEY = "k" * 40
PSEUDONYMS = PrivacyConfig(pseudonymise=True)
MADE = (SESSION_DAYS, TRANSITIONS, EVENT_DAYS)


@dataclass
class Place:
    """A lakehouse with all kinds of tables, files and pages that hold users."""

    lakehouse: Any
    logs: Path
    noted: list[str] = field(default_factory=list)

    @property
    def root(self) -> Path:
        return Path(self.lakehouse.root)

    def load(self, location: Path | None = None, **options: Any) -> IngestSummary:
        loaded = ingest.run(self.lakehouse, CONFIG, str(location or self.logs), **options)
        rollups.run(self.lakehouse, CONFIG, of_events.STEPS)
        return loaded

    def erase(self, *user_ids: str, privacy: PrivacyConfig = PrivacyConfig()) -> Erasure:
        registry: Any = self
        return erase_user.run(self.lakehouse, lambda: registry, CONFIG, privacy, user_ids)

    def fill(self) -> None:
        """Load the logs, write users into all other tables, and files beside them."""
        self.load()
        self.fill_others(TABLES)

    def fill_others(self, specs: Iterable[TableSpec]) -> None:
        """Write users into those of the tables that nothing was loaded into, and files."""
        for spec in specs:
            if "user_id" in spec.column_names and not self.lakehouse.exists(spec):
                for version in range(2):
                    write_users(self.lakehouse, spec, version)
        write_files(self.root)

    def note_erasure(self) -> None:
        self.noted.append("runs")

    def left(self) -> dict[str, set[str]]:
        return find_bytes(self.root, LEFT)

    def content(self) -> dict[str, list[tuple[Any, ...]]]:
        without = {"bronze/erased_users", "monitoring/erasures"}
        return {
            spec.path: sorted(rows_of(self.lakehouse, spec).rows(), key=repr)
            for spec in TABLES
            if self.lakehouse.exists(spec) and spec.path not in without
        }


def records_of(user_id: str, seed: int) -> list[dict[str, Any]]:
    return [one | {"userId": user_id} for one in random_records(seed, n_users=1)]


def write_log(folder: Path) -> Path:
    """Three files with events of all users, and with lines that are rejected."""
    users = enumerate((GONE, *OTHERS))
    records = [one for seed, user in users for one in records_of(user, seed)]
    random.Random(1).shuffle(records)
    for number in range(3):
        lines = [*records[number::3], "{broken", record(userId=GONE, ts=5)]
        write_lines(folder / f"{number}.json", lines)
    return folder


def write_users(lakehouse: SmallTables, spec: TableSpec, version: int) -> None:
    """A row of each user, each version in the place of the one before."""
    schema = polars_schema_of(spec)
    rows = pl.DataFrame({"user_id": [GONE, *OTHERS]}).with_columns(
        pl.lit(date(2018, 12, 1 + version) if kind == pl.Date else None, kind).alias(name)
        for name, kind in schema.items()
        if name != "user_id"
    )
    texts = [name for name, kind in schema.items() if kind == pl.String and name != "user_id"]
    told = rows.with_columns(pl.lit(f"v{version}").alias(name) for name in texts)
    lakehouse.replace_rows(told.select(spec.column_names).to_arrow(), spec, {})


def write_files(root: Path) -> None:
    """What people leave beside the tables."""
    users = [GONE, *OTHERS]
    (root / "lists").mkdir()
    rows = "".join(f'{n},"{user}","a, ""b"""\r\n' for n, user in enumerate(users))
    (root / "lists" / "list.csv").write_bytes(f'rank,"user_id",reason\r\n{rows}'.encode())
    lines = "\n".join(json.dumps({"userId": user}) for user in users)
    (root / "lists" / "copy.json.gz").write_bytes(gzip.compress(lines.encode()))
    frame = pl.DataFrame({"user_id": pl.Series(users, dtype=pl.Categorical), "n": 1})
    frame.write_parquet(root / "lists" / "truth.parquet")
    pages = root / "reports" / "notebooks"
    pages.mkdir(parents=True)
    (pages / "2.html").write_text(f"<td>{GONE}</td>")
    (pages / "3.html").write_text("<td>zqgone70</td>")
