"""Whether rows have exactly the columns that a table declares, whatever engine holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from churn_spark.contracts.tables import TableSpec
from churn_spark.errors import SchemaError


def require_fit(
    spec: TableSpec, found: Sequence[tuple[str, str]], expected: Mapping[str, str]
) -> None:
    """Refuse rows that don't fit their table.

    Args:
        spec: the table.
        found: name and type of each column of the rows; a name may come twice.
        expected: name -> type of each column of the table, in the words of the same engine.

    Raises:
        SchemaError: if columns are missing, extra or of another type; all are listed.
    """
    names = [name for name, _ in found]
    missing = [name for name in expected if name not in names]
    extra = [name for name in names if name not in expected or names.count(name) > 1]
    wrong = [
        f"{name} is {data_type} instead of {expected[name]}"
        for name, data_type in dict(found).items()
        if name in expected and data_type != expected[name]
    ]
    if missing or extra or wrong:
        raise SchemaError(
            f"rows for {spec.layer}/{spec.name} don't fit its schema: "
            f"missing {missing}, extra {extra}, wrong type {wrong}"
        )
