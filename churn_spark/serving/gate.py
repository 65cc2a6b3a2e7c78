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
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from churn_spark.config import ServingConfig
from churn_spark.errors import RequestError
from churn_spark.serving.keys import EVERYBODY, ApiKey
from churn_spark.serving.limits import TokenBuckets
from churn_spark.serving.logs import AccessLog
from churn_spark.serving.page_parts import CONTENT_SECURITY_POLICY, sign_in_page
from churn_spark.serving.service import Service

OPEN: Final = frozenset({"/health", "/ready"})
SIGN_IN, SIGN_OUT = "/sign-in", "/sign-out"
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
    """

    started: float = field(default_factory=time.perf_counter)
    key: ApiKey | None = None
    form_token: str = ""
    status: int = 0
    n_received: int = 0


# Too large or too slow: the rest of the body is not waited for.
_UNFINISHED = (413, 503)


class Gate:
    """The service as its server sees it."""

    def __init__(self, app: ASGIApp, service: Service, access_log: AccessLog) -> None:
        """Stand before the app of a service."""
        self._app, self._access_log = app, access_log
        self._config: ServingConfig = service.config.serving
        self._ring, self._sessions, self._figures = service.ring, service.sessions, service.figures
        self._buckets = TokenBuckets(self._config.requests_per_second, self._config.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request pass, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        admission = Admission()
        scope["admission"] = admission

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                admission.status = message["status"]
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        try:
            self._admit(scope, admission)
            async with asyncio.timeout(self._config.max_seconds):
                await self._app(scope, self._counted(receive, admission), sending)
        except RequestError as error:
            await _answer(scope, error, sending)
        except TimeoutError:
            if not admission.status:
                text = f"no answer within {self._config.max_seconds:g} s: send less at once"
                await _answer(scope, RequestError(text, 503), sending)
        except ClientDisconnect:
            pass
        except Exception:
            _log.exception("a request failed")
            if not admission.status:
                await _answer(
                    scope, RequestError("an unexpected error; it is logged", 500), sending
                )
        finally:
            self._keep(scope, admission)

    def _admit(self, scope: Scope, admission: Admission) -> None:
        path = scope["path"]
        if path in OPEN:
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        size = headers.get(b"content-length", b"0")
        if not size.isdigit() or int(size) > self._config.max_body_bytes:
            raise self._too_large()
        if path == SIGN_IN and scope["method"] == "POST":
            refuse_other_sites(headers)
            return
        admission.key, admission.form_token = self._identify(scope, headers)
        needed = "predict" if path.startswith("/predict") else "read"
        if needed not in admission.key.scopes:
            raise RequestError(f"this key has no scope {needed!r}", 403)
        if wait := self._buckets.take(admission.key.name):
            text = "too many requests with this key: slow down"
            raise RequestError(text, 429, retry_after=math.ceil(wait))

    def _identify(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[ApiKey, str]:
        if not self._config.require_key:
            return EVERYBODY, ""
        if presented := _presented(headers):
            if key := self._ring.find(presented):
                return key, ""
        # A browser sends its cookie by itself: it opens what only reads, and leaves.
        elif b"cookie" in headers and (scope["method"] == "GET" or scope["path"] == SIGN_OUT):
            refuse_other_sites(headers)
            if signed_in := self._sessions.read(headers[b"cookie"].decode("latin-1")):
                return signed_in
        raise RequestError("no valid key: send it as `Authorization: Bearer KEY`", 401)

    def _counted(self, receive: Receive, admission: Admission) -> Receive:
        limit = self._config.max_body_bytes

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                admission.n_received += len(message.get("body", b""))
                if admission.n_received > limit:
                    raise self._too_large()
            return message

        return receiving

    def _too_large(self) -> RequestError:
        return RequestError(
            f"the body is larger than {self._config.max_body_bytes:,} bytes: send less at once", 413
        )

    def _keep(self, scope: Scope, admission: Admission) -> None:
        # The route's pattern and not the path: a path may hold a user's id.
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.perf_counter() - admission.started
        self._figures.count(route, admission.status, seconds)
        self._access_log.line(
            method=scope["method"],
            route=route,
            status=admission.status,
            ms=round(seconds * 1000, 2),
            bytes=admission.n_received,
            key=admission.key.name if admission.key else "",
        )


def refuse_other_sites(headers: dict[bytes, bytes]) -> None:
    """Refuse what another site's page makes a browser send.

    Raises:
        RequestError: with status 403.
    """
    origin = headers.get(b"origin", b"").decode("latin-1")
    host = headers.get(b"host", b"").decode("latin-1")
    if origin and urlsplit(origin).netloc != host:
        raise RequestError("the request comes from another site's page", 403)


def _presented(headers: dict[bytes, bytes]) -> str:
    kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return key.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1")


async def _answer(scope: Scope, error: RequestError, send: Send) -> None:
    is_page = error.status in (401, 403) and b"text/html" in dict(scope["headers"]).get(
        b"accept", b""
    )
    if is_page:
        body, kind = (
            sign_in_page(str(error) if error.status == 403 else ""),
            b"text/html; charset=utf-8",
        )
    else:
        body, kind = error_body(error), b"application/json"
    length = str(len(body)).encode()
    headers: list[tuple[bytes, bytes]] = [(b"content-type", kind), (b"content-length", length)]
    headers += error_headers(error)
    if error.status in _UNFINISHED:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def error_body(error: RequestError) -> bytes:
    """What went wrong as JSON: `detail`, and `problems` where there are several."""
    answer: dict[str, object] = {"detail": str(error)}
    if error.problems:
        answer["problems"] = list(error.problems)
    return json.dumps(answer).encode()


def error_headers(error: RequestError) -> Iterable[tuple[bytes, bytes]]:
    """How to come in, or when to come again."""
    if error.status == 401:
        yield b"www-authenticate", b"Bearer"
    if error.retry_after:
        yield b"retry-after", str(error.retry_after).encode()
