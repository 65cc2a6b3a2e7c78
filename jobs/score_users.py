"""Gold `snapshots` as of a date and the champion -> `behaviour` and `scores`."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import DateOption, EnvOption, SetOption

app = new_app()


@app.command()
def main(date: DateOption, env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Score everybody in the population as of the date; a rerun replaces the date's scores."""
    with open_job("score_users", env, overrides, date) as context:
        from churn_spark.pipeline import score

        config = context.config
        score.run(
            context.lakehouse,
            context.registry,
            date,
            config.learning,
            config.scoring,
            config.retention_list,
        )


if __name__ == "__main__":
    run_app(app)
