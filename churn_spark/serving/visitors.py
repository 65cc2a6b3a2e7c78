"""Who asks, by what their request says of itself: the key, the site that sent it, the name used."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from typing import Final

from starlette.types import Scope

from churn_spark.errors import RequestError

Headers = dict[bytes, bytes]
_LOCAL: Final = "localhost"


def peer_of(scope: Scope) -> str:
    """The address that asks: a trusted proxy's word for it, or that of the connection."""
    return str(scope["client"][0]) if scope.get("client") else ""


def presented_key(headers: Headers) -> str:
    """The key that a request presents; empty where it presents none."""
    kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if kind.lower() == "bearer":
        return key.strip()
    return headers.get(b"x-api-key", b"").decode("latin-1")


def refuse_other_sites(headers: Headers) -> None:
    """Refuse what another site's page makes a browser send.

    Raises:
        RequestError: with status 403.
    """
    origin = headers.get(b"origin", b"").decode("latin-1")
    host = headers.get(b"host", b"").decode("latin-1")
    # An origin is no more than scheme, host and port; one that is no address at all matches none.
    if origin and origin.partition("://")[2] != host:
        raise RequestError(
            f"the request comes from another site's page: found the origin {origin[:80]!r}, "
            f"expected one of the host {host[:80]!r}. A proxy must pass on the `Host` that the "
            "browser sent",
            403,
        )


def refuse_other_names(headers: Headers, allowed: Collection[str]) -> None:
    """Refuse a request that reached this machine by a name that isn't known to be its own.

    Any site can have its own name resolve to this machine, and its page would then be taken for
    a page of the service. An address can't be made to point elsewhere.

    Raises:
        RequestError: with status 403.
    """
    host = headers.get(b"host", b"").decode("latin-1")
    name = _name_of(host)
    if name == _LOCAL or name.endswith(f".{_LOCAL}") or name in allowed or _is_address(name):
        return
    raise RequestError(
        f"found the name {host[:80]!r} in `Host`, expected {_LOCAL}, an address, or one of "
        "serving.allowed_hosts",
        403,
    )


def _name_of(host: str) -> str:
    """The name without its port, in lower case; an address of IPv6 without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0].lower() if host.count(":") == 1 else host.lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
