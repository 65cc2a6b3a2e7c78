"""Signed in to the page: a cookie that names a key and an hour, signed by this process."""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final

from churn_spark.serving.keys import ApiKey, KeyRing

COOKIE: Final = "churn_session"


class Sessions:
    """Issues and reads the cookie.

    The signing secret lives as long as the process: it is nowhere to be stolen from, and a
    restart signs everybody out.
    """

    def __init__(self, ring: KeyRing, hours: float, clock: Callable[[], float] = time.time) -> None:
        """A cookie is good for so many hours."""
        self._ring, self._seconds, self._clock = ring, hours * 3600, clock
        self._secret = secrets.token_bytes(32)
        self._withdrawn: dict[str, float] = {}

    def issue(self, key: ApiKey, *, is_https: bool) -> str:
        """The `Set-Cookie` value that signs the key's holder in."""
        # Some chance in it: signing out ends this session and no other of the same key.
        until = f"{int(self._clock() + self._seconds)}-{secrets.token_hex(8)}"
        payload = f"{key.name}.{until}"
        return self._cookie(
            f"{payload}.{self._sign('session', payload)}", self._seconds, is_https=is_https
        )

    def withdraw(self, form_token: str, *, is_https: bool) -> str:
        """Sign the holder of a form's token out for good; the `Set-Cookie` value that forgets."""
        now = self._clock()
        self._withdrawn = {one: end for one, end in self._withdrawn.items() if end > now}
        self._withdrawn[form_token] = now + self._seconds
        return self._cookie("", 0, is_https=is_https)

    def read(self, cookies: str) -> tuple[ApiKey, str] | None:
        """The key that a `Cookie` header is signed in with, and the token for its forms."""
        try:
            morsel = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            return None
        name, _, rest = (morsel.value if morsel else "").partition(".")
        until, _, signature = rest.partition(".")
        payload = f"{name}.{until}"
        if not hmac.compare_digest(signature.encode(), self._sign("session", payload).encode()):
            return None
        key, form_token = self._ring.named(name), self._sign("form", payload)
        if (
            key is None
            or self._clock() >= int(until.partition("-")[0])
            or form_token in self._withdrawn
        ):
            return None
        return key, form_token

    def _sign(self, purpose: str, payload: str) -> str:
        return hmac.new(self._secret, f"{purpose}:{payload}".encode(), "sha256").hexdigest()

    def _cookie(self, value: str, seconds: float, *, is_https: bool) -> str:
        secure = "; Secure" if is_https else ""
        return (
            f"{COOKIE}={value}; Path=/; Max-Age={int(seconds)}; HttpOnly; SameSite=Strict{secure}"
        )
