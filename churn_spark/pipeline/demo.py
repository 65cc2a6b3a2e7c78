"""The whole flow on a simulated log, in a lakehouse of its own."""

from __future__ import annotations

import webbrowser
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from churn_spark.config import EvaluationConfig, NightConfig
from churn_spark.contracts.tables import RETENTION_LISTS
from churn_spark.errors import InputError
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.registry import ModelRegistry
from churn_spark.pipeline import backtest, night, report
from churn_spark.pipeline.console import closing_line, say
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.simulate.world import has_log, simulate_log
from churn_spark.timeline import days_after
from churn_spark.wording import count_of, duration, name_some

WORLD = SimulationSettings(
    # Enough for drift to be judged (policy.min_rows).
    users=400,
    # Sixteen weeks: of a shorter log the pages mostly say what can't be judged yet.
    days=112,
    # One thing to be found: in the last twelve days songs are liked four times as often.
    drift="input",
    drift_date=date(2019, 1, 9),
    drift_factor=4.0,
)
"""What the demo simulates."""

DEMO_FOLDER = "demo_log"
USUAL_SECONDS: Final = 120
_NAMED: Final = 4


def run(
    lakehouse: Lakehouse,
    open_registry: Callable[[], ModelRegistry],
    config: NightConfig,
    evaluation: EvaluationConfig,
    n_nights: int,
    *,
    is_opened: bool,
) -> None:
    """Simulate a log, run its last nights, test the model and write the pages.

    Args:
        lakehouse: an empty one, or a demo's.
        open_registry: of its models.
        config: of the nights.
        evaluation: of the backtest.
        n_nights: the last of them is the log's end.
        is_opened: whether a browser shows the pages.

    Raises:
        InputError: if real logs have been loaded into the lakehouse, or it isn't a local folder.
    """
    folder = claim_demo_lakehouse(lakehouse.root)
    dates = night_dates(n_nights)
    end = dates[-1]
    told = f"a made-up log, {count_of(n_nights, 'night')} and a backtest"
    say("demo", f"{told}: about {duration(USUAL_SECONDS)}")
    simulate(folder)
    for night_date in dates:
        say("", "")
        say("nightly", f"--date {night_date}")
        night.run(lakehouse, open_registry, config, night_date, str(folder / "events"))
    say("", "")
    registry = open_registry()
    backtest.run(lakehouse, registry, evaluation, end, folder)
    pages = report.run(lakehouse, registry, evaluation.costs, config.policy)
    show_list(lakehouse, end)
    show_next(lakehouse, pages)
    if is_opened:
        for page in pages:
            webbrowser.open(Path(page).resolve().as_uri())


def plan(lakehouse: str, n_nights: int) -> list[str]:
    """What would be done, in words; nothing is.

    Raises:
        InputError: if real logs have been loaded there, or it isn't a local folder.
    """
    folder = find_demo_folder(lakehouse)
    log = f"a log of {WORLD.users} users and {WORLD.days} days is simulated in {folder}"
    named = name_some([str(day) for day in night_dates(n_nights)], _NAMED)
    return [
        f"the log in {folder} is there already" if has_log(folder) else log,
        f"{count_of(n_nights, 'night')} on it: {named}",
        "a backtest, and the pages",
    ]


def night_dates(n_nights: int) -> list[date]:
    """The dates of the nights, the last one the end of the log."""
    end = days_after(WORLD.start, WORLD.days)
    return [days_after(end, -back) for back in reversed(range(n_nights))]


def simulate(folder: Path) -> None:
    """Write the demo's log; one that is there stays, for its files have been read."""
    with closing_line("simulate_events") as facts:
        if has_log(folder):
            facts.append(f"the log in {folder} is there already")
        else:
            facts.append(simulate_log(WORLD, folder).describe())


def claim_demo_lakehouse(lakehouse: str) -> Path:
    """Make the folder for the simulated log, by which a lakehouse is known to be a demo's.

    Raises:
        InputError: if real logs have been loaded there, or it isn't a local folder.
    """
    folder = find_demo_folder(lakehouse)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def find_demo_folder(lakehouse: str) -> Path:
    """The folder for the simulated log in a lakehouse that is empty or already a demo's.

    Raises:
        InputError: if real logs have been loaded there, or it isn't a local folder.
    """
    folder = Path(lakehouse) / DEMO_FOLDER
    if "://" in lakehouse or (Path(lakehouse, "bronze").exists() and not folder.exists()):
        raise InputError(
            f"{lakehouse} has tables of other logs; the demo needs an empty local folder: "
            "set LAKEHOUSE=./lakehouse-demo"
        )
    return folder


def refuse_demo_lakehouse(lakehouse: str) -> None:
    """Keep real logs apart from simulated ones.

    Raises:
        InputError: if the lakehouse is a demo's.
    """
    if "://" not in lakehouse and Path(lakehouse, DEMO_FOLDER).exists():
        raise InputError(
            f"{lakehouse} belongs to the demo and can't take other logs: set another folder, "
            "such as LAKEHOUSE=./mine"
        )


def show_list(lakehouse: Lakehouse, night_date: date, n_users: int = 5) -> None:
    """Print the head of the list that a retention team would read."""
    rows = lakehouse.collect_rows(RETENTION_LISTS, {"as_of": [night_date]})
    listed = [row for row in rows if row.list_rank is not None]
    title = f"The list of {night_date}, its first {n_users}"
    table = Table("rank", "user", "probability", "days listed", "reasons", title=title)
    for row in sorted(listed, key=lambda row: row.list_rank)[:n_users]:
        table.add_row(
            str(row.list_rank),
            Text(row.user_id),
            f"{row.churn_probability:.1%}",
            str(row.days_on_list),
            "\n".join(row.reasons),
        )
    Console().print(table)


def show_next(lakehouse: Lakehouse, pages: list[str]) -> None:
    """Print where the pages are, and three things to do next."""
    root = lakehouse.root
    where = "" if root == "./lakehouse" else f" LAKEHOUSE={root}"
    say("pages", ", ".join(pages))
    say("the list, served", f"CHURN_API_KEY=$(openssl rand -hex 32) make serve{where}")
    say("status", f"make status{where}")
    say("your own log", "make run EVENTS=path LAKEHOUSE=./lakehouse-own")
