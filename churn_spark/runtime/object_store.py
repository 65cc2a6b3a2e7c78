"""Where an S3 store is and who asks it: one set of settings, for Python's libraries and the JVM.

The environment is the place, by the names that AWS has given them. deltalake, Polars, obstore and
Arrow read it themselves, in the service and in Spark's workers too. Hadoop has names of its own:
it is told what the environment says, and what only its own files say (`spark-defaults.conf`,
`core-site.xml`) is told to the environment of this process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from typing import Final

_NAMES: Final[Mapping[str, str]] = {
    "AWS_ENDPOINT_URL": "fs.s3a.endpoint",
    "AWS_REGION": "fs.s3a.endpoint.region",
    "AWS_ACCESS_KEY_ID": "fs.s3a.access.key",
    "AWS_SECRET_ACCESS_KEY": "fs.s3a.secret.key",
    "AWS_SESSION_TOKEN": "fs.s3a.session.token",
}
_SECRETS: Final = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})
"""Spark hands them to Hadoop itself; in its settings each of its pages would have them."""
_VIRTUAL_HOSTS: Final = "AWS_VIRTUAL_HOSTED_STYLE_REQUEST"


def needs_s3a(*places: str | None) -> bool:
    """Whether one of some places, or of the arguments that name them, is reached by S3A."""
    return any("s3a://" in place for place in places if place)


def hadoop_settings(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the environment says of the store, as settings of Spark; nothing of its keys."""
    told = {
        f"spark.hadoop.{_NAMES[name]}": environment[name]
        for name in _NAMES
        if name not in _SECRETS and environment.get(name)
    }
    if endpoint := environment.get("AWS_ENDPOINT_URL"):
        by_host = environment.get(_VIRTUAL_HOSTS, "").lower() == "true"
        told["spark.hadoop.fs.s3a.path.style.access"] = str(not by_host).lower()
        is_encrypted = not endpoint.startswith("http://")
        told["spark.hadoop.fs.s3a.connection.ssl.enabled"] = str(is_encrypted).lower()
    return told


def adopt_settings(
    hadoop: Callable[[str], str | None], environment: MutableMapping[str, str] = os.environ
) -> None:
    """Note in the environment what only Hadoop's configuration says of the store.

    Args:
        hadoop: gives the value of one of its settings; none where there is none.
        environment: of this process.
    """
    if environment.get("AWS_ENDPOINT_URL"):
        # Keys of one store are no use at another.
        return
    found = {name: hadoop(key) for name, key in _NAMES.items()}
    environment.update({name: value for name, value in found.items() if value})
    if endpoint := found["AWS_ENDPOINT_URL"]:
        is_encrypted = hadoop("fs.s3a.connection.ssl.enabled") != "false"
        if "://" not in endpoint:
            environment["AWS_ENDPOINT_URL"] = f"http{'s' * is_encrypted}://{endpoint}"
        if environment["AWS_ENDPOINT_URL"].startswith("http://"):
            # Whoever has told Hadoop to speak without TLS has allowed it.
            environment["AWS_ALLOW_HTTP"] = "true"
        by_host = hadoop("fs.s3a.path.style.access") != "true"
        environment[_VIRTUAL_HOSTS] = str(by_host).lower()
