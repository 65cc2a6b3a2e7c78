"""Campaign years in a light world, through the project's own weights and policy: what is promised.

python -m bench.campaign_years [--years 10] [--users 22000] [--seed N]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.campaign_town import Setting
from bench.campaign_world import LIVES, POLICY, THRESHOLD, Year, live_years
from bench.overrides import describe_overrides
from bench.promises import holds, judged
from churn_spark.config import load_config

_MOST_OFF, _MOST_AUC = 0.01, 0.005


def say_years(seeds: Sequence[int], setting: Setting, console: Console) -> None:
    """Live campaign years in three ways, and say what each came to."""
    lived: dict[str, list[Year]] = {life.name: [] for life in LIVES}
    for number, year in enumerate(live_years(seeds, setting), 1):
        for name, one in year.items():
            lived[name].append(replace(one, log=None))
            console.print(f"  year {number}, {name}: {', '.join(_figures([one]))}")
    alone, naive, knows = (lived[life.name] for life in LIVES)
    console.print(
        f"{len(seeds)} years of {setting.users:,} users, {setting.capacity:,} named a week, of "
        f"whom {setting.control_share:.0%} withheld; a call keeps {setting.saves:.0%}"
    )
    console.print(
        f"The product's weights, metrics and policy, but for {describe_overrides(POLICY)}, "
        f"intervals of {setting.replicas} draws (shipped: {load_config().monitoring.n_replicas}), "
        f"F1 at a threshold of {THRESHOLD}"
    )
    table = Table("life", "false 'lost performance'", "judged windows", "AUC", "calibration error",
                  "said too much of the list", "cancels")  # fmt: skip
    for life in LIVES:
        table.add_row(life.name, *_figures(lived[life.name]))
    console.print(table)
    n_lost, n_judged = _decided(knows)
    naive_lost, naive_judged = _decided(naive)
    # What the other learner's rate would give among as many: far below 1 it is no comparison.
    as_often = n_judged * naive_lost / max(naive_judged, 1)
    off = float(np.mean([year.off for year in knows]))
    behind = _auc(alone) - _auc(knows)
    kept = [n_lost == 0 and n_judged > 0, off <= _MOST_OFF, behind <= _MOST_AUC]
    console.print(
        f"Knowing the treatment: {n_lost} false decisions in {n_judged} judged windows: "
        f"{holds(kept[0])} (as often as the other learner: {as_often:.2f}); calibration of the "
        f"untreated risk within {_MOST_OFF}: {holds(kept[1])}; AUC {behind:+.4f} behind a world "
        f"without calls, at most {_MOST_AUC}: {holds(kept[2])}. From all rows: "
        f"{naive_lost} false decisions in {naive_judged}, AUC "
        f"{_auc(alone) - _auc(naive):+.4f} behind"
    )


def _decided(years: Sequence[Year]) -> tuple[int, int]:
    """Decisions for lost performance, and windows with cancels enough for one."""
    return sum(len(year.lost) for year in years), sum(year.windows for year in years)


def _auc(years: Sequence[Year]) -> float:
    return float(np.mean([year.auc for year in years]))


def _figures(years: Sequence[Year]) -> list[str]:
    return [
        str(sum(len(year.lost) for year in years)),
        str(sum(year.windows for year in years)),
        f"{_auc(years):.4f}",
        f"{np.mean([year.off for year in years]):.4f}",
        f"{np.mean([year.off_on_list for year in years]):+.4f}",
        f"{sum(year.cancels for year in years):,}",
    ]


@judged
def main(
    years: Annotated[int, typer.Option(min=1, help="How many.")] = 10,
    users: Annotated[int, typer.Option(help="Of each year.")] = Setting.users,
    seed: Annotated[int, typer.Option(help="Of the first year.")] = 1,
) -> None:
    """Print what the years came to, and whether it is as promised."""
    setting = Setting(users=users, capacity=users // 20)
    say_years(range(seed, seed + years), setting, Console(highlight=False, width=110))


if __name__ == "__main__":
    typer.run(main)
