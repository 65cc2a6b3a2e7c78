"""The users of as-of dates, read and written: on the driver while they are few, by Spark beyond."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import pandas as pd
from pyspark.sql import functions as F

from churn_spark.contracts.tables import SNAPSHOTS, TableSpec
from churn_spark.errors import MissingTableError
from churn_spark.lakehouse.frames import Rows, to_spark
from churn_spark.lakehouse.selection import Where
from churn_spark.lakehouse.tables import Lakehouse

_KEYS = ("as_of", "user_id")


def are_few(lakehouse: Lakehouse, dates: Collection[date]) -> bool:
    """Whether the users of the dates fit on the driver: all tables of the dates go by that."""
    return lakehouse.count_rows(SNAPSHOTS, {"as_of": dates}) <= lakehouse.max_local_users


def group_dates(lakehouse: Lakehouse, dates: Collection[date]) -> list[list[date]]:
    """The dates in groups: of each the users fit on the driver, but those of a last one."""
    groups: list[list[date]] = []
    beyond, room = [], 0
    for day in sorted(dates):
        n_users = lakehouse.count_rows(SNAPSHOTS, {"as_of": [day]})
        if n_users > lakehouse.max_local_users:
            beyond.append(day)
            continue
        if not groups or n_users > room:
            groups.append([])
            room = lakehouse.max_local_users
        groups[-1].append(day)
        room -= n_users
    return [*groups, beyond] if beyond else groups


def read_dates(
    lakehouse: Lakehouse,
    spec: TableSpec,
    dates: Collection[date],
    columns: Sequence[str] | None = None,
) -> Rows:
    """The rows of some as-of dates; none where there are none.

    The columns include the keys. On the driver the rows are in the order of these: the last digit
    of a product of matrices depends on the place of a row, and a night that is done again shall
    say the same.

    Raises:
        MissingTableError: if no step has written the table yet, and the users are many.
    """
    if are_few(lakehouse, dates):
        found = lakehouse.read_rows(spec, {"as_of": dates}, columns)
        return found.sort_values([*_KEYS], ignore_index=True)
    rows = lakehouse.read(spec).filter(F.col("as_of").isin(*dates))
    return rows.select(*columns or spec.column_names)


def read_as_of(
    lakehouse: Lakehouse, spec: TableSpec, as_of: date, columns: Sequence[str] | None = None
) -> Rows:
    """The rows of one as-of date.

    Raises:
        MissingTableError: if the table has none; a job before this one writes them.
    """
    require_rows(lakehouse, spec, {"as_of": [as_of]}, as_of)
    return read_dates(lakehouse, spec, [as_of], columns)


def read_known(
    lakehouse: Lakehouse, spec: TableSpec, keys: pd.DataFrame, columns: Sequence[str]
) -> pd.DataFrame:
    """The rows of some users as of some dates, on the driver: of no more than fit there.

    Grain: (as_of, user_id), that of `keys`; those without a row are left out.
    """
    found = [keys.iloc[:0].reindex(columns=list(columns))]
    for dates in group_dates(lakehouse, set(keys["as_of"])):
        asked = keys.loc[keys["as_of"].isin(dates), [*_KEYS]]
        rows = read_dates(lakehouse, spec, dates, columns)
        if not isinstance(rows, pd.DataFrame):
            named = F.broadcast(to_spark(asked, spec, lakehouse.spark))
            rows = rows.join(named, [*_KEYS], "left_semi").toPandas()
        found.append(rows.merge(asked, on=[*_KEYS]))
    return pd.concat(found, ignore_index=True)


def require_rows(lakehouse: Lakehouse, spec: TableSpec, where: Where, day: date) -> int:
    """How many rows of a day there are.

    Raises:
        MissingTableError: if the table has none; a job before this one writes them.
    """
    if n_rows := lakehouse.count_rows(spec, where):
        return n_rows
    raise MissingTableError(
        f"found no rows as of {day} in {spec.layer}/{spec.name}, expected some: run the "
        "job that writes them for this date, or `nightly`, which runs them all"
    )


def replace_users(lakehouse: Lakehouse, rows: Rows, spec: TableSpec, where: Where) -> None:
    """Replace the rows meant, in one commit."""
    if isinstance(rows, pd.DataFrame):
        lakehouse.replace_rows(rows, spec, where)
    else:
        deal_by = "user_id" if "user_id" in spec.column_names else None
        lakehouse.replace(rows, spec, where, deal_by=deal_by)
