"""All tables and MLflow -> the same with fewer and larger files, without what is of long ago."""

from __future__ import annotations

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

app = new_app()


@job(app, "maintain_tables")
def main(context: JobContext) -> None:
    """Merge small files; delete what is older than the section `maintenance` keeps."""
    from churn_spark.pipeline import maintain

    config = context.config
    maintain.run(context.lakehouse, context.registry, config.maintenance, config.tuning)


if __name__ == "__main__":
    run_app(app)
