"""The pages that code writes: nobody can forget to bring them up to date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from scripts.docs_site.reference.commands import describe_commands
from scripts.docs_site.reference.configuration import describe_configuration
from scripts.docs_site.reference.errors import describe_errors
from scripts.docs_site.reference.interface import describe_interface
from scripts.docs_site.reference.python import describe_python

REFERENCE: Final[dict[str, Callable[[], str]]] = {
    "reference/configuration.md": describe_configuration,
    "reference/command-line.md": describe_commands,
    "reference/errors.md": describe_errors,
    "reference/api.md": describe_interface,
    "reference/python.md": describe_python,
}
"""Page of the site -> who writes it."""
