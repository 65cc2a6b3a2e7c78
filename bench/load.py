"""Load on a service from the other core, and how it has borne it."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass

import httpx
import numpy as np
import pandas as pd
import pyarrow as pa

from bench.server import Server
from churn_spark.contracts.features.spec import FEATURES
from churn_spark.serving import contract
from churn_spark.serving.batches import ARROW

LOAD_CORE = 1
CONNECTIONS = 16
BATCH_ROWS, BATCHES = 10_000, 10
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
