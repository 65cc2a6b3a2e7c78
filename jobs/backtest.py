"""The log up to a date -> a model tested on dates and users it has not seen, beside simple ones."""

from __future__ import annotations

from datetime import date as Date
from pathlib import Path
from typing import Annotated

import mlflow
import pandas as pd
import typer

from churn_spark import job
from churn_spark.contracts.tables import (
    BACKTEST_FIGURES,
    BACKTEST_IMPORTANCE,
    BACKTEST_PREDICTIONS,
    BACKTEST_RUNS,
    TableSpec,
)
from churn_spark.evaluation.backtest import PRIMARY, TEST, measure
from churn_spark.evaluation.date_split import DateSplit
from churn_spark.evaluation.intervals import Interval
from churn_spark.lakehouse.schema import struct_of
from churn_spark.models.registry import ModelRegistry
from churn_spark.steps import backtest as steps
from jobs import build_snapshots

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Truth = Annotated[
    Path | None, typer.Option(help="Folder of the simulated world that the log is of, if it is.")
]


@app.command()
def main(
    date: job.OptionalDateOption = None,
    truth: Truth = None,
    env: job.EnvOption = "local",
    overrides: job.SetOption = None,
) -> None:
    """Test on the newest dates that have labels; without a date, on those of the whole log."""
    with job.open_job("backtest", env, overrides) as context:
        run(context, date, truth)


def run(context: job.JobContext, date: Date | None = None, truth: Path | None = None) -> str:
    """Fit on the older dates, judge on the newest ones, keep everything; returns the run's id.

    Raises:
        TooFewDatesError: if the log is too short for both.
        TooFewCancelsError: if there is too little to learn from.
    """
    config = context.config
    end = min(date or Date.max, job.log_span(context).end)
    plan = steps.choose_dates(context, end)
    build_snapshots.run(context, {*plan.train, *plan.test})
    with job.closing_line("backtest") as facts:
        tested = steps.fit_and_predict(context, plan, truth)
        predictions = steps.describe_predictions(tested)
        figures = measure(
            predictions,
            list(tested.probabilities),
            steps.choose_thresholds(tested),
            n_replicas=config.backtest.n_replicas,
            seed=config.training.seed,
        )
        with ModelRegistry(config.registry, config.lakehouse).run(
            "backtest", {"date": str(end), "cutoff": str(plan.cutoff)}
        ) as run_id:
            mlflow.log_metrics(steps.main_figures(figures))
        card = steps.build_card(context, tested, run_id, is_simulated=truth is not None)
        card_row = pd.DataFrame({"date": [end], "card": [card.model_dump_json()]})
        told = steps.lengthen(predictions, tested, config.scoring.n_reasons)
        keep(context, BACKTEST_PREDICTIONS, run_id, told)
        keep(context, BACKTEST_FIGURES, run_id, figures)
        keep(context, BACKTEST_IMPORTANCE, run_id, steps.build_importance(context, tested))
        keep(context, BACKTEST_RUNS, run_id, card_row)
        tested.prepared.described.unpersist()
        facts.extend(describe_run(plan, figures))
    return run_id


def keep(context: job.JobContext, spec: TableSpec, run_id: str, rows: pd.DataFrame) -> None:
    """Write the rows of the run."""
    columns = rows.assign(run_id=run_id)[spec.column_names]
    frame = context.spark.createDataFrame(columns, struct_of(spec))
    context.lakehouse.replace(frame, spec, {"run_id": [run_id]})


def describe_run(plan: DateSplit, figures: pd.DataFrame) -> list[str]:
    """The closing line's facts."""
    is_auc = (figures["cell"] == TEST) & (figures["metric"] == "roc_auc")
    aucs = figures[is_auc & (figures["segment"] == "all")]

    def figure(model: str, versus: str = "") -> str:
        row = aucs[(aucs["model"] == model) & (aucs["versus"] == versus)]
        value, low, high = row[["value", "low", "high"]].to_numpy(dtype=float)[0]
        return str(Interval(value, low, high))

    return [
        f"learnt from {len(plan.train)} dates up to {plan.train[-1]}, tested on "
        f"{len(plan.test)} up to {plan.test[-1]}",
        f"AUC LightGBM {figure(PRIMARY)}, LR {figure('logistic_regression')}, rule "
        f"{figure('rule')}; LightGBM - LR {figure(PRIMARY, 'logistic_regression')}",
    ]


if __name__ == "__main__":
    job.main(app)
