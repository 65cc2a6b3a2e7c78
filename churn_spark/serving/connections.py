"""Who may hold a connection: heads that come in time, a bound for each address, room for others.

A connection costs nothing to open, and all of this happens before any key is known.
"""

from __future__ import annotations

from asyncio import Protocol, TimerHandle
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from churn_spark.config import ServingConfig

MAX_HEAD_BYTES: Final = 65536
_MAX_PIPELINED: Final = 16


@dataclass
class Door:
    """The connections of one server.

    Attributes:
        config: with the limits.
        waiting: those without a request under way, the one that waits longest first.
        by_peer: connections of each address.
    """

    config: ServingConfig
    waiting: dict[PatientProtocol, None] = field(default_factory=dict)
    by_peer: Counter[str] = field(default_factory=Counter)

    def make_room(self, newest: PatientProtocol) -> bool:
        """Whether there is room for one more: who waits longest for a request gives way.

        Of the newest one's own address where that holds too many, else of the address that holds
        most.
        """
        peer = newest.peer
        if self.by_peer[peer] > self.config.max_peer_connections:
            return self._close_oldest(peer)
        # The server answers 503 from the limit on.
        if len(newest.connections) >= self.config.max_connections:
            self._close_oldest(max(self.by_peer, key=self.by_peer.__getitem__))
        return True

    def _close_oldest(self, peer: str) -> bool:
        found = next((one for one in self.waiting if one.peer == peer), None)
        if found is not None:
            found.give_way()
        return found is not None


class PatientProtocol(HttpToolsProtocol):
    """A connection that is given so much time, and so much room, to say what it wants."""

    peer = ""
    _door: Door
    _timer: TimerHandle | None = None
    _n_head_bytes = 0
    _is_in_head = _is_in_body = False

    def connection_made(self, transport: Any) -> None:
        """Let the connection in, and wait for a head."""
        super().connection_made(transport)
        self.peer = self.client[0] if self.client else ""
        self._door.by_peer[self.peer] += 1
        if not self._door.make_room(self):
            self.give_way()
            return
        self._door.waiting[self] = None
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        super().connection_lost(exc)
        self._stop_timer()
        self._door.waiting.pop(self, None)
        self._door.by_peer[self.peer] -= 1
        if not self._door.by_peer[self.peer]:
            del self._door.by_peer[self.peer]

    def data_received(self, data: bytes) -> None:
        """Read on; a head has its time from its first byte, and may not be endless."""
        # The rest of a body that was refused is no head.
        if self._is_waiting and not self._is_in_body:
            self._n_head_bytes += len(data)
        super().data_received(data)
        if not self._is_waiting or self.transport.is_closing():
            return
        if self._n_head_bytes > MAX_HEAD_BYTES:
            self.transport.write(STATUS_LINE[431] + b"connection: close\r\n\r\n")
            self.transport.close()
        elif self._timer is None:
            self._start_timer()

    def on_message_begin(self) -> None:
        """The first byte of a head has come, perhaps while the request before is answered."""
        self._is_in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Begin with a request.

        Raises:
            ValueError: if too many of them wait behind each other; the server answers 400.
        """
        if len(self.pipeline) >= _MAX_PIPELINED:
            raise ValueError("too many requests at once")
        self._stop_timer()
        self._n_head_bytes, self._is_in_head, self._is_in_body = 0, False, True
        self._door.waiting.pop(self, None)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body has come to its end."""
        self._is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        if self._is_waiting and self in self.connections:
            self._door.waiting[self] = None
            if self._is_in_head and self._timer is None:
                self._start_timer()

    def give_way(self) -> None:
        """Close at once, whatever is still to be sent."""
        self.connections.discard(self)
        self._door.waiting.pop(self, None)
        self.transport.abort()

    @property
    def _is_waiting(self) -> bool:
        return self.cycle is None or (self.cycle.response_complete and not self.pipeline)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self._door.config.head_seconds, self.give_way)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def build_protocol(config: ServingConfig) -> type[Protocol]:
    """The protocol of one server's connections, which share a door."""
    shared: dict[str, Any] = {"_door": Door(config)}
    return type("Connection", (PatientProtocol,), shared)
