"""Print all tables as Markdown: `python -m churn_spark.contracts.tables`."""

from __future__ import annotations

from churn_spark.contracts.tables import TABLES


def describe_tables() -> str:
    """The tables as Markdown: the whole of `docs/data-flow.md`."""
    parts = [
        "# The tables\n\nWritten by `make docs` from `churn_spark/contracts/tables`. The "
        "flow is drawn in the [README](../README.md#how-it-works).\n"
    ]
    of_users = [f"`{spec.path}`" for spec in TABLES if "user_id" in spec.column_names]
    parts.append(
        "## Personal data\n\nNames, full locations and user agents are in no table: while a line "
        "is read they become a hash, a state, an operating system and a browser. Of a rejected "
        "line its place in its file is kept. What models leave in MLflow and in `champion/` has no "
        "`user_id`, and no number from which one could be told "
        "([ADR 0023](adr/0023-personal-data-stay-in-the-logs.md)).\n\n"
        f"These tables have a `user_id`: {', '.join(of_users)}. How somebody is erased from all of "
        "them, and how they hold pseudonyms instead: [privacy.md](privacy.md).\n"
    )
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
