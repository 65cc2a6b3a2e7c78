"""JSON event logs -> bronze `events`, `quarantine` and `files`, each file exactly once."""

from __future__ import annotations

from churn_spark.pipeline.context import open_job
from jobs._command import new_app, run_app
from jobs._options import EnvOption, EventsOption, SetOption

app = new_app()


@app.command()
def main(
    events: EventsOption = None, env: EnvOption = "local", overrides: SetOption = None
) -> None:
    """Load the files that are new."""
    with open_job("ingest_events", env, overrides) as context:
        from churn_spark.pipeline import ingest

        ingest.run(context.lakehouse, context.config.ingest, events)


if __name__ == "__main__":
    run_app(app)
