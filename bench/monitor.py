"""What is promised of the monitoring: `make bench-monitor`.

The test against scipy, its cost on a million rows, the coverage of the intervals, the policy over
simulated years, nights killed at every step, and a season of nights through the real jobs.
"""

from __future__ import annotations

import gc
import math
import os
import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from rich.console import Console
from scipy import stats

from bench import monitor_policy
from bench.gate import say_gate
from bench.joint import say_joint
from bench.kills import say_kills
from bench.ks_pairs import say_pairs
from bench.ks_samples import count_bins
from bench.promises import choose_sections, holds, judged
from bench.season import HISTORY_DAYS, plan_season, rehearse
from bench.young_log import say_known_logs, say_young_logs
from churn_spark.lakehouse.frames import collect
from churn_spark.monitoring.drift.ks import (
    ReferenceSample,
    build_reference,
    collect_bins,
    compare,
)
from churn_spark.monitoring.frames.bin_counts import count_bins_by_feature, share_edges
from churn_spark.monitoring.performance.performance import estimate_auc
from churn_spark.pipeline.context import open_job

N_FEATURES, BASELINE_ROWS = 30, 100_000
SECTIONS = (
    *("pairs", "partitions", "cost", "coverage", "joint", "years", "gate", "kills"),
    *("known", "young", "season"),
)
N_YOUNG_LOGS = 3
console = Console(width=118)


def draw_columns(n_rows: int, seed: int) -> NDArray[np.float64]:
    """Counts, amounts with ties, and continuous columns, a third of each; shape (rows, 30)."""
    rng = np.random.default_rng(seed)
    third = N_FEATURES // 3
    return np.hstack(
        [
            rng.poisson(20, (n_rows, third)).astype(float),
            rng.gamma(2, 50, (n_rows, third)).round(2),
            rng.normal(size=(n_rows, third)),
        ]
    )


def say_partitions(spark: SparkSession) -> None:
    """The same bytes however the rows are cut."""
    columns = draw_columns(20_011, 3)
    names = [f"x{number}" for number in range(N_FEATURES)]
    baselines = {name: build_reference(columns[:7919, i]) for i, name in enumerate(names)}
    rows = spark.createDataFrame(pd.DataFrame(columns, columns=names))
    edges = share_edges(rows, baselines)
    counted = [collect(count_bins_by_feature(rows.repartition(n), edges)) for n in (1, 7, 200)]
    found = {one.sort_values("feature").to_json(orient="records") for one in counted}
    is_whole = all(has_all(one, len(columns)) for one in counted)
    console.print(
        f"Counts by 1, 7 and 200 partitions: every value of every feature: {holds(is_whole)}, the "
        f"same bytes: {holds(len(found) == 1)}"
    )


def has_all(counted: pd.DataFrame, n_rows: int) -> bool:
    """Whether every feature has been counted, and of each all rows."""
    sums = [int(np.sum(counts)) for counts in counted["counts"]]
    return counted["feature"].nunique() == N_FEATURES and sums == [n_rows] * N_FEATURES


def say_cost(spark: SparkSession, work: Path) -> None:
    """What a million rows and five cost, beside scipy on collected columns."""
    names = [f"x{number}" for number in range(N_FEATURES)]
    sample = draw_columns(BASELINE_ROWS, 1)
    baselines = {name: build_reference(sample[:, i]) for i, name in enumerate(names)}
    paths = {}
    for millions in (1, 5):
        paths[millions] = str(work / f"rows{millions}")
        for part in range(millions):
            frame = pd.DataFrame(draw_columns(1_000_000, 10 + part), columns=names)
            spark.createDataFrame(frame).repartition(2).write.mode("append").parquet(
                paths[millions]
            )
    costs: dict[int, Cost] = {}
    for millions in (1, 1, 5):  # the first warms up
        costs[millions] = measure_test(spark, paths[millions], baselines, millions * 1_000_000)
    wall, cpu = costs[1].wall, costs[1].cpu
    ratio = costs[5].wall / wall
    before = time.monotonic()
    collected = spark.read.parquet(paths[1]).toPandas()
    for i, name in enumerate(names):
        stats.ks_2samp(sample[:, i], collected[name])
    plain = time.monotonic() - before
    python = [costs[millions].python_mb for millions in (1, 5)]
    heap = [costs[millions].heap_mb for millions in (1, 5)]
    is_flat = python[1] - python[0] <= 10 and heap[1] - heap[0] <= 10
    is_whole = all(cost.has_all for cost in costs.values())
    console.print(
        f"1,000,000 rows x {N_FEATURES}, all counted: {holds(is_whole)}: {wall:.1f} s wall (5: "
        f"{holds(wall <= 5)}), {cpu:.1f} s of processors (10: {holds(cpu <= 10)}); 5,000,000 rows: "
        f"{ratio:.1f} times that (4: {holds(ratio <= 4)}); collected and by scipy {plain:.1f} s, "
        f"{plain / wall:.1f} times as "
        f"long\nThe driver with 1 and 5 million rows: Python grows by {python[0]:.0f} and "
        f"{python[1]:.0f} MB meanwhile, the JVM holds {heap[0]:.0f} and {heap[1]:.0f} MB "
        f"afterwards; flat: {holds(is_flat)}"
    )


@dataclass(frozen=True)
class Cost:
    """What a test has cost.

    Attributes:
        wall: seconds.
        cpu: processor seconds of all processes.
        python_mb: by how much the driver's Python has grown at most, in MB.
        heap_mb: what the JVM, driver and executor in one, still holds afterwards, in MB.
        has_all: whether every value of every feature was counted and tested.
    """

    wall: float
    cpu: float
    python_mb: float
    heap_mb: float
    has_all: bool


def measure_test(
    spark: SparkSession, path: str, baselines: dict[str, ReferenceSample], n_rows: int
) -> Cost:
    """Count and test all columns of so many rows."""
    # 5 resets the high-water mark: see proc(5).
    Path("/proc/self/clear_refs").write_text("5")
    held = memory_mb("VmRSS")
    before, started = processor_seconds(), time.monotonic()
    rows = spark.read.parquet(path)
    counted = collect(count_bins_by_feature(rows, share_edges(rows, baselines)))
    n_judged = 0
    for row in counted.itertuples():
        baseline = baselines[str(row.feature)]
        cells: Any = row.cells
        bins = collect_bins(baseline, cells, row.counts)  # type: ignore[arg-type]
        n_judged += compare(baseline, *bins).status == "ok"
    wall, cpu = time.monotonic() - started, processor_seconds() - before
    jvm: Any = spark._jvm
    # Spark lets go of what it has broadcast only after a collection has found it unused.
    for _ in range(2):
        gc.collect()
        jvm.System.gc()
        time.sleep(1)
    runtime = jvm.Runtime.getRuntime()
    heap = (runtime.totalMemory() - runtime.freeMemory()) / 2**20
    is_whole = has_all(counted, n_rows) and n_judged == N_FEATURES
    return Cost(wall, cpu, memory_mb("VmHWM") - held, heap, is_whole)


def memory_mb(name: str) -> float:
    """A figure of this process's status, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1]) / 1024


def processor_seconds() -> float:
    """Of this process and all below it, dead ones among them: the JVM and its workers too."""
    ticks = os.sysconf("SC_CLK_TCK")
    parents, used = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
        used[int(folder.name)] = sum(map(int, fields[11:15])) / ticks
    mine, family = os.getpid(), set()
    for process in parents:
        ancestor = process
        while ancestor not in (0, mine) and ancestor in parents:
            ancestor = parents[ancestor]
        if ancestor == mine:
            family.add(process)
    return sum(used[process] for process in family)


def say_coverage(n_worlds: int) -> None:
    """How often the interval of an AUC holds the true one."""
    rng = np.random.default_rng()
    # Scores are normal with variance 1, one apart: AUC = P(N(1, 2) > 0).
    truth = float(stats.norm.cdf(1 / math.sqrt(2)))
    n_held = 0
    for _ in range(n_worlds):
        labels = (rng.random(1000) < 0.22).astype(float)
        found = estimate_auc(labels, rng.normal(size=1000) + labels, np.arange(1000))
        n_held += found.low <= truth <= found.high
    share = n_held / n_worlds
    same = compare_with_itself()
    console.print(
        f"The 95 % interval of an AUC holds the true one in {share:.1%} of {n_worlds:,} samples of "
        f"1,000 users (93 to 97 %: {holds(0.93 <= share <= 0.97)}); identical data: {same}"
    )


def compare_with_itself() -> str:
    """Whether identical samples differ by exactly nothing."""
    sample = draw_columns(5000, 5)
    tests = []
    for column in sample.T:
        baseline = build_reference(column)
        tests.append(compare(baseline, count_bins(baseline, column), 0))
    is_nothing = all((test.statistic, test.p_value) == (0.0, 1.0) for test in tests)
    return f"D = 0 and p = 1 in all {len(tests)} columns: {holds(is_nothing)}"


@judged
def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(SECTIONS)}; all if none.")
    ] = None,
    users: Annotated[int, typer.Option(help="Of the season, and of the young logs.")] = 2500,
    history_days: Annotated[
        int, typer.Option(help="Of the log before the season; 61: a young one.")
    ] = HISTORY_DAYS,
    nights: Annotated[int, typer.Option(help="Of the season.")] = 60,
    seed: Annotated[
        list[int] | None,
        typer.Option(help="Of young logs and the season; drawn if none."),
    ] = None,
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
) -> None:
    """Print what is promised of the monitoring, and whether it holds."""
    chosen = choose_sections(only, SECTIONS)
    if "pairs" in chosen:
        say_pairs(console, secrets.randbelow(10**9))
    if "coverage" in chosen:
        say_coverage(4000)
    if "joint" in chosen:
        say_joint(console, secrets.randbelow(10**9))
    if "years" in chosen:
        monitor_policy.say_years(console)
    if "gate" in chosen:
        say_gate(console, secrets.randbelow(10**6))
    seeds = seed or [secrets.randbelow(10**6) for _ in range(N_YOUNG_LOGS)]
    with tempfile.TemporaryDirectory(prefix="churn_spark-", dir=work) as name:
        folder = Path(name)
        if "kills" in chosen:
            say_kills(folder / "kills", console)
        if {"partitions", "cost", "known", "young", "season"} & set(chosen):
            options = ["spark.driver_memory=3g", f"lakehouse={folder / 'lakehouse'}"]
            with open_job("bench-monitor", "local", options) as context:
                spark = context.spark
                if "known" in chosen:
                    say_known_logs(spark, folder / "known", console)
                if "young" in chosen:
                    say_young_logs(spark, folder / "young", users, seeds, console)
                if "partitions" in chosen:
                    say_partitions(spark)
                if "cost" in chosen:
                    say_cost(spark, folder)
                if "season" in chosen:
                    season = plan_season(history_days, nights)
                    rehearse(spark, folder / "season", season, users, seeds[0], console)


if __name__ == "__main__":
    typer.run(main)
