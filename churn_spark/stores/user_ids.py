"""How a lakehouse keeps user ids: the key check of `events`, and the table `erased_users`."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from typing import Final

from churn_spark.config import PrivacyConfig
from churn_spark.config.privacy import KEY_VARIABLE, read_privacy_key
from churn_spark.contracts.tables import ERASED_USERS, EVENTS
from churn_spark.contracts.tables.table import KEY_CHECK
from churn_spark.errors import OtherIdsError
from churn_spark.events.user_ids import UserIds
from churn_spark.hashing import keyed_hash
from churn_spark.lakehouse.tables import Lakehouse

_SALT_BYTES: Final = 16
_ANEW: Final = "or load the logs into a new lakehouse (LAKEHOUSE=another folder)"


def key_check_of(config: PrivacyConfig) -> str | None:
    """What a new table of events notes of the key of its pseudonyms; nothing of clear ids.

    Raises:
        ConfigError: if the environment lacks the key.
    """
    return _check(read_privacy_key()) if config.pseudonymise else None


def read_user_ids(lakehouse: Lakehouse) -> UserIds:
    """Under which ids the lakehouse keeps its users, and who was erased from it.

    Raises:
        ConfigError: if it holds pseudonyms, and the environment lacks their key.
        OtherIdsError: if the environment has another key.
    """
    key = b""
    if lakehouse.exists(EVENTS) and (noted := lakehouse.properties(EVENTS).get(KEY_CHECK)):
        key = read_privacy_key()
        if _check(key) != noted:
            raise OtherIdsError(
                f"found {EVENTS.path} in {lakehouse.root} with pseudonyms of another key than "
                f"that in ${KEY_VARIABLE}, expected the same: set the one that the lakehouse was "
                f"made with, {_ANEW}"
            )
    rows = lakehouse.collect_rows(ERASED_USERS)
    salt = rows[0].salt if rows else ""
    return UserIds(key, salt, frozenset(row.user_hash for row in rows))


def require_as_configured(lakehouse: Lakehouse, config: PrivacyConfig) -> None:
    """Let pass only a lakehouse without events, or one that keeps user ids as is configured.

    Raises:
        OtherIdsError: if it has clear ids where pseudonyms are configured, or the other way round.
    """
    if not lakehouse.exists(EVENTS):
        return
    if (KEY_CHECK in lakehouse.properties(EVENTS)) == config.pseudonymise:
        return
    kept, asked = ("clear", "pseudonyms") if config.pseudonymise else ("pseudonyms", "clear")
    setting = f"privacy.pseudonymise={str(not config.pseudonymise).lower()}"
    raise OtherIdsError(
        f"found {EVENTS.path} in {lakehouse.root} with user ids kept {_AS[kept]}, expected "
        f"{_AS[asked]}, as is configured: what is there can't be changed; leave {setting}, {_ANEW}"
    )


_AS: Final = {"clear": "as they are", "pseudonyms": "as pseudonyms"}


def add_erased(lakehouse: Lakehouse, users: UserIds, user_ids: Collection[str]) -> UserIds:
    """Note that users were erased, under hashes; returns what is known of users from now on."""
    salt = users.salt or secrets.token_hex(_SALT_BYTES)
    salted = UserIds(users.key, salt, users.erased)
    erased = users.erased | {salted.erased_hash(one) for one in user_ids}
    if erased != users.erased:
        lakehouse.replace_rows([(one, salt) for one in sorted(erased)], ERASED_USERS, {})
    return UserIds(users.key, salt, erased)


def _check(key: bytes) -> str:
    return keyed_hash(key, "check", "churn_spark")
