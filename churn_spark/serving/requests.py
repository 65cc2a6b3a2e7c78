"""What a request says of itself: its path here, its id, and the trace that it is part of."""

from __future__ import annotations

import re
import uuid
from typing import Final

from starlette.types import Scope

from churn_spark.serving.visitors import Headers

# Nothing that could break a line of the log, or be taken for something else there.
_ID: Final = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
# https://www.w3.org/TR/trace-context/#traceparent-header; all zeros name no trace.
_TRACE: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(-.*)?"
)


def path_here(scope: Scope, root_path: str) -> str:
    """The path below the proxy's one, whether or not the proxy has cut that off; without a last /.

    Args:
        scope: of the request.
        root_path: under which a proxy shows the service; may be empty.
    """
    path: str = scope["path"]
    # A coded slash at the end belongs to an id.
    if scope.get("raw_path", path.encode()).endswith(b"/"):
        path = path.rstrip("/")
    if root_path and (path + "/").startswith(root_path + "/"):
        path = path[len(root_path) :]
    return path or "/"


def request_id(headers: Headers) -> str:
    """The caller's `X-Request-Id`, or a new one where there is none that a log can hold."""
    given = headers.get(b"x-request-id", b"")
    return given.decode() if _ID.fullmatch(given) else uuid.uuid4().hex


def trace_id(headers: Headers) -> str:
    """The trace of `traceparent`; empty where there is none."""
    found = _TRACE.fullmatch(headers.get(b"traceparent", b""))
    return found[1].decode() if found else ""
