"""Values that may be secrets: where they come from, and that nobody else reads them.

A command line is read by everybody on the machine, and kept by its shell; an error is read by
whoever reads the log.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from churn_spark.errors import ConfigError

VARIABLES: Final[Mapping[str, str]] = {
    "alerts.webhook_url": "CHURN_WEBHOOK_URL",
    "registry.tracking_uri": "CHURN_TRACKING_URI",
    "tuning.storage": "CHURN_TUNING_STORAGE",
}
"""Key of a value that may be, or hold, a secret -> the variable that overrides the files."""

# Whoever knows the address of a webhook can write to it.
_SECRET_AS_A_WHOLE: Final = frozenset({"alerts.webhook_url"})


def is_secret(key: str) -> bool:
    """Whether the value of a key stays out of every message."""
    return key in VARIABLES


def read_variables(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What the environment says of them, as sections with keys."""
    found: dict[str, Any] = {}
    for key, variable in VARIABLES.items():
        if environment.get(variable):
            section, _, name = key.partition(".")
            found.setdefault(section, {})[name] = environment[variable]
    return found


def refuse_on_command_line(key: str, value: object) -> None:
    """Refuse a `--set`, of a value or of a section, that shows a secret to everybody here.

    Raises:
        ConfigError: if the value is, or holds, a secret; it isn't in the message.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            refuse_on_command_line(f"{key}.{name}", inner)
    if key not in VARIABLES or not isinstance(value, str) or not value:
        return
    if has_password(value) or (key in _SECRET_AS_A_WHOLE and not is_loopback(value)):
        raise ConfigError(
            f"found a secret in --set {key}, expected it where other users of the machine don't "
            f"see it: set ${VARIABLES[key]}, or {key} in a file of conf/"
        )


def has_password(address: str) -> bool:
    """Whether an address holds a password."""
    try:
        return bool(urlsplit(address).password)
    except ValueError:
        return True


def is_loopback(address: str) -> bool:
    """Whether an address leads to this machine alone."""
    try:
        host = urlsplit(address).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_readable_on_the_way(address: str) -> bool:
    """Whether what is sent there crosses a network unencrypted."""
    return address.lower().startswith("http://") and not is_loopback(address)
