"""`python -m jobs.serve --port 8000`: the service; `new-key` makes a key for it.

Needs no Spark: the service's image has none.
"""

from __future__ import annotations

import json
from typing import Annotated

import typer

from churn_spark.churn_words import speaking_of
from churn_spark.config import load_config
from churn_spark.serving.keys import describe_new_key
from churn_spark.serving.server import run_service
from jobs._command import new_app, run_app
from jobs._options import EnvOption, MappingOption, SetOption, with_mapping

app = new_app()


def parse_port(text: str) -> int | None:
    """The number of a port; none where the text is Kubernetes' link to a service.

    Into each pod Kubernetes puts `CHURN_PORT=tcp://ADDRESS:PORT` where a service of its own is
    named churn, over what the image says.

    Raises:
        typer.BadParameter: if the text is neither.
    """
    if text.startswith("tcp://"):
        return None
    try:
        return int(text)
    except ValueError as error:
        raise typer.BadParameter(f"found {text!r}, expected a number such as 8000") from error


Port = Annotated[
    int | None,
    typer.Option(
        envvar="CHURN_PORT", parser=parse_port, metavar="<int>", help="Default: serving.port."
    ),
]
Host = Annotated[str | None, typer.Option(envvar="CHURN_HOST", help="Default: serving.host.")]
WithoutKeys = Annotated[
    bool, typer.Option("--without-keys", help="Require no API key: answer everybody.")
]


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    port: Port = None,
    host: Host = None,
    env: EnvOption = "local",
    overrides: SetOption = None,
    mapping: MappingOption = None,
    without_keys: WithoutKeys = False,
) -> None:
    """Start the web service (pages and API); on stop, running requests are finished first."""
    if context.invoked_subcommand:
        return
    changes = with_mapping(overrides, mapping)
    changes += [f"serving.port={port}"] * (port is not None)
    # In quotes: YAML takes :: for a section.
    changes += [f"serving.host={json.dumps(host)}"] * (host is not None)
    changes += ["serving.require_key=false"] * without_keys
    service = load_config(env, changes).service
    with speaking_of(service.labels.churn):
        run_service(service)


@app.command("new-key")
def print_new_key(
    name: Annotated[str, typer.Argument(help="Name of the key, shown in the access log.")],
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What the key may do: predict, read, write; default: all."),
    ] = None,
) -> None:
    """Make an API key: print it once, and the lines for the keys file, which hold no secret."""
    typer.echo(describe_new_key(name, scopes or ()), nl=False)


if __name__ == "__main__":
    run_app(app)
