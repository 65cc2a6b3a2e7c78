"""How a lakehouse stands: last runs, champion, open alerts, how fresh and how large it is."""

from __future__ import annotations

from typing import Annotated

import typer

from churn_spark.config import load_config
from jobs._command import new_app, run_app
from jobs._options import EnvOption, SetOption

app = new_app()


@app.command()
def main(
    runs: Annotated[int, typer.Option(min=1, help="Number of last runs to show.")] = 10,
    env: EnvOption = "local",
    overrides: SetOption = None,
) -> None:
    """Show last runs, model, alerts and table sizes; fast, since it starts no Spark. Read-only."""
    config = load_config(env, overrides or ())
    from churn_spark.pipeline.status import read_status
    from churn_spark.pipeline.status_page import show_status

    show_status(read_status(config.lakehouse, runs, config.schedule))


if __name__ == "__main__":
    run_app(app)
