"""What is promised of the monitoring: `make bench-monitor`.

The test against scipy, its cost on a million rows, the coverage of the intervals, the policy over
simulated years, and a season of nights through the real jobs.
"""

from __future__ import annotations

import math
import os
import resource
import shutil
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from rich.console import Console
from scipy import stats

from bench import monitor_policy
from bench.promises import holds
from bench.season import rehearse
from churn_spark.config import load_config
from churn_spark.monitoring.cells import count_cells_by_feature
from churn_spark.monitoring.ks import (
    Baseline,
    build_baseline,
    collect_cells,
    compare,
    count_cells,
    count_missing,
)
from churn_spark.monitoring.performance import estimate_auc
from churn_spark.session import build_session

N_PAIRS, N_FEATURES, BASELINE_ROWS = 2000, 30, 100_000
SECTIONS = ("pairs", "partitions", "cost", "coverage", "years", "season")
_TIED = st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 1.0, 2.0, math.inf, math.nan])
_SAMPLES = st.one_of(
    st.lists(_TIED, min_size=1, max_size=60),
    st.lists(st.floats(), min_size=1, max_size=60),
    st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=211),
)
console = Console(width=118)


def say_pairs() -> None:
    """D and p beside scipy's, on samples with ties, infinities, missing values, prime sizes."""
    worst_d, worst_p, n_compared = [0.0], [0.0], [0]

    @settings(max_examples=N_PAIRS, deadline=None, database=None, suppress_health_check=HealthCheck)
    @given(_SAMPLES, _SAMPLES)
    def check(first: list[float], second: list[float]) -> None:
        reference, current = np.array(first), np.array(second)
        b, c = reference[~np.isnan(reference)], current[~np.isnan(current)]
        if not b.size or not c.size:
            return
        baseline = build_baseline(reference)
        found = compare(baseline, count_cells(baseline, current), count_missing(current))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            expected = stats.ks_2samp(b, c)
        worst_d[0] = max(worst_d[0], abs(found.statistic - expected.statistic))
        worst_p[0] = max(worst_p[0], abs(found.p_value / expected.pvalue - 1))
        n_compared[0] += 1

    check()
    console.print(
        f"{n_compared[0]:,} pairs beside scipy: D apart by at most {worst_d[0]:.1e} (1e-12: "
        f"{holds(worst_d[0] <= 1e-12)}), p by {worst_p[0]:.1e} of itself (1e-9: "
        f"{holds(worst_p[0] <= 1e-9)})"
    )


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
    baselines = {name: build_baseline(columns[:7919, i]) for i, name in enumerate(names)}
    rows = spark.createDataFrame(pd.DataFrame(columns, columns=names))
    found = {
        repr(sorted(count_cells_by_feature(rows.repartition(n), baselines).collect()))
        for n in (1, 7, 200)
    }
    console.print(f"Counts by 1, 7 and 200 partitions: the same bytes: {holds(len(found) == 1)}")


def say_cost(spark: SparkSession, work: Path) -> None:
    """What a million rows and five cost, beside scipy on collected columns."""
    names = [f"x{number}" for number in range(N_FEATURES)]
    sample = draw_columns(BASELINE_ROWS, 1)
    baselines = {name: build_baseline(sample[:, i]) for i, name in enumerate(names)}
    paths = {}
    for millions in (1, 5):
        paths[millions] = str(work / f"rows{millions}")
        for part in range(millions):
            frame = pd.DataFrame(draw_columns(1_000_000, 10 + part), columns=names)
            spark.createDataFrame(frame).repartition(2).write.mode("append").parquet(
                paths[millions]
            )
    timed: dict[int, tuple[float, float]] = {}
    for millions in (1, 1, 5):  # the first warms up
        timed[millions] = measure_test(spark, paths[millions], baselines)
    wall, cpu = timed[1]
    ratio = timed[5][0] / wall
    before = time.monotonic()
    collected = spark.read.parquet(paths[1]).toPandas()
    for i, name in enumerate(names):
        stats.ks_2samp(sample[:, i], collected[name])
    plain = time.monotonic() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    console.print(
        f"1,000,000 rows x {N_FEATURES}: {wall:.1f} s wall (5: {holds(wall <= 5)}), {cpu:.1f} s of "
        f"processors (10: {holds(cpu <= 10)}); 5,000,000 rows: {ratio:.1f} times that (4: "
        f"{holds(ratio <= 4)}); collected and by scipy {plain:.1f} s, {plain / wall:.1f} times as "
        f"long; the driver's Python has held {memory:,.0f} MB, of that the collected rows 240"
    )


def measure_test(
    spark: SparkSession, path: str, baselines: dict[str, Baseline]
) -> tuple[float, float]:
    """Wall and processor seconds of counting and testing all columns."""
    before, started = processor_seconds(), time.monotonic()
    for row in count_cells_by_feature(spark.read.parquet(path), baselines).toPandas().itertuples():
        baseline = baselines[str(row.feature)]
        cells: Any = row.cells
        compare(baseline, *collect_cells(baseline, cells, row.counts))  # type: ignore[arg-type]
    return time.monotonic() - started, processor_seconds() - before


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
        baseline = build_baseline(column)
        tests.append(compare(baseline, count_cells(baseline, column), 0))
    is_nothing = all((test.statistic, test.p_value) == (0.0, 1.0) for test in tests)
    return f"D = 0 and p = 1 in all {len(tests)} columns: {holds(is_nothing)}"


def main(
    only: Annotated[
        list[str] | None, typer.Option(help=f"{', '.join(SECTIONS)}; all if none.")
    ] = None,
    users: Annotated[int, typer.Option(help="Of the season.")] = 2500,
    nights: Annotated[int, typer.Option(help="Of the season.")] = 60,
    work: Annotated[Path | None, typer.Option(help="Where to write; a temporary folder.")] = None,
) -> None:
    """Print what is promised of the monitoring, and whether it holds."""
    chosen: Sequence[str] = only or SECTIONS
    if "pairs" in chosen:
        say_pairs()
    if "coverage" in chosen:
        say_coverage(4000)
    if "years" in chosen:
        monitor_policy.say_years(console)
    if not {"partitions", "cost", "season"} & set(chosen):
        return
    folder = Path(tempfile.mkdtemp(prefix="churn_spark-", dir=work))
    config = load_config(overrides=["spark.driver_memory=3g"])
    spark = build_session(config.spark, "bench-monitor")
    try:
        if "partitions" in chosen:
            say_partitions(spark)
        if "cost" in chosen:
            say_cost(spark, folder)
        if "season" in chosen:
            rehearse(spark, folder, users, nights, console)
    finally:
        spark.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    typer.run(main)
