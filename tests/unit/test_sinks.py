"""Notices against a real local HTTP server and a real local SMTP server, willing and not."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from email import message_from_bytes
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from local_lakehouse import open_local, rows_of
from receivers import started

from churn_spark.config import AlertsConfig, load_config
from churn_spark.contracts.tables import ALERTS
from churn_spark.monitoring.alerts import sinks
from churn_spark.monitoring.alerts.alerts import Alert, Notice, Severity
from churn_spark.monitoring.alerts.sinks import Delivery, deliver
from churn_spark.monitoring.data_quality.checks import CheckResult
from churn_spark.pipeline.monitor import Drift
from churn_spark.pipeline.notify import notify
from churn_spark.reports.night.store import _read_alerts

DAY = date(2024, 1, 1)


def notice(severity: Severity = "critical", key: str = "data:volume") -> Notice:
    return Notice("opened", Alert(key, severity, "12 events, expected 4,773", DAY, DAY, DAY))


def alerts_config(**changes: Any) -> AlertsConfig:
    return AlertsConfig.model_validate({**load_config().alerts.model_dump(), **changes})


@pytest.fixture
def receivers() -> Iterator[Any]:
    """Starts receivers, and stops them afterwards."""
    with ExitStack() as running:
        yield lambda codes, seconds=0.0: running.enter_context(started(codes, seconds))


@pytest.fixture(autouse=True)
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "_FIRST_PAUSE", 0.02)


def test_webhook_gets_the_notices_and_its_token(receivers: Any) -> None:
    receiver = receivers([200])
    config = alerts_config(webhook_url=receiver.url)
    found = deliver([notice(), notice("info", "drift:songs")], config, {"CHURN_WEBHOOK_TOKEN": "t"})
    assert found == (Delivery("webhook", True, 1),)
    [(headers, body)] = receiver.got
    assert headers["Authorization"] == "Bearer t"
    sent = json.loads(body)
    # The one that is only to know stays in the log.
    assert [n["alert"]["key"] for n in sent["notices"]] == ["data:volume"]
    assert sent["notices"][0]["alert"]["opened"] == "2024-01-01"
    assert sent["text"] == (
        "critical alert opened, since 2024-01-01: data:volume: 12 events, expected 4,773"
    )


def test_webhook_is_tried_again_with_the_same_key_when_it_fails_for_now(receivers: Any) -> None:
    receiver = receivers([503, 429, 204])
    found = deliver([notice()], alerts_config(webhook_url=receiver.url), {})
    assert found == (Delivery("webhook", True, 3),)
    keys = {headers["Idempotency-Key"] for headers, _ in receiver.got}
    assert (len(receiver.got), len(keys)) == (3, 1)
    assert "Authorization" not in receiver.got[0][0]


def test_webhook_is_given_up_after_the_allowed_attempts(receivers: Any) -> None:
    receiver = receivers([500])
    [found] = deliver([notice()], alerts_config(webhook_url=receiver.url, attempts=2), {})
    assert (found.arrived, found.attempts, len(receiver.got)) == (False, 2, 2)
    assert found.problem == "HTTPError: HTTP Error 500: Internal Server Error"


def test_webhook_that_refuses_is_not_asked_again(receivers: Any) -> None:
    receiver = receivers([403])
    [found] = deliver([notice()], alerts_config(webhook_url=receiver.url), {})
    assert (found.attempts, found.problem) == (1, "it answered 403 Forbidden")


def test_webhook_that_points_elsewhere_is_not_followed_there_with_the_token(
    receivers: Any,
) -> None:
    receiver, other = receivers([302]), receivers([200])
    receiver.elsewhere = other.url
    config = alerts_config(webhook_url=receiver.url)
    [found] = deliver([notice()], config, {"CHURN_WEBHOOK_TOKEN": "t"})
    assert (found.arrived, found.attempts, found.problem) == (False, 1, "it answered 302 Found")
    assert other.got == []


def test_night_goes_on_when_a_receiver_hangs(receivers: Any) -> None:
    receiver = receivers([200], seconds=1.5)
    config = alerts_config(webhook_url=receiver.url, timeout_seconds=9, max_seconds=0.4)
    began = time.monotonic()
    [found] = deliver([notice()], config, {})
    assert time.monotonic() - began < 1.0
    assert not found.arrived
    assert "timed out" in found.problem or found.problem == "not done within 0.4 s"


def test_night_goes_on_when_a_receiver_answers_byte_by_byte() -> None:
    # No read ever times out: only the shared deadline ends this.
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                for _ in range(30):
                    connection.sendall(b"H")
                    time.sleep(0.05)

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        began = time.monotonic()
        [found] = deliver([notice()], alerts_config(webhook_url=url, max_seconds=0.3), {})
        assert time.monotonic() - began < 1.0
        assert found == Delivery("webhook", False, 1, "not done within 0.3 s")
        thread.join()


def test_attempt_ends_when_its_own_time_is_up(receivers: Any) -> None:
    receiver = receivers([200], seconds=0.5)
    config = alerts_config(webhook_url=receiver.url, timeout_seconds=0.05, attempts=2)
    [found] = deliver([notice()], config, {})
    assert (found.arrived, found.attempts) == (False, 2)
    assert "timed out" in found.problem


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_one_receiver_gets_its_notices_when_the_other_is_not_there(receivers: Any) -> None:
    receiver = receivers([200])
    config = alerts_config(
        webhook_url=receiver.url, smtp_host="127.0.0.1", smtp_port=free_port(),
        mail_from="churn@localhost", mail_to=["team@localhost"],
    )  # fmt: skip
    webhook, mail = deliver([notice()], config, {})
    assert (webhook.arrived, mail.arrived, mail.attempts) == (True, False, 3)
    assert "Connection refused" in mail.problem


class Mailbox:
    """An SMTP handler that keeps the messages, or refuses them."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.messages: list[Any] = []
        self.answer = answer
        self.unknown: set[str] = set()
        self.handle_DATA, self.handle_RCPT = self._keep, self._check  # the names are aiosmtpd's

    async def _keep(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.messages.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return self.answer

    async def _check(
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        if address in self.unknown:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@pytest.fixture
def mail_server() -> Iterator[tuple[Mailbox, dict[str, Any]]]:
    """A mailbox behind a local SMTP server, and the configuration that leads to it."""
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield mailbox, {
        "smtp_host": "127.0.0.1", "smtp_port": controller.port, "smtp_starttls": False,
        "mail_from": "churn@localhost", "mail_to": ["team@localhost", "lead@localhost"],
    }  # fmt: skip
    controller.stop()


def test_mail_goes_to_all_and_names_the_worst(mail_server: Any) -> None:
    mailbox, where = mail_server
    notices = [notice("warning", "drift:songs"), notice()]
    assert deliver(notices, alerts_config(**where), {}) == (Delivery("mail", True, 1),)
    [(receivers_of_it, message)] = mailbox.messages
    assert receivers_of_it == ["team@localhost", "lead@localhost"]
    assert message["Subject"] == "churn_spark: 2 alerts, critical: data:volume"
    assert parsedate_to_datetime(message["Date"]).tzinfo is not None
    assert message["Message-ID"].endswith("@localhost>")
    text = message.get_payload(decode=True).decode()
    assert "drift:songs" in text
    assert "12 events, expected 4,773" in text


def test_mail_is_not_sent_in_the_clear_when_it_must_not_be(mail_server: Any) -> None:
    mailbox, where = mail_server
    [found] = deliver([notice()], alerts_config(**{**where, "smtp_starttls": True}), {})
    assert not found.arrived
    assert "STARTTLS" in found.problem
    assert mailbox.messages == []


def test_mail_that_one_of_two_gets_has_arrived_and_the_other_is_logged(
    mail_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox, where = mail_server
    mailbox.unknown = {"lead@localhost"}
    assert deliver([notice()], alerts_config(**where), {}) == (Delivery("mail", True, 1),)
    assert [to for to, _ in mailbox.messages] == [["team@localhost"]]
    assert caplog.messages[-1] == "notices were not mailed to lead@localhost: the server refused"


def test_mail_that_nobody_gets_has_not_arrived(mail_server: Any) -> None:
    mailbox, where = mail_server
    mailbox.unknown = {*where["mail_to"]}
    [found] = deliver([notice()], alerts_config(**where, attempts=1), {})
    assert not found.arrived
    assert "lead@localhost" in found.problem
    assert mailbox.messages == []


def test_notices_are_mailed_once_where_one_address_is_dead(
    mail_server: Any, tmp_path: Path
) -> None:
    mailbox, where = mail_server
    mailbox.unknown = {"lead@localhost"}
    lakehouse, failed = open_local(tmp_path), CheckResult("volume", 12, "4,773", False, "12 events")
    for number in range(3):
        night, config = DAY + timedelta(days=number), alerts_config(**where)
        notify(lakehouse, night, [], [failed], Drift(), config, load_config().policy)
    assert len(mailbox.messages) == 1


def test_mail_is_tried_again_when_the_server_is_busy(mail_server: Any) -> None:
    mailbox, where = mail_server
    mailbox.answer = "451 later"
    [found] = deliver([notice()], alerts_config(**where, attempts=2), {})
    assert (found.arrived, found.attempts, len(mailbox.messages)) == (False, 2, 2)


def test_every_notice_is_logged_by_its_severity(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="churn_spark.monitoring.alerts.sinks")
    to_know = [notice("info", f"drift:songs_{days}d") for days in (1, 3, 7, 14, 28)]
    assert deliver([*to_know, notice("warning"), notice("critical")], alerts_config(), {}) == ()
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR", "INFO"]
    assert caplog.messages[0].startswith("warning alert opened, since 2024-01-01: ")
    # One line for all that needs nobody, however many there are.
    assert caplog.messages[2] == (
        "alerts for information only, opened: drift:songs_1d, drift:songs_3d, drift:songs_7d, "
        "drift:songs_14d "
        "and 1 more"
    )


def test_nothing_is_sent_when_there_is_nothing_to_tell(receivers: Any) -> None:
    receiver = receivers([200])
    assert deliver([notice("info")], alerts_config(webhook_url=receiver.url), {}) == ()
    assert receiver.got == []


def test_notice_that_no_receiver_took_is_sent_again_on_the_next_night(
    receivers: Any, tmp_path: Path
) -> None:
    receiver = receivers([400, 200])
    config = alerts_config(webhook_url=receiver.url)
    lakehouse, failed = open_local(tmp_path), CheckResult("volume", 12, "4,773", False, "12 events")
    for number in range(3):
        night = DAY + timedelta(days=number)
        keys = notify(lakehouse, night, [], [failed], Drift(), config, load_config().policy)
        assert keys == ("data:volume",)
    sent = [json.loads(body)["notices"] for _, body in receiver.got]
    changes = [(one["change"], one["alert"]["last_told"]) for [one] in sent]
    assert changes == [("opened", "2024-01-01"), ("reminder", "2024-01-02")]
    told = rows_of(lakehouse, ALERTS).sort("run_date")["last_told"].to_list()
    assert told == [None, *[DAY + timedelta(days=1)] * 2]


def test_end_that_no_receiver_took_is_sent_again_on_the_next_night(
    receivers: Any, tmp_path: Path
) -> None:
    receiver = receivers([200, 400, 200])
    config = alerts_config(webhook_url=receiver.url, clear_nights=1)
    lakehouse = open_local(tmp_path)
    for number in range(4):
        check = CheckResult("volume", 12, "4,773", number > 0, "12 events")
        night = DAY + timedelta(days=number)
        keys = notify(lakehouse, night, [], [check], Drift(), config, load_config().policy)
        assert keys == (() if number else ("data:volume",))
    sent = [json.loads(body)["notices"] for _, body in receiver.got]
    changes = [(one["change"], one["alert"]["resolved"]) for [one] in sent]
    assert changes == [("opened", None), *[("resolved", "2024-01-02")] * 2]
    nights = rows_of(lakehouse, ALERTS)["run_date"].to_list()
    assert sorted(nights) == [DAY + timedelta(days=number) for number in range(3)]
    shown = _read_alerts(lakehouse, DAY, DAY + timedelta(days=3))
    assert sorted(shown["change"]) == ["opened", "resolved"]


@pytest.mark.parametrize(
    "changes", [{"webhook_url": "ftp://x"}, {"smtp_host": "mail"}, {"min_severity": "loud"}]
)
def test_configuration_is_refused_when_it_leads_nowhere(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        alerts_config(**changes)


def test_token_is_not_sent_in_clear_over_a_network() -> None:
    config = alerts_config(webhook_url="http://hooks.example/services/a-secret")
    [found] = deliver([notice()], config, {"CHURN_WEBHOOK_TOKEN": "t0ken"})
    assert (found.arrived, found.attempts) == (False, 1)
    assert "expected an https:// address" in found.problem


@pytest.mark.parametrize("url", ["https://hooks.example:port/a-secret", "http://h/a-secret \x01"])
def test_address_is_not_repeated_when_it_is_none(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    [found] = deliver([notice()], alerts_config(webhook_url=url, attempts=1), {})
    assert not found.arrived
    assert "a-secret" not in found.problem + caplog.text
