"""Which promises are looked at, how one is marked as kept or broken, and what a broken one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import ParamSpec

import typer

Given = ParamSpec("Given")
_said: list[bool] = []


def holds(is_so: bool) -> str:
    """Mark a figure that is or isn't as promised."""
    _said.append(bool(is_so))
    return "holds" if is_so else "[bold red]FAILS[/]"


def promise_nothing() -> None:
    """Count figures that are only shown: a run of them alone has shown what it was asked for."""
    _said.append(True)


def judged(main: Callable[Given, None]) -> Callable[Given, None]:
    """A program that ends with exit code 1 where a figure that it has marked isn't as promised.

    It does, too, where there was no figure at all: a promise that nothing has tried isn't kept.
    """

    @wraps(main)
    def run(*args: Given.args, **options: Given.kwargs) -> None:
        _said.clear()
        main(*args, **options)
        if not _said:
            typer.echo("error: found no figure, expected some: all asked for is left out", err=True)
        if not (_said and all(_said)):
            raise typer.Exit(1)

    return run


def choose_sections(only: Sequence[str] | None, sections: Sequence[str]) -> Sequence[str]:
    """The sections asked for, or all.

    Raises:
        typer.BadParameter: if there is no section of such a name.
    """
    if unknown := set(only or ()) - set(sections):
        raise typer.BadParameter(
            f"found {', '.join(sorted(unknown))}, expected some of: {', '.join(sections)}"
        )
    return only or sections
