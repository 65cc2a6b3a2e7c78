"""Print all tables as Markdown: `python -m churn_spark.contracts.tables`."""

from __future__ import annotations

from churn_spark.contracts.tables import TABLES


def describe_tables() -> str:
    """The tables as Markdown: the whole of `docs/data-flow.md`."""
    parts = [
        "# The tables\n\nWritten by `make docs` from `churn_spark/contracts/tables`. The "
        "flow is drawn in the [README](../README.md).\n"
    ]
    for spec in TABLES:
        partitions = f" Partitioned by {', '.join(spec.partition_by)}." if spec.partition_by else ""
        rows = "\n".join(f"| `{c.name}` | {c.data_type} | {c.meaning} |" for c in spec.columns)
        parts.append(
            f"## `{spec.layer}/{spec.name}`\n\nOne row is {spec.grain}.{partitions}\n\n"
            f"| column | type | meaning |\n| --- | --- | --- |\n{rows}\n"
        )
    return "\n".join(parts)


if __name__ == "__main__":
    print(describe_tables(), end="")
