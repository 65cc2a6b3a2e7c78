"""Real local HTTP servers that take notices, willing and not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Answers with the given codes in turn, the last one for ever, and keeps what it got."""

    def __init__(self, codes: list[int], seconds: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.codes, self.seconds = codes, seconds
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.url = f"http://127.0.0.1:{self.server_port}/hook"
        self.elsewhere = ""


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((dict(self.headers), body))
        time.sleep(self.server.seconds)
        self.send_response(self.server.codes[min(len(self.server.got), len(self.server.codes)) - 1])
        if self.server.elsewhere:
            self.send_header("Location", self.server.elsewhere)
        self.end_headers()

    def do_GET(self) -> None:
        self.server.got.append((dict(self.headers), b""))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Stay quiet."""


@contextmanager
def started(codes: list[int], seconds: float = 0.0) -> Iterator[Receiver]:
    """A receiver that answers until the block ends."""
    receiver = Receiver(codes, seconds)
    threading.Thread(target=receiver.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        receiver.server_close()
