"""All tables and MLflow -> the same with fewer and larger files, without what is of long ago."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

app = new_app()


@app.command()
def main(env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Join small files, and remove old files, rows and models, as `maintenance` says."""
    with open_job("maintain_tables", env, overrides) as context:
        from churn_spark.pipeline import maintain

        maintain.run(context.lakehouse, context.registry, context.config.maintenance)


if __name__ == "__main__":
    run_app(app)
