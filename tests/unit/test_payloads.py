"""What Slack and Teams get: their limits, nothing read as markup, and a real receiver."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receivers import started

from churn_spark.config import AlertsConfig, load_config
from churn_spark.monitoring.alerts.alerts import Alert, Notice, Severity
from churn_spark.monitoring.alerts.payloads import Format, write_payload
from churn_spark.monitoring.alerts.sinks import Delivery, deliver

DAY = date(2024, 1, 1)


def notice(
    severity: Severity = "critical",
    key: str = "data:volume",
    sentence: str = "12 events, expected 4,773",
) -> Notice:
    return Notice("opened", Alert(key, severity, sentence, DAY, DAY, DAY))


def payload(notices: Sequence[Notice], shape: Format) -> Any:
    return json.loads(write_payload(notices, shape))


def texts_of(message: Any) -> list[str]:
    """The texts of a Slack message or of a card, in their order."""
    if "blocks" in message:
        return [block["text"]["text"] for block in message["blocks"]]
    [attachment] = message["attachments"]
    return [run["text"] for block in attachment["content"]["body"] for run in block["inlines"]]


def test_slack_message_has_a_header_and_a_section_for_each_notice_the_worst_first() -> None:
    found = payload([notice("warning", "model:drifted", "2 nights"), notice()], "slack")
    assert found["text"] == "churn_spark: 2 alerts, critical: data:volume"
    assert [block["type"] for block in found["blocks"]] == ["header", "section", "section"]
    assert texts_of(found)[1:] == [
        "*critical alert opened, since 2024-01-01: data:volume*\n12 events, expected 4,773",
        "*warning alert opened, since 2024-01-01: model:drifted*\n2 nights",
    ]


def test_title_tells_what_is_over_apart_and_last() -> None:
    over = Notice("resolved", notice().alert)
    opened = notice("warning", "model:drifted", "2 nights")
    assert payload([over], "slack")["text"] == "churn_spark: 1 alert resolved: data:volume"
    found = payload([over, opened], "slack")
    assert found["text"] == "churn_spark: 1 alert, warning: model:drifted; 1 resolved"
    assert [text.split(",")[0] for text in texts_of(found)[1:]] == [
        "*warning alert opened", "*critical alert resolved",
    ]  # fmt: skip


def test_teams_message_is_a_card_of_texts_that_know_no_markup() -> None:
    found = payload([notice()], "teams")
    assert found["type"] == "message"
    [attachment] = found["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert texts_of(found)[1:] == [
        "critical alert opened, since 2024-01-01: data:volume",
        "12 events, expected 4,773",
    ]
    assert card["body"][1]["inlines"][0]["color"] == "Attention"


def test_name_from_outside_calls_nobody_and_opens_no_link() -> None:
    evil = notice(sentence="<!channel> & <https://evil.example|click>\n*all*")
    [_, section] = payload([evil], "slack")["blocks"]
    assert section["text"]["text"].partition("\n")[2] == (
        "&lt;!channel&gt; &amp; &lt;https://evil.example|click&gt; *all*"
    )
    assert section["text"]["verbatim"] is True


def test_what_does_not_fit_is_counted() -> None:
    many = [notice(key=f"nulls:{n}") for n in range(30)]
    for shape in ("slack", "teams"):
        texts = texts_of(payload(many, shape))
        assert texts[-1] == "and 10 more, in the table monitoring/alerts"


@settings(max_examples=30)
@given(st.lists(st.text(max_size=4000), min_size=1, max_size=40))
def test_no_message_is_larger_than_its_receiver_takes(sentences: list[str]) -> None:
    notices = [notice(key="k" * 40, sentence=sentence) for sentence in sentences]
    slack = write_payload(notices, "slack")
    blocks = json.loads(slack)["blocks"]
    assert len(slack) <= 13_000
    assert len(blocks) <= 50
    assert len(blocks[0]["text"]["text"]) <= 150
    assert all(len(block["text"]["text"]) <= 3000 for block in blocks)
    assert len(write_payload(notices, "teams")) <= 28_000


def test_long_sentence_is_cut_and_says_so() -> None:
    found = texts_of(payload([notice(sentence="far " * 400)], "teams"))
    assert found[-1].endswith("…")
    assert len(found[-1]) == 500


@pytest.mark.parametrize("shape", ["slack", "teams"])
def test_receiver_gets_the_configured_shape(shape: Format) -> None:
    with started([202]) as receiver:
        known = load_config().alerts.model_dump()
        config = AlertsConfig.model_validate(
            known | {"webhook_url": receiver.url, "webhook_format": shape}
        )
        assert deliver([notice()], config, {}) == (Delivery("webhook", True, 1),)
    [(headers, body)] = receiver.got
    assert headers["Content-Type"] == "application/json"
    assert body == write_payload([notice()], shape)
