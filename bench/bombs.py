"""What the service makes of small requests that want to become large.

`LAKEHOUSE=dir python -m bench.bombs`, against the champion and scores of the lakehouse. All of
them, one after the other and then eight at a time; meanwhile /health is asked without a pause.
Takes a minute.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
import typer
from rich.console import Console
from rich.table import Table

from bench.bomb_bodies import BOMBS, largest_json
from bench.promises import holds, judged
from bench.server import Server, serving
from churn_spark.config import load_config

PROMISED_MB, PROMISED_MS = 512, 100.0
_AT_ONCE, _HALF_OPEN, _WRONG_KEYS = 8, 300, 300
_PAUSE_S: Final = 0.005
_TITLE: Final = "Small requests, large wishes"
console = Console(width=110)


@dataclass
class Watch:
    """How the service has borne it so far.

    Attributes:
        slowest_ms: answer of /health.
        wrong: answers that are none of those that a refusal may be.
    """

    slowest_ms: float = 0.0
    wrong: list[str] = field(default_factory=list)
    _lately_ms: float = 0.0

    def note(self, ms: float) -> None:
        """One more answer of /health."""
        self.slowest_ms, self._lately_ms = max(self.slowest_ms, ms), max(self._lately_ms, ms)

    def take_slowest(self) -> float:
        """The slowest answer since this was asked."""
        found, self._lately_ms = self._lately_ms, 0.0
        return found


@contextmanager
def watching(server: Server) -> Iterator[Watch]:
    """Ask /health without a pause, on one connection."""
    watch, is_over = Watch(), threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=server.address, timeout=30) as client:
            while not is_over.wait(_PAUSE_S):
                started = time.perf_counter()
                client.get("/health").raise_for_status()
                watch.note((time.perf_counter() - started) * 1000)

    with ThreadPoolExecutor(1) as thread:
        asking = thread.submit(ask)
        try:
            yield watch
        finally:
            is_over.set()
            asking.result()


def send(server: Server, path: str, kind: str, body: bytes) -> str:
    """The status of one request; `hung up` where the service didn't wait for the end of it."""
    headers = {"authorization": f"Bearer {server.key}", "content-type": kind}
    try:
        answer = httpx.post(server.address + path, content=body, headers=headers, timeout=60)
    except httpx.TransportError:
        return "hung up"
    return str(answer.status_code)


def throw_all(server: Server, bodies: Sequence[bytes]) -> Iterator[tuple[str, str]]:
    """Name and status of each bomb."""
    for bomb, body in zip(BOMBS, bodies, strict=True):
        yield bomb.name, send(server, bomb.path, bomb.kind, body)


def throw_at_once(
    server: Server, bodies: Sequence[bytes], honest: bytes
) -> Iterator[tuple[str, str]]:
    """Name and statuses of the largest batch that is none, and of all bombs, eight at a time."""
    batches = [("/predict/batch", "application/json", honest)] * _AT_ONCE
    bombs = [(bomb.path, bomb.kind, body) for bomb, body in zip(BOMBS, bodies, strict=True)]
    for name, several in (("the largest honest batch", batches), ("all of these", bombs)):
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            found = list(threads.map(lambda one: send(server, *one), several))
        yield f"{name}, {_AT_ONCE} at a time", ", ".join(sorted(set(found)))


def knock(server: Server) -> Iterator[tuple[str, str]]:
    """Name and statuses of what needs no key: heads without end, half of them, wrong keys."""
    address = httpx.URL(server.address)

    def connect(text: bytes) -> socket.socket:
        connection = socket.create_connection((address.host, address.port), timeout=30)
        connection.sendall(text)
        return connection

    yield "a head without end", _answer(connect, b"GET / HTTP/1.1\r\nx: " + b"x" * 2**20)
    yield "10,000 requests at once", _answer(connect, b"GET / HTTP/1.1\r\n\r\n" * 10_000)
    with ExitStack() as stack:
        for _ in range(_HALF_OPEN):
            stack.enter_context(connect(b"GET /health HTTP/1.1\r\n"))
        status = httpx.get(f"{server.address}/health").status_code
        yield f"{_HALF_OPEN} half-open connections, and /health on another", str(status)
    wrong = {"authorization": "Bearer wrong"}
    with httpx.Client(base_url=server.address, headers=wrong) as client:
        statuses = [client.get("/list").status_code for _ in range(_WRONG_KEYS)]
    yield f"{_WRONG_KEYS} wrong keys", ", ".join(map(str, sorted(set(statuses))))


def _answer(connect: object, text: bytes) -> str:
    assert callable(connect)
    try:
        with connect(text) as connection:
            return str(connection.recv(64).split(b" ")[1].decode())
    except (OSError, IndexError):
        return "hung up"


def is_refusal(statuses: str) -> bool:
    """Whether none of the statuses says that something broke."""
    return all(one == "hung up" or one < "500" or one == "503" for one in statuses.split(", "))


@judged
def main() -> None:
    """Throw everything, and say how much memory the service took and how long it was silent."""
    # Made before: to make them would keep the one who asks after the service's health.
    bodies, honest = [bomb.body() for bomb in BOMBS], largest_json()
    with serving(load_config().lakehouse) as server, watching(server) as watch:
        table = Table("request", "answered", "memory, ever", "/health", title=_TITLE)
        rows: Sequence[Iterator[tuple[str, str]]] = [
            throw_all(server, bodies), throw_at_once(server, bodies, honest), knock(server)
        ]  # fmt: skip
        for several in rows:
            for name, statuses in several:
                silent = watch.take_slowest()
                table.add_row(name, statuses, f"{server.peak_mb:,.0f} MB", f"{silent:,.0f} ms")
                if not is_refusal(statuses):
                    watch.wrong.append(name)
        peak = server.peak_mb
    console.print(table)
    console.print(
        f"memory at most {peak:,.0f} MB ({PROMISED_MB} MB: {holds(peak <= PROMISED_MB)}); /health "
        f"within {watch.slowest_ms:.0f} ms ({PROMISED_MS:g} ms: "
        f"{holds(watch.slowest_ms <= PROMISED_MS)}); nothing broke: {holds(not watch.wrong)}"
    )


if __name__ == "__main__":
    typer.run(main)
