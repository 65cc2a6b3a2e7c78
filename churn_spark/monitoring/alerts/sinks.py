"""Where notices go: the log always, a webhook and an e-mail where they are configured.

The night never waits for a receiver: each gets a thread of its own, all share one deadline, and
what hasn't arrived by then is reported as such. No receiver raises.
"""

from __future__ import annotations

import hashlib
import logging
import os
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from churn_spark.config import AlertsConfig
from churn_spark.config.secrets import is_readable_on_the_way
from churn_spark.monitoring.alerts.alerts import Notice, is_worth_notifying
from churn_spark.monitoring.alerts.payloads import describe, title_of, write_payload
from churn_spark.wording import count_of, name_some

_LOG = logging.getLogger(__name__)
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "critical": logging.ERROR}
# After these another attempt may succeed; any other refusal is for good.
_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_FIRST_PAUSE = 0.5
_NAMED = 4


@dataclass(frozen=True)
class Delivery:
    """What became of the notices at one receiver.

    Attributes:
        receiver: webhook or mail.
        arrived: whether it took them.
        attempts: how often it was tried.
        problem: the last one; empty if it arrived.
    """

    receiver: str
    arrived: bool
    attempts: int
    problem: str = ""


class _RefusedError(Exception):
    """The receiver refused for good: another attempt would be refused too."""


class _NoRedirects(HTTPRedirectHandler):
    """A redirected POST would become a GET without the notices, and take the token elsewhere."""

    def redirect_request(self, *_: Any) -> None:
        """Take the answer as it is: an error."""


def deliver(
    notices: Sequence[Notice], config: AlertsConfig, environment: Mapping[str, str] = os.environ
) -> tuple[Delivery, ...]:
    """Log the notices, and send those that are severe enough to each configured receiver.

    Args:
        notices: of the night.
        config: receivers and limits.
        environment: has the secrets, `CHURN_WEBHOOK_TOKEN` and `CHURN_SMTP_PASSWORD`.

    Returns:
        One per configured receiver, within `max_seconds`; empty if there is nothing to send.
    """
    _log_notices(notices)
    worth = [notice for notice in notices if is_worth_notifying(notice, config)]
    senders: dict[str, Callable[[float], None]] = {}
    if config.webhook_url:
        senders["webhook"] = partial(_post, worth, config, environment)
    if config.smtp_host:
        senders["mail"] = partial(_mail, worth, config, environment)
    if not worth or not senders:
        return ()
    deadline = time.monotonic() + config.max_seconds
    found: dict[str, Delivery] = {}
    threads = [
        # A daemon: a receiver that hangs can't keep the process from ending either.
        threading.Thread(target=_try, args=(name, send, config, deadline, found), daemon=True)
        for name, send in senders.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"not done within {config.max_seconds:g} s"
    deliveries = tuple(found.get(name, Delivery(name, False, 1, late)) for name in senders)
    for delivery in deliveries:
        if not delivery.arrived:
            _LOG.warning(
                "notices did not reach the %s in %s: %s",
                delivery.receiver, count_of(delivery.attempts, "attempt"), delivery.problem,
            )  # fmt: skip
    return deliveries


def _log_notices(notices: Sequence[Notice]) -> None:
    """A line for each notice that may need someone, and one for all that are only to know."""
    to_know: dict[str, list[str]] = {}
    for notice in notices:
        if notice.alert.severity == "info":
            to_know.setdefault(notice.change, []).append(notice.alert.key)
        else:
            _LOG.log(_LEVELS[notice.alert.severity], "%s", describe(notice))
    for change, keys in to_know.items():
        _LOG.info("alerts for information only, %s: %s", change, name_some(keys, _NAMED))


def _try(
    name: str,
    send: Callable[[float], None],
    config: AlertsConfig,
    deadline: float,
    found: dict[str, Delivery],
) -> None:
    """Send until it arrives, is refused, or time is up; the pause doubles."""
    problem, attempt, pause = "", 0, _FIRST_PAUSE
    while attempt < config.attempts and (left := deadline - time.monotonic()) > 0:
        attempt += 1
        try:
            send(min(config.timeout_seconds, left))
        except _RefusedError as error:
            found[name] = Delivery(name, False, attempt, str(error))
            return
        except Exception as error:  # whatever a receiver does is no reason to end the night
            problem = _describe_failure(error)
        else:
            found[name] = Delivery(name, True, attempt)
            return
        if attempt < config.attempts:
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause *= 2
    found[name] = Delivery(name, False, attempt, problem)


def _describe_failure(error: Exception) -> str:
    """What went wrong; of an address that is none, only that, as the error repeats it."""
    if isinstance(error, OSError):
        return f"{type(error).__name__}: {error}"
    return f"{type(error).__name__}, with what is configured for it"


def _post(
    notices: Sequence[Notice],
    config: AlertsConfig,
    environment: Mapping[str, str],
    timeout: float,
) -> None:
    body = write_payload(notices, config.webhook_format)
    headers = {
        "Content-Type": "application/json",
        # The same for every attempt, so that a receiver can tell a repetition from news.
        "Idempotency-Key": hashlib.sha256(body).hexdigest(),
    }
    if environment.get("CHURN_WEBHOOK_TOKEN"):
        if is_readable_on_the_way(config.webhook_url):
            raise _RefusedError(
                "$CHURN_WEBHOOK_TOKEN would be readable on its way: expected an https:// address, "
                "or no token"
            )
        headers["Authorization"] = f"Bearer {environment['CHURN_WEBHOOK_TOKEN']}"
    request = Request(config.webhook_url, body, headers, method="POST")
    try:
        with build_opener(_NoRedirects).open(request, timeout=timeout):
            pass
    except HTTPError as error:
        if error.code < HTTPStatus.INTERNAL_SERVER_ERROR and error.code not in _PASSING:
            raise _RefusedError(f"it answered {error.code} {error.reason}") from error
        raise


def _mail(
    notices: Sequence[Notice],
    config: AlertsConfig,
    environment: Mapping[str, str],
    timeout: float,
) -> None:
    message = EmailMessage()
    message["Subject"] = title_of(notices)
    message["From"], message["To"] = config.mail_from, ", ".join(config.mail_to)
    message["Date"] = format_datetime(datetime.now(UTC))
    # The same for every attempt, so that a receiver can tell a repetition from news.
    digest = hashlib.sha256(repr(notices).encode()).hexdigest()
    message["Message-ID"] = f"<{digest}@{config.mail_from.rpartition('@')[2]}>"
    message.set_content("\n\n".join(map(describe, notices)))
    with smtplib.SMTP(config.smtp_host, config.smtp_port, timeout=timeout) as server:
        if config.smtp_starttls:
            server.starttls(context=ssl.create_default_context())
        if config.smtp_user:
            server.login(config.smtp_user, environment.get("CHURN_SMTP_PASSWORD", ""))
        refused = server.send_message(message)
    # Others have it: to send it again would tell them twice. Where all are refused, it raises.
    if refused:
        addresses = ", ".join(sorted(refused))
        _LOG.warning("notices were not mailed to %s: the server refused", addresses)
