"""Which promises are looked at, and how one is marked as kept or broken."""

from __future__ import annotations

from collections.abc import Sequence

import typer


def holds(is_so: bool) -> str:
    """Mark a figure that is or isn't as promised."""
    return "holds" if is_so else "[bold red]FAILS[/]"


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
