"""Minutes of trouble for the service: `LAKEHOUSE=dir python -m bench.soak`.

Users are asked about without a pause while the champion is swapped to and fro, bodies are cut,
too large or no JSON, and clients send a byte a second. No answer may be wrong, nothing may crash,
and memory may not grow.
"""

from __future__ import annotations

import json
import random
import shutil
import socket
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from rich.console import Console

from bench.load import make_rows
from bench.promises import holds, judged
from bench.server import Server, is_ready, serving
from churn_spark.config import Config, load_config
from churn_spark.contracts.champion import POINTER
from churn_spark.lakehouse.tables import Lakehouse
from churn_spark.models.bundle import ModelBundle
from churn_spark.models.calibration import Calibration
from churn_spark.runtime.session import build_session
from churn_spark.serving.predictor import build_predictor
from churn_spark.serving.published import PublishedChampion
from churn_spark.stores.champion import publish_champion

N_USERS, ASKERS, SWAP_S, SHIFT = 200, 4, 5.0, 0.7
# Of the probability: what two ways of adding up the same trees may differ by.
TOLERANCE, GROWTH = 1e-9, 1.1
TOO_LARGE = 20_000_000
console = Console(width=110)


@dataclass
class Findings:
    """What has been seen so far; written to by all threads.

    Attributes:
        answers: status -> how many.
        wrong: answers that no champion gives, and refusals that should have been others.
        versions: that have answered.
        memory: of the service, in MiB, each second.
    """

    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    memory: list[float] = field(default_factory=list)

    @property
    def are_right(self) -> bool:
        """Whether both champions have answered, and none wrongly."""
        return not self.wrong and {"1", "2"} <= {*self.versions}


@dataclass(frozen=True)
class Known:
    """The users that are asked about, and what each version says of them."""

    bodies: list[bytes]
    probabilities: dict[str, np.ndarray[Any, Any]]


def prepare(source: str, target: Path) -> tuple[list[bytes], Known]:
    """A lakehouse with the source's scores and two champions to swap; gives their pointers too.

    One is the source's, the other the same one calibrated otherwise.
    """
    config = load_config(overrides=[f"lakehouse={source}"])
    shutil.copytree(Path(source) / "ml" / "scores", target / "ml" / "scores")
    reader = PublishedChampion(source)
    champion = replace(reader.load(reader.newest()), version="1")
    bundles = (champion, replace(shift(champion), version="2"))
    pointers = publish_all(bundles, config, target)
    rows = make_rows(N_USERS)[list(champion.encoding.features)]
    records: list[dict[str, Any]] = json.loads(rows.to_json(orient="records"))
    known = {}
    for bundle in bundles:
        predictor = build_predictor(bundle, config.scoring, {})
        known[bundle.version] = np.array([predictor.predict_one(record) for record in records])
    return pointers, Known([json.dumps(record).encode() for record in records], known)


def publish_all(bundles: Sequence[ModelBundle], config: Config, target: Path) -> list[bytes]:
    """Publish two bundles, which keeps the files of both; gives the pointer to each."""
    session = build_session(config.spark, "soak")
    pointers = []
    try:
        for bundle in bundles:
            publish_champion(Lakehouse(session, str(target)), bundle, {})
            pointers.append((target / POINTER).read_bytes())
    finally:
        session.stop()
    return pointers


def shift(champion: ModelBundle) -> ModelBundle:
    """The same trees, calibrated otherwise, and the training rows as it sees them."""
    calibration = Calibration("shift", (SHIFT,))
    matrix = champion.baseline[list(champion.encoding.features)].to_numpy(dtype=float)
    probabilities = calibration.probabilities(champion.margins(matrix))
    baseline = champion.baseline.assign(churn_probability=probabilities)
    return replace(champion, calibration=calibration, baseline=baseline)


def ask(server: Server, known: Known, findings: Findings, seed: int) -> None:
    """Ask about one user after the other; each answer must be that of the version it names."""
    rng = random.Random(seed)
    with client_of(server) as client:
        while not _STOP.is_set():
            number = rng.randrange(N_USERS)
            answer = client.post("/predict", content=known.bodies[number])
            findings.answers[f"predict {answer.status_code}"] += 1
            if answer.status_code != httpx.codes.OK:
                findings.wrong.append(f"predict {answer.status_code}: {answer.text[:200]}")
                continue
            said = answer.json()
            findings.versions[said["model_version"]] += 1
            expected = known.probabilities[said["model_version"]][number]
            if not abs(said["churn_probability"] - expected) <= TOLERANCE:
                findings.wrong.append(f"user {number}: {said}, expected {expected}")


def swap(pointers: Sequence[bytes], folder: Path, findings: Findings) -> None:
    """Make the other version champion, again and again."""
    part = folder / "next.json"
    for pointer in cycle(pointers):
        if _STOP.wait(SWAP_S):
            return
        part.write_bytes(pointer)
        part.replace(folder / POINTER)
        findings.answers["champion swapped"] += 1


def spoil(server: Server, known: Known, findings: Findings) -> None:
    """Send what is no request: each must be refused, with a 4xx that fits."""
    rng = random.Random(9)
    with client_of(server) as client:
        while not _STOP.wait(0.05):
            body = rng.choice(known.bodies)
            kind, content, status = rng.choice(
                [
                    ("cut", body[: rng.randrange(1, len(body))], httpx.codes.UNPROCESSABLE_ENTITY),
                    ("noise", rng.randbytes(300), httpx.codes.UNPROCESSABLE_ENTITY),
                    ("list", b"[1, 2", httpx.codes.UNPROCESSABLE_ENTITY),
                    ("unknown", b'{"shoe_size": 43}', httpx.codes.UNPROCESSABLE_ENTITY),
                ]
            )
            refuse(client, findings, kind, content, status)


def overload(server: Server, findings: Findings) -> None:
    """Send bodies beyond the limit."""
    with client_of(server) as client:
        while not _STOP.wait(2.0):
            too_much = b" " * TOO_LARGE
            refuse(client, findings, "too large", too_much, httpx.codes.REQUEST_ENTITY_TOO_LARGE)


def refuse(
    client: httpx.Client, findings: Findings, kind: str, content: bytes, status: int
) -> None:
    """Send a body that must be refused with a status."""
    try:
        answer = client.post("/predict", content=content)
    except httpx.TransportError:
        # The service may hang up on a client that goes on sending after its refusal.
        findings.answers[f"{kind}: hung up"] += 1
        return
    findings.answers[f"{kind} {answer.status_code}"] += 1
    if answer.status_code != status:
        findings.wrong.append(f"{kind}: {answer.status_code}, expected {status}")


def dawdle(server: Server, findings: Findings) -> None:
    """Open a request and send a byte a second; others must not wait for it."""
    address = httpx.URL(server.address)
    while not _STOP.is_set():
        with socket.create_connection((address.host, address.port)) as slow:
            slow.sendall(
                f"POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.key}\r\n"
                "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n".encode()
            )
            for _ in range(60):
                if _STOP.wait(1.0):
                    return
                try:
                    slow.sendall(b" ")
                except OSError:
                    findings.answers["slow: hung up"] += 1
                    break


def watch(server: Server, findings: Findings) -> None:
    """Write down how much memory the service has."""
    while not _STOP.wait(1.0):
        findings.memory.append(server.rss_mb)


def client_of(server: Server) -> httpx.Client:
    """A client with the key."""
    headers = {"Authorization": f"Bearer {server.key}", "Content-Type": "application/json"}
    return httpx.Client(base_url=server.address, headers=headers, timeout=60)


_STOP = threading.Event()


@judged
def main(minutes: Annotated[float, typer.Option(help="How long.")] = 10.0) -> None:
    """Trouble the service and say whether it has answered rightly all the time."""
    folder = Path(tempfile.mkdtemp(prefix="churn_spark-"))
    findings = Findings()
    try:
        pointers, known = prepare(load_config().lakehouse, folder)
        with serving(str(folder)) as server:
            work: list[Callable[[], None]] = [
                *(partial(ask, server, known, findings, seed) for seed in range(ASKERS)),
                partial(swap, pointers, folder, findings),
                partial(spoil, server, known, findings),
                partial(overload, server, findings),
                *(partial(dawdle, server, findings) for _ in range(20)),
                partial(watch, server, findings),
            ]
            with ThreadPoolExecutor(len(work)) as threads:
                running = [threads.submit(one) for one in work]
                try:
                    _STOP.wait(minutes * 60)
                finally:
                    _STOP.set()
                for one in running:
                    one.result()
            is_alive = is_ready(server.address)
    finally:
        shutil.rmtree(folder)
    say(findings, is_alive)


def say(findings: Findings, is_alive: bool) -> None:
    """Print what was seen, and what was promised."""
    for name, count in sorted(findings.answers.items()):
        console.print(f"  {name}: {count:,}")
    for wrong in findings.wrong[:5]:
        console.print(f"  [red]{wrong}[/]")
    memory = findings.memory
    quarter = len(memory) // 4
    early, late = max(memory[quarter : 2 * quarter]), max(memory[-quarter:])
    versions = ", ".join(f"{name}: {n:,}" for name, n in sorted(findings.versions.items()))
    console.print(
        f"No wrong answer among {sum(findings.answers.values()):,} (by version {versions}): "
        f"{holds(findings.are_right)}; alive at the end: {holds(is_alive)}; memory {early:.0f} MB "
        f"in the second quarter, {late:.0f} MB in the last (at most {GROWTH:g} times: "
        f"{holds(late <= GROWTH * early)})"
    )


if __name__ == "__main__":
    typer.run(main)
