"""All tables -> their names in the metastore that Spark is configured with."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

app = new_app()


@app.command()
def main(env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Name the tables LAYER_TABLE in the database `catalog.database`, where others find them."""
    with open_job("register_tables", env, overrides) as context:
        from churn_spark.pipeline import register_tables

        register_tables.run(context.lakehouse, context.config.catalog)


if __name__ == "__main__":
    run_app(app)
