"""The tables under names, in the metastore that Spark is configured with: `churn.ml_scores`."""

from __future__ import annotations

from typing import Final

from churn_spark.config import CatalogConfig
from churn_spark.contracts.tables import TABLES, TableSpec
from churn_spark.errors import InputError, MissingTableError
from churn_spark.lakehouse.location import qualify
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.pipeline.use_case import UseCase
from churn_spark.wording import count_of

USE_CASE = UseCase(
    "register_tables",
    "all tables by name in the metastore that Spark is configured with",
    takes=("all tables",),
    leaves=("names in a metastore",),
)
_KEPT: Final = "spark.sql.catalogImplementation"


def run(lakehouse: Lakehouse, config: CatalogConfig) -> None:
    """Give each table its name; one that names another place is given to this one.

    Only names are written: tables stay where they are, and what they hold.

    Raises:
        InputError: if Spark would forget the names at the end of the session, or a view or a
            table with data of its own has one of them.
        MissingTableError: if there is no table.
    """
    spark = lakehouse.spark
    if spark.conf.get(_KEPT, "in-memory") != "hive":
        raise InputError(
            f"found no metastore: {_KEPT} is in-memory, so names would be gone with the session; "
            f"expected hive: set it in Spark's conf/spark-defaults.conf, with a hive-site.xml"
        )
    with USE_CASE.start(lakehouse) as facts:
        there = [spec for spec in TABLES if lakehouse.exists(spec)]
        if not there:
            raise MissingTableError(
                f"found no table in {lakehouse.root}, expected some: run `nightly` first"
            )
        spark.sql(f"CREATE DATABASE IF NOT EXISTS `{config.database}`")
        changed = sum(_register(lakehouse, spec, config.database) for spec in there)
        facts.append(
            f"{count_of(len(there), 'table')} in database {config.database}, {changed} new there"
        )


def _register(lakehouse: Lakehouse, spec: TableSpec, database: str) -> bool:
    """Name a table; returns whether it had not that name."""
    spark, name = lakehouse.spark, f"`{database}`.`{spec.layer}_{spec.name}`"
    place = qualify(spark, lakehouse.path(spec))
    if spark.catalog.tableExists(name):
        kind = spark.catalog.getTable(name).tableType
        if kind == "VIEW":
            raise _refusal(name, "a view")
        rows = spark.sql(f"DESCRIBE DETAIL {name}").select("location").collect()
        if rows[0].location.rstrip("/") == place.rstrip("/"):
            return False
        if kind != "EXTERNAL":
            raise _refusal(name, f"a table with data of its own ({kind})")
        # Of a table that lies elsewhere, the name alone goes.
        spark.sql(f"DROP TABLE {name}")
    quoted = place.replace("\\", "\\\\").replace("'", "\\'")
    spark.sql(f"CREATE TABLE {name} USING DELTA LOCATION '{quoted}'")
    return True


def _refusal(name: str, found: str) -> InputError:
    return InputError(
        f"found {found} under the name {name}, expected none or a table of a lakehouse: rename "
        "it, or set catalog.database to another name"
    )
