"""Signed in to the page: a cookie that names a key, signed by this process and good for hours."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import Final

from itsdangerous import BadData, URLSafeSerializer

from churn_spark.serving.keys import ApiKey, KeyRing

COOKIE: Final = "churn_session"


class Sessions:
    """Issues and reads the cookie.

    The signing secret lives as long as the process: it is nowhere to be stolen from, and a
    restart signs everybody out.
    """

    def __init__(
        self,
        ring: Callable[[], KeyRing],
        hours: float,
        clock: Callable[[], float] = time.time,
        root_path: str = "",
    ) -> None:
        """A cookie is good for so many hours, and as long as its key is one of the ring.

        It is sent to the paths below `root_path` only: what else answers under the same name
        doesn't get it.
        """
        self._path = root_path or "/"
        self._ring, self._seconds, self._clock = ring, hours * 3600, clock
        self._secret = secret = secrets.token_bytes(32)
        how = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        self._cookies = URLSafeSerializer(secret, salt="session", signer_kwargs=how)
        self._forms = URLSafeSerializer(secret, salt="form", signer_kwargs=how)
        self._withdrawn: dict[str, float] = {}

    def issue(self, key: ApiKey, *, is_https: bool) -> str:
        """The `Set-Cookie` value that signs the key's holder in."""
        # Some chance in it: signing out ends this session and no other of the same key.
        session = [key.name, self._clock() + self._seconds, secrets.token_hex(8), self._mark(key)]
        text = self._cookies.dumps(session)
        assert isinstance(text, str)
        return self._cookie(text, self._seconds, is_https=is_https)

    def withdraw(self, form_token: str, *, is_https: bool) -> str:
        """Sign the holder of a form's token out for good; the `Set-Cookie` value that forgets."""
        now = self._clock()
        self._withdrawn = {one: end for one, end in self._withdrawn.items() if end > now}
        self._withdrawn[form_token] = now + self._seconds
        return self._cookie("", 0, is_https=is_https)

    def read(self, cookies: str) -> tuple[ApiKey, str] | None:
        """The key that a `Cookie` header is signed in with, and the token for its forms.

        There may be several of the name: an older one of another path says nothing of the others.
        """
        pairs = (one.strip().partition("=") for one in cookies.split(";"))
        found = (self._read_one(value) for name, _, value in pairs if name == COOKIE)
        return next((one for one in found if one), None)

    def _read_one(self, value: str) -> tuple[ApiKey, str] | None:
        try:
            name, until, chance, mark = self._cookies.loads(value)
        except BadData:
            return None
        key, form_token = self._ring().named(name), str(self._forms.dumps(chance))
        # A new key of an old name is another key.
        if key is None or self._mark(key) != mark:
            return None
        if self._clock() >= until or form_token in self._withdrawn:
            return None
        return key, form_token

    def _mark(self, key: ApiKey) -> str:
        """What tells a key from another of its name; no part of its digest leaves the process."""
        return hmac.digest(self._secret, key.sha256.encode(), "sha256").hex()[:16]

    def _cookie(self, value: str, seconds: float, *, is_https: bool) -> str:
        secure = "; Secure" if is_https else ""
        where = f"Path={self._path}; Max-Age={int(seconds)}"
        return f"{COOKIE}={value}; {where}; HttpOnly; SameSite=Strict{secure}"
