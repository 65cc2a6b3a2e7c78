"""The leak checks on 25 planted leaks and on honest tables: `make leak-check`.

Each leak is planted in the honest tables of ten simulated logs, and in the product's own tables
of two of them: snapshots and forecasts of a lakehouse that has trained. It must be found by the
check that is made for it; the honest tables must pass all checks. Takes some minutes on one core.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from bench.leak_log import SETTINGS
from bench.planted_leaks import LEAKS, is_caught
from bench.planting import Planting, prepare_planting
from bench.product_table import prepare_product_planting
from churn_spark.config import LeakageConfig, load_config
from churn_spark.leakage.checks import find_leaks
from churn_spark.runtime.session import build_session
from churn_spark.simulate.settings import SimulationSettings
from churn_spark.timeline import days_after

SEEDS = (1, 2, 3, 4, 5)
REGIMES = ("memoryless", "degrading")
_LOOK_BACK_DAYS: Final = 28
console = Console(width=110)


def main(
    users: Annotated[int, typer.Option(help="Users of each simulated log.")] = SETTINGS.users,
) -> None:
    """Print what the leak checks find; exit code 1 if a leak is missed or an alarm is false."""
    limits = load_config().leakage
    worlds = [
        replace(SETTINGS, users=users, regime=regime, seed=seed)
        for regime in REGIMES
        for seed in SEEDS
    ]
    say_catalogue(prepare_planting(worlds[0]), limits)
    found = [
        judge(f"{one.regime}, seed {one.seed}", prepare_planting(one), limits) for one in worlds
    ]
    found += judge_products([one for one in worlds if one.seed == SEEDS[0]], limits)
    n_missed, n_false = (sum(numbers) for numbers in zip(*found, strict=True))
    console.print(
        f"{len(LEAKS)} leaks planted in {len(found)} tables: {n_missed} missed; {n_false} false "
        f"findings on the {len(found)} honest tables"
    )
    sys.exit(1 if n_missed or n_false else 0)


def judge_products(
    worlds: list[SimulationSettings], limits: LeakageConfig
) -> list[tuple[int, int]]:
    """The same in the tables that the product makes of some worlds, begun four weeks earlier.

    Its features look so far back: of a younger log, dates are told apart by windows not yet full.
    """
    config = load_config()
    spark = build_session(config.spark, "leak-check")
    try:
        with tempfile.TemporaryDirectory(prefix="churn_spark-") as folder:
            return [
                judge(
                    f"the product's tables, {one.regime}, seed {one.seed}",
                    prepare_product_planting(spark, Path(folder) / one.regime, _begun_earlier(one)),
                    limits,
                )
                for one in worlds
            ]
    finally:
        spark.stop()


def _begun_earlier(settings: SimulationSettings) -> SimulationSettings:
    start = days_after(settings.start, -_LOOK_BACK_DAYS)
    return replace(settings, start=start, days=settings.days + _LOOK_BACK_DAYS)


def judge(name: str, planting: Planting, limits: LeakageConfig) -> tuple[int, int]:
    """Print what is missed and what is found in vain; returns how many."""
    missed, false = find_missed(planting, limits), find_leaks(planting.honest, limits)
    rows = planting.honest.rows
    console.print(
        f"{name}: {len(rows):,} honest rows, {int(rows['label'].sum())} cancel, "
        f"{len(planting.honest.features)} features: {len(false)} findings; "
        f"{len(LEAKS) - len(missed)} of {len(LEAKS)} leaks caught"
    )
    for leak in missed:
        console.print(f"  missed: {leak}")
    for finding in false:
        console.print(f"  false: {finding.check}: {finding.sentence}")
    return len(missed), len(false)


def find_missed(planting: Planting, limits: LeakageConfig) -> list[str]:
    """Names of the leaks that the check made for them doesn't find."""
    return [
        leak.name for leak in LEAKS if not is_caught(leak, find_leaks(leak.plant(planting), limits))
    ]


def say_catalogue(planting: Planting, limits: LeakageConfig) -> None:
    """Print each leak with what was found of it, with the log and from the table alone."""
    table = Table("leak", "found by", "in", "found from the table alone by")
    for leak in LEAKS:
        planted = leak.plant(planting)
        is_found = is_caught(leak, find_leaks(planted, limits))
        alone = find_leaks(replace(planted, rebuilds=None, spans=None), limits)
        table.add_row(
            f"[bold]{leak.name}[/]\n{leak.story}",
            leak.check if is_found else "[bold red]MISSED[/]",
            leak.feature,
            ", ".join(sorted({finding.check for finding in alone})) or "-",
        )
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
