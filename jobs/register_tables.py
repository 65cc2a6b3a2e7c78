"""All tables -> their names in the metastore that Spark is configured with."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "register_tables")
def main(context: JobContext) -> None:
    """Register the tables in the Spark catalog (as gold_snapshots, …) for other tools to query."""
    from churn_spark.pipeline import register_tables

    register_tables.run(context.lakehouse, context.config.catalog)


if __name__ == "__main__":
    run_app(app)
