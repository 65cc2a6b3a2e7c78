"""`python -m churn_spark.serving --port 8000`: the service; `new-key` makes a key for it."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
from typing import Annotated

import typer
import uvicorn

from churn_spark.config import ServingConfig, load_config
from churn_spark.errors import ChurnSparkError
from churn_spark.serving.app import build_app
from churn_spark.serving.gate import Gate
from churn_spark.serving.keys import ENVIRONMENT, MIN_CHARS, SCOPES, Scope, new_key
from churn_spark.serving.logs import AccessLog, log_to
from churn_spark.serving.service import Service

_GRACE_S = 10
_KEEP_ALIVE_S = 30
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_log = logging.getLogger("churn_spark.serving")


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(envvar="CHURN_PORT", help="Default: serving.port.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(envvar="CHURN_HOST", help="Default: serving.host.")
    ] = None,
    env: Annotated[
        str, typer.Option(help="Configuration on top of base: local, cluster.")
    ] = "local",
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="SECTION.KEY=VALUE", help="Override one configuration value."
        ),
    ] = None,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Answer everybody, whoever asks.")
    ] = False,
) -> None:
    """Answer requests until it is told to stop; requests under way are finished first."""
    if context.invoked_subcommand:
        return
    changes = [*(overrides or ())]
    changes += [f"serving.port={port}"] * (port is not None)
    changes += [f"serving.host={host}"] * (host is not None)
    changes += ["serving.require_key=false"] * without_keys
    # To be told to stop is no failure. Without this a container's first process, for which the
    # kernel has no default, would not hear it before the server listens.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        service = Service(load_config(env, changes))
    except ChurnSparkError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    log_to(sys.stderr)
    _warn_of_keys(service)
    serve(service)


@app.command("new-key")
def print_new_key(
    name: Annotated[str, typer.Argument(help="Of the key, in the access log.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="predict, read; default: both.")
    ] = None,
) -> None:
    """Make a key: print it once, and the lines for the keys file, which hold no secret."""
    chosen: list[Scope] = [scope for scope in SCOPES if not scopes or scope in scopes]
    if unknown := sorted(set(scopes or ()) - set(SCOPES)):
        typer.echo(f"error: found scope {', '.join(unknown)}, expected predict, read", err=True)
        raise typer.Exit(2)
    key, lines = new_key(name, chosen)
    typer.echo(f"# The key, shown this once: {key}\n# For serving.keys_file:\n{lines}", nl=False)


def serve(service: Service) -> None:
    """Run the server in this process until SIGTERM or SIGINT."""
    server = uvicorn.Server(build_server_config(service, AccessLog(sys.stdout)))
    config = service.config.serving
    _log.info("answering on http://%s:%s", config.host, config.port)
    # What the libraries have made stays until the end: a collection that walks it again and
    # again holds up a request for tens of milliseconds.
    gc.collect()
    gc.freeze()
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
        http="httptools",
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
            "(`python -m churn_spark.serving new-key NAME` makes one)",
            ENVIRONMENT,
        )
    elif 0 < len(os.environ.get(ENVIRONMENT, "")) < MIN_CHARS:
        _log.warning(
            "%s is shorter than %d characters: a key that can be guessed is none",
            ENVIRONMENT,
            MIN_CHARS,
        )


if __name__ == "__main__":
    app()
