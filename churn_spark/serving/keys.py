"""Who may ask what: API keys, kept as digests only.

A key is 256 random bits, so one SHA-256 is enough: there is nothing to guess, and nothing that
a slow hash would protect. A key that could be guessed is refused at the start.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from churn_spark.config import ServingConfig
from churn_spark.config.yaml_text import RepeatedKeyError, parse_yaml
from churn_spark.errors import ConfigError, InputError

Scope = Literal["predict", "read", "write"]
SCOPES: Final[tuple[Scope, ...]] = ("predict", "read", "write")
ENVIRONMENT: Final = "CHURN_API_KEY"
MIN_CHARS: Final = 32
_MIN_DIFFERENT: Final = 10
_NAME: Final = "[A-Za-z0-9_-]{1,40}"
_log = logging.getLogger(__name__)


class ApiKey(BaseModel):
    """One key as the file holds it.

    Attributes:
        name: in the access log and the rate limit; not secret.
        sha256: of the key, as 64 hexadecimal digits.
        scopes: what it opens: `predict`, `read`, `write`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=f"^{_NAME}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]


EVERYBODY: Final = ApiKey(name="everybody", sha256="0" * 64, scopes=SCOPES)


@dataclass(frozen=True)
class KeyRing:
    """The keys that are known; an empty ring opens nothing."""

    keys: tuple[ApiKey, ...]

    def find(self, presented: str) -> ApiKey | None:
        """The key of a presented text, in a time that doesn't depend on how wrong it is."""
        digest = digest_of(presented)
        found = None
        for key in self.keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found

    def named(self, name: str) -> ApiKey | None:
        """The key of a name."""
        return next((key for key in self.keys if key.name == name), None)


def digest_of(key: str) -> str:
    """What is kept of a key: its SHA-256 as hexadecimal digits."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def new_key(name: str, scopes: Sequence[Scope]) -> tuple[str, str]:
    """A new key, and the lines that make it known in the keys file."""
    key = secrets.token_urlsafe(32)
    one = ApiKey(name=name, sha256=digest_of(key), scopes=tuple(scopes))
    return key, yaml.safe_dump([one.model_dump(mode="json")], sort_keys=False)


def describe_new_key(name: str, scopes: Sequence[str]) -> str:
    """A new key, to be shown once, and the lines for the keys file, which hold no secret.

    Args:
        name: of the key, in the access log.
        scopes: what it opens; all where none are given.

    Raises:
        InputError: if a scope is unknown, or the name doesn't fit an access log.
    """
    if not re.fullmatch(_NAME, name):
        raise InputError(
            f"found the name {name!r} for a key, expected up to 40 letters, digits, - and _"
        )
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise InputError(f"found scope {', '.join(unknown)}, expected {', '.join(SCOPES)}")
    key, lines = new_key(name, [scope for scope in SCOPES if not scopes or scope in scopes])
    return f"# The key, shown this once: {key}\n# For serving.keys_file:\n{lines}"


def read_keys(config: ServingConfig) -> KeyRing:
    """The keys of the file and of `$CHURN_API_KEY`, which has every scope.

    Raises:
        ConfigError: if the file is missing or doesn't fit, or if the variable's key could be
            guessed; no part of a key is in the message.
    """
    keys = _read_file(Path(config.keys_file)) if config.keys_file else []
    if key := os.environ.get(ENVIRONMENT):
        if len(key) < MIN_CHARS or len(set(key)) < _MIN_DIFFERENT:
            raise ConfigError(
                f"found a key of {len(key)} characters in ${ENVIRONMENT}, expected at least "
                f"{MIN_CHARS}, {_MIN_DIFFERENT} of them different: `churn-spark serve new-key "
                "NAME` makes one that nobody guesses"
            )
        digest = digest_of(key)
        keys.append(ApiKey(name="environment", sha256=digest, scopes=SCOPES))
    names = [key.name for key in keys]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(f"found several API keys named {', '.join(twice)}, expected one each")
    return KeyRing(tuple(keys))


class KeyWatch:
    """Keeps the keys; `look` reads the file again when it has changed.

    Attributes:
        ring: the keys that are good now.
        problem: why a changed file isn't in force; empty if all is well.
    """

    def __init__(self, config: ServingConfig) -> None:
        """Read the keys.

        Raises:
            ConfigError: if they don't fit.
        """
        self._config = config
        self._seen = self._state()
        self.ring, self.problem = read_keys(config), ""

    def look(self) -> None:
        """Read the file if it is another one than before; one that doesn't fit changes nothing."""
        state = self._state()
        if state == self._seen:
            return
        try:
            self.ring, self.problem = read_keys(self._config), ""
            _log.info("keys read again: %s", ", ".join(key.name for key in self.ring.keys))
        except ConfigError as error:
            self.problem = f"{error}; the keys from before stay"
            _log.warning("%s", self.problem)
        self._seen = state

    def _state(self) -> tuple[int, ...]:
        """What is another whenever the file is."""
        if not self._config.keys_file:
            return ()
        try:
            found = Path(self._config.keys_file).stat()
        except OSError:
            return ()
        return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size)


def _read_file(path: Path) -> list[ApiKey]:
    try:
        values = parse_yaml(path.read_text(encoding="utf-8"))
        return TypeAdapter(list[ApiKey]).validate_python(values)
    except OSError as error:
        raise ConfigError(f"the keys file {path} can't be read: {error.strerror}") from None
    except RepeatedKeyError as error:
        raise ConfigError(f"the keys file {path}: {error}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ConfigError(f"the keys file {path} is no YAML in UTF-8") from None
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors()
        )
        raise ConfigError(
            f"the keys file {path} doesn't fit: {problems}. Expected a list of name, sha256 and "
            "scopes: `churn-spark serve new-key NAME` prints one"
        ) from None
