"""Log files of the lakehouse itself, from which users were erased: known as they are now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import polars as pl

from churn_spark.config import IngestConfig
from churn_spark.contracts.tables import FILES
from churn_spark.events.proofs import look_at_files
from churn_spark.events.readings import FileNote, build_files
from churn_spark.lakehouse.native_sources import is_reachable
from churn_spark.lakehouse.tables import Lakehouse


def note_cleaned(lakehouse: Lakehouse, paths: Collection[str], config: IngestConfig) -> None:
    """Note of input files that were read and cleaned since what a later ingest needs of them.

    Otherwise they would count as changed by somebody else, and hold the night.

    Args:
        lakehouse: with the files.
        paths: below it; those that no batch has read are left alone.
        config: of the ingest.
    """
    there = [path for path in paths if lakehouse.files.read(path) is not None]
    listed = {found[0]: found for found in map(lakehouse.files.listed, there)}
    noted = pl.DataFrame(lakehouse.read_arrow(FILES, {"source_file": [*listed]}))
    if noted.is_empty():
        return
    newest = noted.sort("ingest_batch").unique("source_file", keep="last", maintain_order=True)
    earlier = noted.join(newest, on=["source_file", "ingest_batch"], how="anti")
    rows = [earlier]
    for path, batch in newest.select("source_file", "ingest_batch").iter_rows():
        note = FileNote(*listed[path])
        if is_reachable(path):
            [note] = look_at_files([note], config)
        unchanged = replace(note, status="unchanged", begin=note.size_bytes)
        rows.append(build_files([unchanged], {}, batch))
    lakehouse.replace_rows(
        pl.concat(rows).to_arrow(), FILES, {"source_file": newest["source_file"].to_list()}
    )
