"""The leak checks on 25 planted leaks and on honest tables: `make leak-check`.

Each leak is planted in the honest tables of ten simulated logs, and must be found by the check
that is made for it; the honest tables must pass all checks. Takes some minutes on one core.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench.leak_log import SETTINGS
from bench.planted_leaks import LEAKS, is_caught
from bench.planting import Planting, prepare_planting
from churn_spark.config import LeakageConfig, load_config
from churn_spark.leakage.checks import find_leaks

SEEDS = (1, 2, 3, 4, 5)
REGIMES = ("memoryless", "degrading")
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
    n_missed = n_false = 0
    for world in worlds:
        planting = prepare_planting(world)
        missed = find_missed(planting, limits)
        false = find_leaks(planting.honest, limits)
        n_missed, n_false = n_missed + len(missed), n_false + len(false)
        rows = planting.honest.rows
        console.print(
            f"{world.regime}, seed {world.seed}: {len(rows):,} honest rows, "
            f"{int(rows['label'].sum())} cancel, {len(planting.honest.features)} features: "
            f"{len(false)} findings; {len(LEAKS) - len(missed)} of {len(LEAKS)} leaks caught"
        )
        for name in missed:
            console.print(f"  missed: {name}")
        for finding in false:
            console.print(f"  false: {finding.check}: {finding.sentence}")
    console.print(
        f"{len(LEAKS)} leaks planted in {len(worlds)} logs: {n_missed} missed; {n_false} false "
        f"findings on the {len(worlds)} honest tables"
    )
    sys.exit(1 if n_missed or n_false else 0)


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
