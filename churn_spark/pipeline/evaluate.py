"""A backtest and its page after a night, where the log allows them."""

from __future__ import annotations

from datetime import date as Date

from churn_spark.config import EvaluationConfig
from churn_spark.errors import TooFewCancelsError, TooFewDatesError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import backtest, report
from churn_spark.pipeline.console import say
from churn_spark.pipeline.forget_backtests import forget_repeated
from churn_spark.wording import count_of


def run(
    lakehouse: Lakehouse,
    registry: ModelRegistry,
    config: EvaluationConfig,
    date: Date | None = None,
) -> str | None:
    """Test the model on the log up to a date and write the page; returns its path, if any.

    A log that is too short, or holds too few cancellations, is said to be, and gets no page.
    Earlier backtests that say the same are forgotten.
    """
    try:
        backtest.run(lakehouse, registry, config, date)
    except (TooFewDatesError, TooFewCancelsError) as error:
        say(backtest.USE_CASE.name, f"left out: {error}")
        return None
    n_repeated = forget_repeated(lakehouse, registry)
    if n_repeated:
        forgotten = f"{count_of(n_repeated, 'earlier backtest')} forgotten"
        say(backtest.USE_CASE.name, f"{forgotten}: the newest says the same")
    return report.write_evaluation(lakehouse, config.costs)
