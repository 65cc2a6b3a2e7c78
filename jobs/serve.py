"""`python -m jobs.serve --port 8000`: the service; `new-key` makes a key for it.

Needs no Spark: the service's image has none.
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from churn_spark.config import load_config
from churn_spark.errors import ChurnSparkError
from churn_spark.serving.keys import SCOPES, Scope, new_key
from churn_spark.serving.logs import log_to
from churn_spark.serving.server import serve
from churn_spark.serving.service import Service

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


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
    """Answer requests until it is stopped; requests under way are finished first."""
    if context.invoked_subcommand:
        return
    changes = [*(overrides or ())]
    changes += [f"serving.port={port}"] * (port is not None)
    changes += [f"serving.host={host}"] * (host is not None)
    changes += ["serving.require_key=false"] * without_keys
    # To be stopped is no failure. Without this a container's first process, for which the kernel
    # has no default, would not hear it before the server listens.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        service = Service(load_config(env, changes).service)
    except ChurnSparkError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(error.exit_code) from None
    log_to(sys.stderr)
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


if __name__ == "__main__":
    app()
