"""How a promise is marked as kept or broken."""

from __future__ import annotations


def holds(is_so: bool) -> str:
    """Mark a figure that is or isn't as promised."""
    return "holds" if is_so else "[bold red]FAILS[/]"
