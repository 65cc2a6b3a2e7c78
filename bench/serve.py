"""How fast the service answers: `LAKEHOUSE=dir python -m bench.serve`.

One worker on one core, the load on another, against the champion and scores of the lakehouse
(`make demo` makes one). Needs `wrk`. Takes about a minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bench.load import BATCH_ROWS, CONNECTIONS, Load, make_rows, measure_batches, measure_load
from bench.promises import holds, judged
from bench.server import serving
from churn_spark.config import Config, load_config
from churn_spark.serving.predictor import build_predictor
from churn_spark.serving.published import PublishedChampion

PROMISED_PER_S = 1500
START_PROMISED_S, PROMISED_MB = 3.0, 350
BATCH_PROMISED_PER_S, P99_PROMISED_MS = 200_000, 10.0
ONE_BY_ONE = 2000
console = Console(width=100)


def say_one_row(config: Config) -> None:
    """Time one row on the ways there are, in this process."""
    reader = PublishedChampion(config.lakehouse)
    predictor = build_predictor(reader.load(reader.newest()), config.scoring, {})
    bundle, rows = predictor.bundle, make_rows(ONE_BY_ONE)
    records: list[Any] = rows.to_dict("records")
    frames = [rows.iloc[[position]] for position in range(ONE_BY_ONE)]
    matrices = [bundle.encoding.encode(frame) for frame in frames[:200]]
    table = Table("one row", "µs", title=f"{bundle.booster.num_trees()} trees, in one process")
    ways: tuple[tuple[str, Callable[[], object], int], ...] = (
        ("as served: single-row trees", lambda: [*map(predictor.predict_one, records)], ONE_BY_ONE),
        (
            "Booster.predict, matrix at hand",
            lambda: [
                bundle.booster.predict(one, raw_score=True, num_threads=1) for one in matrices
            ],
            len(matrices),
        ),
        (
            "Booster.predict, encoded by pandas",
            lambda: [bundle.probabilities(one) for one in frames[:200]],
            200,
        ),
    )
    for name, way, n in ways:
        started = time.perf_counter()
        way()
        table.add_row(name, f"{(time.perf_counter() - started) / n * 1e6:,.1f}")
    console.print(table)


def is_fast(full: Load) -> bool:
    """Whether as many requests were answered as promised, and none in vain."""
    return full.per_second >= PROMISED_PER_S and not full.n_failed


def is_prompt(half: Load) -> bool:
    """Whether nearly all were answered as soon as promised, and none in vain."""
    return half.p99_ms <= P99_PROMISED_MS and not half.n_failed


@judged
def main(seconds: Annotated[int, typer.Option(help="Of each load.")] = 10) -> None:
    """Measure one worker on one core, and say whether it is as fast as promised."""
    config = load_config()
    say_one_row(config)
    with serving(config.lakehouse) as server:
        start_cpu_s, idle_mb = server.cpu_s, server.rss_mb
        measure_load(server, 2)
        full = measure_load(server, seconds)
        half = measure_load(server, seconds, pause_ms=round(2000 * CONNECTIONS / full.per_second))
        rows_per_s = measure_batches(server)
        table = Table("one worker, one core", "", "", title="The service")
        table.add_row(
            "cold start, to ready",
            f"{server.start_s:.1f} s, {start_cpu_s:.1f} s of it processor time",
            f"{START_PROMISED_S:g} s {holds(server.start_s <= START_PROMISED_S)}",
        )
        table.add_row(
            "memory, ready",
            f"{idle_mb:,.0f} MB",
            f"{PROMISED_MB:,} MB {holds(idle_mb <= PROMISED_MB)}",
        )
        verdict = holds(is_fast(full))
        table.add_row(
            f"/predict, as many as it can ({CONNECTIONS} connections)",
            f"{full.per_second:,.0f}/s, p99 {full.p99_ms:.1f} ms, {full.n_failed} failed",
            f"{PROMISED_PER_S:,}/s {verdict}",
        )
        table.add_row(
            "  processor time of one request",
            f"{full.cpu_us:,.0f} µs, so {1e6 / full.cpu_us:,.0f}/s of a core all its own",
            "",
        )
        table.add_row(
            "/predict, about half of that",
            f"{half.per_second:,.0f}/s, p50 {half.p50_ms:.1f} ms, p99 {half.p99_ms:.1f} ms, "
            f"{half.n_failed} failed",
            f"p99 {P99_PROMISED_MS:g} ms {holds(is_prompt(half))}",
        )
        table.add_row(
            f"/predict/batch, Arrow, {BATCH_ROWS:,} rows",
            f"{rows_per_s:,.0f} rows/s",
            f"{BATCH_PROMISED_PER_S:,}/s {holds(rows_per_s >= BATCH_PROMISED_PER_S)}",
        )
        end_mb = server.rss_mb
        table.add_row(
            "memory, afterwards",
            f"{end_mb:,.0f} MB",
            f"{PROMISED_MB:,} MB {holds(end_mb <= PROMISED_MB)}",
        )
        console.print(table)


if __name__ == "__main__":
    typer.run(main)
