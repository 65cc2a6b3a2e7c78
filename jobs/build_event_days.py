"""Bronze `events` -> silver `event_days`: only the dates that new events touch."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

app = new_app()


@app.command()
def main(env: EnvOption = "local", overrides: SetOption = None) -> None:
    """Rebuild the dates whose events changed."""
    with open_job("build_event_days", env, overrides) as context:
        from churn_spark.pipeline import event_days

        event_days.run(context.lakehouse, context.config.ingest)


if __name__ == "__main__":
    run_app(app)
