"""Who runs this and in which words: what Java must know of both before it starts."""

from __future__ import annotations

import locale
import os
import pwd
from typing import Final

from churn_spark.errors import MachineError

_ANYWHERE: Final = "C.UTF-8"


def require_named_user() -> None:
    """Let pass only a user with a name, by which Hadoop signs in.

    Raises:
        MachineError: if the machine knows the user's id alone.
    """
    user_id = os.getuid()
    try:
        pwd.getpwuid(user_id)
    except KeyError:
        raise MachineError(
            f"the operating-system user id {user_id} has no name on this machine, which Hadoop "
            "needs to sign in: add a line for it to /etc/passwd, or run as another user"
        ) from None


def locale_environment() -> dict[str, str]:
    """The environment variable that lets Java read names of files beyond ASCII.

    Cron sets no locale, and without one Java leaves such files out of its listings.
    """
    try:
        chosen = locale.setlocale(locale.LC_CTYPE, "")
        is_utf8 = locale.nl_langinfo(locale.CODESET).upper().replace("-", "") == "UTF8"
    except locale.Error:
        # One that isn't installed here: Java would fall back to ASCII.
        is_utf8 = False
    # Said in so many words even where it fits: Python may have chosen it for itself alone.
    return {"LC_ALL": chosen if is_utf8 else _ANYWHERE}
