"""How fast the service answers: `LAKEHOUSE=dir python -m bench.serve`.

One worker on one core, the load on another, against the champion and scores of the lakehouse
(`make demo` makes one). Needs `wrk`. Takes about a minute.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from bench.promises import holds
from churn_spark.config import Config, load_config
from churn_spark.contracts.features.spec import FEATURES
from churn_spark.serving import contract
from churn_spark.serving.batches import ARROW
from churn_spark.serving.keys import ENVIRONMENT
from churn_spark.serving.predictor import build_predictor
from churn_spark.serving.published import PublishedChampion

SERVER_CORE, LOAD_CORE = 0, 1
CONNECTIONS = 16
PROMISED_PER_S = 1500
START_PROMISED_S, PROMISED_MB = 3.0, 350
BATCH_ROWS, BATCHES = 10_000, 10
BATCH_PROMISED_PER_S, P99_PROMISED_MS = 200_000, 10.0
ONE_BY_ONE = 2000
START_LIMIT_S = 60
console = Console(width=100)

_SCRIPT = """
wrk.method = "POST"
wrk.body = [[{body}]]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {key}"
local pause = {pause_ms}
if pause > 0 then
  function delay() return math.random(0, 2 * pause) end
end
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Load:
    """What `wrk` has measured.

    Attributes:
        per_second: requests answered.
        p50_ms: half of them were answered within this.
        p99_ms: 99 % were.
        n_failed: answers that were no 200, and connections that broke.
        cpu_us: processor time of the service per request: what is left of other load.
    """

    per_second: float
    p50_ms: float
    p99_ms: float
    n_failed: int
    cpu_us: float


@dataclass(frozen=True)
class Server:
    """A service in a process of its own.

    Attributes:
        address: where it answers.
        key: that it asks for.
        pid: of the process.
        start_s: from its start to the first ready answer.
    """

    address: str
    key: str
    pid: int
    start_s: float

    @property
    def cpu_s(self) -> float:
        """Processor time that the process has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mb(self) -> float:
        """Memory that the process holds now, in MiB."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024


@contextmanager
def serving(lakehouse: str) -> Iterator[Server]:
    """Start the service on one core and wait until it is ready; stop it afterwards.

    Raises:
        SystemExit: if it isn't ready within a minute.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    key, address = secrets.token_urlsafe(32), f"http://127.0.0.1:{port}"
    unlimited = ("serving.requests_per_second=1000000", "serving.burst=1000000")
    # Scores of any age will do.
    settings = (*unlimited, f"serving.port={port}", "serving.max_scores_age_hours=1000000")
    command = [sys.executable, "-m", "jobs.serve"]
    command += [part for setting in settings for part in ("--set", setting)]
    environment = {**os.environ, ENVIRONMENT: key, "LAKEHOUSE": lakehouse}
    started = time.monotonic()
    with (
        tempfile.TemporaryFile() as said,
        subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env=environment,
        ) as process,
    ):
        try:
            while not is_ready(address):
                if process.poll() is not None or time.monotonic() - started > START_LIMIT_S:
                    said.seek(0)
                    raise SystemExit(f"the service is not ready:\n{said.read().decode()}")
                time.sleep(0.02)
            yield Server(address, key, process.pid, time.monotonic() - started)
        finally:
            process.terminate()


def is_ready(address: str) -> bool:
    """Whether the service says that it is."""
    try:
        return httpx.get(f"{address}/ready").status_code == 200
    except httpx.TransportError:
        return False


def measure_load(server: Server, seconds: int, pause_ms: int = 0) -> Load:
    """Whole rows to `/predict`, from the other core.

    Args:
        server: to ask.
        seconds: how long.
        pause_ms: mean pause of a connection between its requests; 0 asks as fast as it can.
    """
    body = json.dumps(contract.EXAMPLE)
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT.format(body=body, key=server.key, pause_ms=pause_ms))
        script.flush()
        command = ["taskset", "-c", str(LOAD_CORE), "wrk", "--latency", "-t1", f"-c{CONNECTIONS}"]
        command += [f"-d{seconds}s", "-s", script.name, f"{server.address}/predict"]
        before = server.cpu_s
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return read_wrk(said, server.cpu_s - before)


def read_wrk(said: str, cpu_s: float) -> Load:
    """What `wrk --latency` has printed."""

    def milliseconds(percentile: str) -> float:
        value, unit = re.findall(rf"{percentile}%\s+([\d.]+)(us|ms|s)", said)[0]
        return float(value) * _UNITS[unit]

    failed = re.findall(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.findall(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said
    )
    return Load(
        float(re.findall(r"Requests/sec:\s+([\d.]+)", said)[0]),
        milliseconds("50"),
        milliseconds("99"),
        sum(map(int, failed)) + sum(int(one) for errors in broken for one in errors),
        cpu_s / int(re.findall(r"(\d+) requests in", said)[0]) * 1e6,
    )


def make_rows(n: int) -> pd.DataFrame:
    """Rows with every feature, all different."""
    rng = np.random.default_rng(0)
    columns = {}
    for feature in FEATURES:
        if feature.data_type == "string":
            columns[feature.name] = rng.choice(["paid", "free", "F", "M", "CA", "NY", "Mac"], n)
        elif feature.data_type == "long":
            columns[feature.name] = rng.integers(0, 500, n)
        else:
            values = rng.gamma(1.5, 40.0, n)
            columns[feature.name] = values if feature.bounds[1] is None else values / values.max()
    return pd.DataFrame(columns)


def measure_batches(server: Server) -> float:
    """Rows per second of whole Arrow batches, answered in Arrow."""
    table = pa.Table.from_pandas(make_rows(BATCH_ROWS), preserve_index=False)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    kinds = {"content-type": ARROW, "accept": ARROW, "authorization": f"Bearer {server.key}"}
    with httpx.Client(base_url=server.address, headers=kinds, timeout=60) as client:

        def ask() -> None:
            answer = client.post("/predict/batch", content=sink.getvalue()).raise_for_status()
            probabilities = pa.ipc.open_stream(answer.content).read_all()["churn_probability"]
            if probabilities.null_count or len(probabilities) != BATCH_ROWS:
                raise SystemExit("the service has left out rows of the batch")

        ask()
        started = time.monotonic()
        for _ in range(BATCHES):
            ask()
        return BATCHES * BATCH_ROWS / (time.monotonic() - started)


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
        verdict = holds(full.per_second >= PROMISED_PER_S)
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
            f"p99 {P99_PROMISED_MS:g} ms {holds(half.p99_ms <= P99_PROMISED_MS)}",
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
