"""The server around the service: bounded connections, patience, what it warns of at its start."""

from __future__ import annotations

import gc
import logging
import signal
import sys

import uvicorn

from churn_spark.config import ServiceConfig, ServingConfig
from churn_spark.serving.app import build_app
from churn_spark.serving.connections import build_protocol
from churn_spark.serving.gate import Gate
from churn_spark.serving.keys import ENVIRONMENT
from churn_spark.serving.logs import AccessLog, log_to
from churn_spark.serving.service import Service

_GRACE_S = 10
_KEEP_ALIVE_S = 30
_SWITCH_S = 0.001
_log = logging.getLogger(__name__)


def run_service(config: ServiceConfig) -> None:
    """Load the champion and answer requests until SIGTERM or SIGINT.

    Raises:
        UserError: if the configuration, the keys or the champion don't fit.
    """
    # To be stopped is no failure. Without this a container's first process, for which the kernel
    # has no default, would not hear it before the server listens.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    service = Service(config)
    log_to(sys.stderr)
    serve(service)


def serve(service: Service) -> None:
    """Run the server in this process until SIGTERM or SIGINT."""
    _warn_of_keys(service)
    server = uvicorn.Server(build_server_config(service, AccessLog(sys.stdout)))
    config = service.config.serving
    _log.info("answering on http://%s:%s", config.host, config.port)
    # What the libraries have made stays until the end: a collection that walks it again and
    # again holds up a request for tens of milliseconds.
    gc.collect()
    gc.freeze()
    # A thread that reads a large body lets the others have their turn five times as often.
    sys.setswitchinterval(_SWITCH_S)
    server.run()


def build_server_config(service: Service, access_log: AccessLog) -> uvicorn.Config:
    """How the server runs the service: our own log, bounded connections and patience."""
    config: ServingConfig = service.config.serving
    return uvicorn.Config(
        Gate(build_app(service), service, access_log),
        host=config.host,
        port=config.port,
        log_config=None,
        access_log=False,
        server_header=False,
        loop="uvloop",
        http=build_protocol(config),
        ws="none",
        lifespan="on",
        limit_concurrency=config.max_connections,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_GRACE_S,
    )


def _warn_of_keys(service: Service) -> None:
    config = service.config.serving
    if not config.require_key:
        _log.warning("no key is asked for: whoever reaches %s is answered", config.host)
    elif not service.ring.keys:
        _log.warning(
            "no key is known, so only /health and /ready answer: set %s or serving.keys_file "
            "(`churn-spark serve new-key NAME` makes one)",
            ENVIRONMENT,
        )
