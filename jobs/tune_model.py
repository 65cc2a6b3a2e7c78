"""Gold `snapshots` and `labels` -> better parameters for LightGBM, if any, as challenger."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import DateOption, EnvOption, SetOption

app = new_app()


@app.command()
def main(date: DateOption, env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Search for better parameters with what is known by the date; go on where a run has ended."""
    with open_job("tune_model", env, overrides, date) as context:
        from churn_spark.pipeline import tune

        config = context.config
        tune.run(context.lakehouse, context.registry, date, config.learning, config.tuning)


if __name__ == "__main__":
    run_app(app)
