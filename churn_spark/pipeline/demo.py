"""The whole flow on a simulated log, in a lakehouse of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date as Date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from churn_spark.config import EvaluationConfig, NightConfig
from churn_spark.contracts.tables import RETENTION_LISTS, TABLES
from churn_spark.errors import InputError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import backtest, night, report
from churn_spark.pipeline.console import closing_line, say
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import has_log, simulate_log
from churn_spark.timeline import days_after

N_USERS = 300
"""Enough for drift to be judged (policy.min_rows)."""

DEMO_FOLDER = "demo_log"


def run(
    lakehouse: Lakehouse,
    open_registry: Callable[[], ModelRegistry],
    config: NightConfig,
    evaluation: EvaluationConfig,
    n_nights: int,
) -> None:
    """Simulate a mini log, run the last nights of it, test the model and write the pages.

    Raises:
        InputError: if real logs have been loaded into the lakehouse, or it isn't a local folder.
    """
    folder = claim_demo_lakehouse(lakehouse.root)
    settings = SimulationSettings(users=N_USERS)
    with closing_line("simulate_events") as facts:
        # A log that is there stays, for its files have been read.
        if has_log(folder):
            facts.append(f"the log in {folder} is there already")
        else:
            facts.append(simulate_log(settings, folder).describe())
    end = days_after(settings.start, settings.days)
    for back in range(n_nights - 1, -1, -1):
        date = days_after(end, -back)
        say("", "")
        say("nightly", f"--date {date}")
        night.run(lakehouse, open_registry, config, date, str(folder / "events"))
    say("", "")
    registry = open_registry()
    backtest.run(lakehouse, registry, evaluation, end, folder)
    pages = report.run(lakehouse, registry, evaluation.costs, config.policy)
    show_list(lakehouse, end)
    show_places(lakehouse, folder, pages)


def claim_demo_lakehouse(lakehouse: str) -> Path:
    """The folder for the simulated log in a lakehouse that is empty or already a demo's.

    Raises:
        InputError: if real logs have been loaded there, or it isn't a local folder.
    """
    folder = Path(lakehouse) / DEMO_FOLDER
    if "://" in lakehouse or (Path(lakehouse, "bronze").exists() and not folder.exists()):
        raise InputError(
            f"found {lakehouse} in use by other logs, expected an empty local folder for the "
            "demo: call it with LAKEHOUSE=./lakehouse-demo"
        )
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def refuse_demo_lakehouse(lakehouse: str) -> None:
    """Keep real logs apart from simulated ones.

    Raises:
        InputError: if the lakehouse is a demo's.
    """
    if "://" not in lakehouse and Path(lakehouse, DEMO_FOLDER).exists():
        raise InputError(
            f"found the demo's simulated log in {lakehouse}, expected a lakehouse for real "
            "logs: choose another LAKEHOUSE, or delete this one (`make demo` makes it again)"
        )


def show_list(lakehouse: Lakehouse, date: Date, n_users: int = 5) -> None:
    """Print the head of the list that a retention team would read."""
    rows = lakehouse.collect_rows(RETENTION_LISTS, {"as_of": [date]})
    listed = [row for row in rows if row.list_rank is not None]
    table = Table("rank", "user", "probability", "days", "reasons", title=f"The list of {date}")
    for row in sorted(listed, key=lambda row: row.list_rank)[:n_users]:
        table.add_row(
            str(row.list_rank),
            row.user_id,
            f"{row.churn_probability:.1%}",
            str(row.days_on_list),
            "\n".join(row.reasons),
        )
    Console().print(table)


def show_places(lakehouse: Lakehouse, folder: Path, pages: list[str]) -> None:
    """Print where everything is, and how to serve it."""
    names = ", ".join(spec.path for spec in TABLES if lakehouse.exists(spec))
    root = lakehouse.root
    say("log", str(folder / "events"))
    say("tables", f"{root}: {names}")
    say("reports", ", ".join(pages))
    say("runs and models", f"mlflow ui --backend-store-uri sqlite:///{root}/mlflow/mlflow.db")
    say("service", f"CHURN_API_KEY=<a long random text> make serve LAKEHOUSE={root}")
