"""The stored nights, decided again: the same decisions, or those of other thresholds."""

from __future__ import annotations

from typing import Annotated

import typer

from churn_spark.pipeline.context import JobContext
from jobs._command import new_app, run_app
from jobs._job import job

Calibrate = Annotated[
    float | None,
    typer.Option(
        "--calibrate",
        metavar="PER_YEAR",
        help="Find the lowest drift thresholds with at most PER_YEAR retrainings for drift a year.",
    ),
]

app = new_app()


@job(app, "replay", writes=False)
def main(context: JobContext, max_false_alarms: Calibrate = None) -> None:
    """Recompute the retraining decision of every stored daily run and check that it is unchanged.

    Where the thresholds of the configuration aren't those of the last night, as with
    `--set policy.KEY=VALUE`, what they would have decided otherwise is shown as well.
    """
    from churn_spark.pipeline import replay

    if max_false_alarms is not None:
        replay.find_thresholds(context.lakehouse, context.config.policy, max_false_alarms)
    else:
        replay.run(context.lakehouse, context.config.policy)


if __name__ == "__main__":
    run_app(app)
