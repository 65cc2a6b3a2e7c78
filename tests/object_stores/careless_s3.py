"""An object store that doesn't look at the condition of a put: `careless_s3.py PORT`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

_store = DomainDispatcherApplication(create_backend_app)


def answer(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer a request as if it had no condition."""
    request.pop("HTTP_IF_NONE_MATCH", None)
    answered: Iterable[bytes] = _store(request, start)
    return answered


if __name__ == "__main__":
    run_simple("127.0.0.1", int(sys.argv[1]), answer, threaded=True)
