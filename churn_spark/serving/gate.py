"""What every request passes before the routes: key, scope, rate, size, time; and what is kept.

Written against ASGI itself: it stands outside everything, so that nothing is answered without
it, and it costs microseconds.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churn_spark.config import ServingConfig
from churn_spark.errors import RequestError
from churn_spark.serving.keys import EVERYBODY, ApiKey
from churn_spark.serving.limits import TokenBuckets
from churn_spark.serving.logs import AccessLog
from churn_spark.serving.page_parts import CONTENT_SECURITY_POLICY, sign_in_page
from churn_spark.serving.requests import path_here, request_id, trace_id
from churn_spark.serving.service import Service
from churn_spark.serving.visitors import (
    Headers,
    peer_of,
    presented_key,
    refuse_other_names,
    refuse_other_sites,
)

OPEN: Final = frozenset({"/health", "/ready", "/ping", "/v2/health/live", "/v2/health/ready"})
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
_LARGE: Final = frozenset({"/predict/batch", "/predict/events", "/invocations"})
_PREDICTING: Final = ("/predict", "/v2", "/invocations")
_READING: Final = ("GET", "HEAD")
_HEADERS: Final = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_log = logging.getLogger(__name__)


@dataclass
class Admission:
    """One request on its way through.

    Attributes:
        key: who asks; None before that is known, and at the open paths.
        form_token: what a form of a signed-in page must send back; empty without a cookie.
        status: of the answer; 0 while there is none.
        max_bytes: that its body may have.
        n_received: bytes of its body so far.
        request_id: the caller's, or a new one.
        trace_id: of the caller's trace; empty without one.
    """

    started: float = field(default_factory=time.perf_counter)
    key: ApiKey | None = None
    form_token: str = ""
    status: int = 0
    max_bytes: int = 0
    n_received: int = 0
    request_id: str = ""
    trace_id: str = ""


# Too large or too slow: the rest of the body is not waited for.
_UNFINISHED = (413, 503)
_LATER_S = 1


class Gate:
    """The service as its server sees it."""

    def __init__(self, app: ASGIApp, service: Service, access_log: AccessLog) -> None:
        """Stand before the app of a service."""
        self._app, self._access_log = app, access_log
        self._config: ServingConfig = service.config.serving
        self._service, self._sessions, self._figures = service, service.sessions, service.figures
        self._buckets = TokenBuckets(self._config.requests_per_second, self._config.burst)
        self._names = {name.lower() for name in (*self._config.allowed_hosts, self._config.host)}
        self._n_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request pass, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        admission = Admission(request_id=request_id(headers), trace_id=trace_id(headers))
        root = self._config.root_path
        path = path_here(scope, root)
        inner = {**scope, "admission": admission, "root_path": root, "path": root + path}
        # What may be read may be asked about; the server leaves out the body of the answer.
        inner["method"] = "GET" if scope["method"] == "HEAD" else scope["method"]
        known_as = (b"x-request-id", admission.request_id.encode())

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                admission.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS, known_as]}
            await send(message)

        try:
            self._admit(scope, path, headers, admission)
            async with asyncio.timeout(self._config.max_seconds):
                await self._app(inner, self._counted(receive, admission), sending)
        except RequestError as error:
            await _answer(inner, error, sending)
        except TimeoutError:
            if not admission.status:
                text = f"no answer within {self._config.max_seconds:g} s: send less at once"
                await _answer(inner, RequestError(text, 503), sending)
        except ClientDisconnect:
            pass
        except Exception:
            _log.exception("a request failed")
            if not admission.status:
                await _answer(
                    inner, RequestError("an unexpected error; it is logged", 500), sending
                )
        finally:
            self._n_bytes -= admission.n_received
            self._keep(inner, admission, scope["method"])

    def _admit(self, scope: Scope, path: str, headers: Headers, admission: Admission) -> None:
        config = self._config
        is_large = path in _LARGE or (path.startswith("/v2/") and path.endswith("/infer"))
        admission.max_bytes = config.max_body_bytes if is_large else config.max_row_bytes
        if path in OPEN:
            return
        if not config.require_key:
            refuse_other_names(headers, self._names)
        size = headers.get(b"content-length", b"0")
        if not size.isdigit() or int(size) > admission.max_bytes:
            raise _too_large(admission)
        if path == SIGN_IN and scope["method"] == "POST":
            refuse_other_sites(headers)
            return
        admission.key, admission.form_token = self._identify(scope, path, headers)
        coding = headers.get(b"content-encoding", b"identity").decode("latin-1").lower()
        if coding != "identity":
            text = f"found a body in content-encoding {coding[:20]!r}, expected it as it is"
            raise RequestError(text, 415)
        needed = "predict" if path.startswith(_PREDICTING) else "read"
        if needed not in admission.key.scopes:
            raise RequestError(f"this key has no scope {needed!r}", 403)
        if wait := self._buckets.take(admission.key.name):
            text = "too many requests with this key: slow down"
            raise RequestError(text, 429, retry_after=math.ceil(wait))

    def _identify(self, scope: Scope, path: str, headers: Headers) -> tuple[ApiKey, str]:
        if not self._config.require_key:
            return EVERYBODY, ""
        if presented := presented_key(headers):
            if key := self._service.ring.find(presented):
                return key, ""
        # A browser sends its cookie by itself: it opens what only reads, and leaves.
        elif b"cookie" in headers and (scope["method"] in _READING or path == SIGN_OUT):
            refuse_other_sites(headers)
            if signed_in := self._sessions.read(headers[b"cookie"].decode("latin-1")):
                return signed_in
        self._service.strangers.refuse(peer_of(scope))
        raise RequestError("no valid key: send it as `Authorization: Bearer KEY`", 401)

    def _counted(self, receive: Receive, admission: Admission) -> Receive:
        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                n_new = len(message.get("body", b""))
                admission.n_received += n_new
                self._n_bytes += n_new
                if admission.n_received > admission.max_bytes:
                    raise _too_large(admission)
                if self._n_bytes > self._config.max_bodies_bytes:
                    text = "too many large bodies at once: send this one again"
                    raise RequestError(text, 503, retry_after=_LATER_S)
            return message

        return receiving

    def _keep(self, scope: Scope, admission: Admission, method: str) -> None:
        # The route's pattern and not the path: a path may hold a user's id.
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.perf_counter() - admission.started
        self._figures.count(route, admission.status, seconds)
        self._access_log.line(
            method=method,
            route=route,
            status=admission.status,
            ms=round(seconds * 1000, 2),
            bytes=admission.n_received,
            key=admission.key.name if admission.key else "",
            request_id=admission.request_id,
            trace_id=admission.trace_id,
        )


def _too_large(admission: Admission) -> RequestError:
    text = f"the body is larger than {admission.max_bytes:,} bytes: send less at once"
    return RequestError(text, 413)


async def _answer(scope: Scope, error: RequestError, send: Send) -> None:
    is_page = error.status in (401, 403) and b"text/html" in dict(scope["headers"]).get(
        b"accept", b""
    )
    if is_page:
        body, kind = (
            sign_in_page(scope["root_path"], str(error) if error.status == 403 else ""),
            b"text/html; charset=utf-8",
        )
    else:
        body, kind = error_body(error, scope), b"application/json"
    length = str(len(body)).encode()
    headers: list[tuple[bytes, bytes]] = [(b"content-type", kind), (b"content-length", length)]
    headers += error_headers(error)
    if error.status in _UNFINISHED:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_body(error: RequestError, scope: Scope) -> bytes:
    """What went wrong as JSON: `detail`, and `problems` where there are several.

    Beside them what the protocols of others call it.
    """
    answer: dict[str, object] = {"detail": str(error)}
    path = scope["path"].removeprefix(scope["root_path"])
    if path.startswith("/v2"):
        answer["error"] = str(error)
    elif path == "/invocations":
        answer |= {"error_code": "BAD_REQUEST", "message": str(error)}
    if error.problems:
        answer["problems"] = list(error.problems)
    return json.dumps(answer).encode()


def error_headers(error: RequestError) -> Iterable[tuple[bytes, bytes]]:
    """How to come in, or when to come again."""
    if error.status == 401:
        yield b"www-authenticate", b"Bearer"
    if error.status == 415:
        yield b"accept-encoding", b"identity"
    if error.retry_after:
        yield b"retry-after", str(error.retry_after).encode()
