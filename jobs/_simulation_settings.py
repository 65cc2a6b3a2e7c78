"""The options of a simulated world as its settings."""

from __future__ import annotations

from dataclasses import fields

import typer

from churn_spark.errors import InputError
from churn_spark.simulate.settings import SimulationSettings

_WITH_FROM = ("out", "continue_from", "days", "env", "overrides")


def settings_of(ctx: typer.Context) -> SimulationSettings:
    """The settings that the options give."""
    names = [field.name for field in fields(SimulationSettings)]
    return SimulationSettings(**{name: ctx.params[name] for name in names})


def refuse_other_options(ctx: typer.Context) -> None:
    """Refuse to change a world that goes on.

    Raises:
        InputError: if an option that determines the world was given.
    """
    spelled = {parameter.name: parameter.opts[0] for parameter in ctx.command.params}
    given = [
        spelled[name]
        for name in ctx.params
        if name not in _WITH_FROM and "COMMANDLINE" in str(ctx.get_parameter_source(name))
    ]
    if given:
        raise InputError(
            f"found --from with {', '.join(given)}, expected --days and --out alone: a world "
            "goes on as it began, so leave the others out"
        )
