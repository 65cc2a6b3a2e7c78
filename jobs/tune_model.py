"""Gold `snapshots` and `labels` -> better parameters for LightGBM, if there are any, as challenger.

Every trial is judged by users whom its trees have not seen, on dates after those they have
learnt from; the validation users take no part. The features are those of a training as of the
date, the same for every trial: losses compare trials, they are no forecast of a test.
"""

from __future__ import annotations

from datetime import date as Date

import typer

from churn_spark import job
from churn_spark.contracts.tables import TRAINING_ROWS
from churn_spark.evaluation.date_split import split_dates
from churn_spark.models.search.tuning import Choice
from churn_spark.steps import training
from churn_spark.steps.tuning import tune
from churn_spark.steps.weeks import training_dates
from jobs import build_snapshots

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    date: job.DateOption, env: job.EnvOption = "local", overrides: job.SetOption = None
) -> None:
    """Search for better parameters with what is known by the date; go on where a run has ended."""
    with job.open_job("tune_model", env, overrides) as context:
        run(context, date)


def run(context: job.JobContext, date: Date) -> Choice:
    """Run the trials that are left, choose, and register a challenger if one is better.

    Raises:
        TooFewDatesError: if the dates can't be parted into learnt and judged ones.
        TooFewCancelsError: if there is too little to learn from or to judge on.
        ConfigError: if there is no place to keep the trials.
    """
    config = context.config
    known = training_dates(context, date)
    dates = split_dates(known, config.labels.horizon, config.tuning.n_dates)
    build_snapshots.run(context, known)
    with job.closing_line("tune_model") as facts:
        labelled = training.label_snapshots(context, date)
        prepared = training.prepare(context, date, *labelled, TRAINING_ROWS)
        choice, found = tune(context, date, prepared, dates)
        facts.extend(found)
        prepared.described.unpersist()
    return choice


if __name__ == "__main__":
    job.main(app)
