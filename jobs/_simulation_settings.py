"""The options of a simulated world as its settings."""

from __future__ import annotations

from dataclasses import fields

import typer

from churn_spark.errors import InputError
from churn_spark.simulate.offers import Offer
from churn_spark.simulate.settings import SimulationSettings

_WITH_FROM = ("out", "continue_from", "days", "contacts", "env", "overrides")


def settings_of(ctx: typer.Context) -> SimulationSettings:
    """The settings that the options give.

    Raises:
        InputError: if they don't fit, or contacts are told before there is a world.
    """
    if ctx.params["contacts"] is not None:
        raise InputError(
            "found --contacts without --from, expected both: simulate the first days without "
            "contacts, then go on from there"
        )
    names = [field.name for field in fields(SimulationSettings)]
    given = {name: ctx.params[name] for name in names}
    return SimulationSettings(**(given | {"offers": tuple(map(Offer.parse, given["offers"]))}))


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
            f"found --from with {', '.join(given)}, expected --days, --out and --contacts "
            "alone: a world goes on as it began, so leave the others out"
        )
