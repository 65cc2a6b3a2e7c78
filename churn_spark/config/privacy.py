"""How user ids are kept, and the key of pseudonyms, which is in no file and no option."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

from churn_spark.config.section import Section
from churn_spark.errors import ConfigError
from churn_spark.hashing import keyed_hash

KEY_VARIABLE: Final = "CHURN_PRIVACY_KEY"
_MIN_CHARACTERS: Final = 32


class PrivacyConfig(Section):
    """Whether tables hold user ids or pseudonyms."""

    pseudonymise: bool = False


def read_privacy_key(environment: Mapping[str, str] = os.environ) -> bytes:
    """The key that pseudonyms are made with.

    Raises:
        ConfigError: if the environment has none, or one that could be guessed.
    """
    key = environment.get(KEY_VARIABLE, "").strip()
    if len(key) < _MIN_CHARACTERS:
        found = f"one of {len(key)} characters" if key else "none"
        raise ConfigError(
            f"found pseudonyms in the place of user ids (privacy.pseudonymise), and of their key "
            f"${KEY_VARIABLE} {found}; expected at least {_MIN_CHARACTERS} characters: set it to "
            "the key that the lakehouse was made with, or for a new one to a random one "
            "(openssl rand -hex 32), and keep it safe"
        )
    return key.encode()


def pseudonym_of(user_id: str, key: bytes) -> str:
    """The pseudonym by which tables know a user."""
    return keyed_hash(key, "user", user_id)


def require_privacy_key(config: PrivacyConfig) -> None:
    """Let pass only a run that has the key where one is needed, before anything is written.

    Raises:
        ConfigError: if the environment has none.
    """
    if config.pseudonymise:
        read_privacy_key()
