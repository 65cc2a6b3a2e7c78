"""Gold `snapshots` and `labels` -> LightGBM and its baseline, evaluated, logged and registered."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import DateOption, EnvOption, SetOption

app = new_app()


@app.command()
def main(date: DateOption, env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Train with what is known by the date; the first model becomes champion."""
    with open_job("train_model", env, overrides, date) as context:
        from churn_spark.pipeline import train

        train.run(context.lakehouse, context.registry, date, context.config.learning)


if __name__ == "__main__":
    run_app(app)
